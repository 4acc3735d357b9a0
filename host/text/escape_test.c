/* Text of others, made fit for a terminal. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/text/escape.h"

static const struct {
	const char *text, *escaped;
} cases[] = {
        {"", ""},
        {"plain text, 100 %", "plain text, 100 %"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
        {"one\ntwo\r\tthree", "one\\x0atwo\\x0d\\x09three"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
                "\\xc2\\x9b31m"}, /* CSI as one character */
        {"\x9b", "\xef\xbf\xbd"}, /* and as one byte */
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x82\xac \xf0\x9f\x90\xa7", "\xe2\x82\xac \xf0\x9f\x90\xa7"},
        {"\xe2\x80\xae"
         "evil",
                "\\xe2\\x80\\xae"
                "evil"}, /* right to left from here */
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* longer than it need be */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* half a pair */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *escaped = text_escape_new(cases[i].text);

		assert(!strcmp(escaped, cases[i].escaped));
		free(escaped);
	}
}

static void test_utf8(void)
{
	static const struct {
		const char *text, *utf8;
	} rows[] = {
	        {"", ""},
	        {"\x1b[31m\n", "\x1b[31m\n"},
	        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	        {"a\xffz", "a\xef\xbf\xbdz"},
	        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *utf8 = text_utf8_new(rows[i].text);

		assert(!strcmp(utf8, rows[i].utf8));
		free(utf8);
	}
}

/* Whatever the room, the result ends in a whole character and in itself. */
static void test_room(void)
{
	static const char text[] = "a\x1b\xe2\x82\xacz";
	static const size_t lengths[] = {0, 1, 1, 1, 1, 5, 5, 5, 8, 9, 9};
	char room[16];

	for (size_t size = 1; size <= sizeof(lengths) / sizeof(lengths[0]); size++) {
		memset(room, '#', sizeof(room));
		assert(text_escape(room, size, text) == lengths[size - 1]);
		assert(strlen(room) == lengths[size - 1]);
		assert(room[size] == '#');
	}
}

/* No byte sequence gets a control character through. */
static void test_every_pair(void)
{
	for (unsigned int a = 1; a < 256; a++) {
		for (unsigned int b = 1; b < 256; b++) {
			const char text[] = {(char)a, (char)b, 'x', 0};
			char room[32];

			text_escape(room, sizeof(room), text);
			for (const char *at = room; *at; at++) {
				assert((unsigned char)*at >= 0x20 && *at != 0x7f);
				assert((unsigned char)at[0] != 0xc2 ||
				        (unsigned char)at[1] >= 0xa0);
			}
		}
	}
}

int main(void)
{
	test_cases();
	test_utf8();
	test_room();
	test_every_pair();
	return 0;
}
