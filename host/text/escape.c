/*
 * UTF-8 decoded character by character, strictly: no overlong forms, no surrogates, nothing
 * above U+10FFFF. A byte that begins no valid character is one replacement character, and
 * decoding goes on with the next byte, so nothing hides behind it. What must not reach a
 * terminal is written as \xNN, byte by byte; the list is in escape_code_is_harmless().
 */
#include "host/text/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ESCAPED_MAX 16u            /* four bytes, four characters each */

/* Length of the UTF-8 character at text and its code; 0: the byte begins none. */
static size_t escape_decode(const uint8_t *text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : 4;
	uint32_t code = n == 1 ? text[0] : text[0] & (0xffu >> (n + 1));

	if (text[0] >= 0x80 && (text[0] < 0xc2 || text[0] > 0xf4)) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if (text[i] >> 6 != 2) {
			return 0;
		}
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
		return 0;
	}
	*ret_code = code;
	return n;
}

/*
 * No control characters (C0, DEL, C1), no separators of lines, no marks that turn the
 * direction of text, no byte order mark.
 */
static bool escape_code_is_harmless(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
	       !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069) &&
	       code != 0x200e && code != 0x200f && code != 0xfeff;
}

/* Escape the character at text; returns its length there. */
static size_t escape_one(const uint8_t *text, char ret_escaped[ESCAPED_MAX + 1])
{
	uint32_t code;
	size_t n = escape_decode(text, &code);

	if (n == 0) {
		strcpy(ret_escaped, REPLACEMENT);
		return 1;
	}
	if (escape_code_is_harmless(code)) {
		memcpy(ret_escaped, text, n);
		ret_escaped[n] = '\0';
		return n;
	}
	for (size_t i = 0; i < n; i++) {
		sprintf(ret_escaped + 4 * i, "\\x%02x", text[i]);
	}
	return n;
}

/* Whole characters only: what does not fit with its NUL is left out. */
size_t text_escape(char *ret_text, size_t size, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;
	char escaped[ESCAPED_MAX + 1];
	size_t done = 0;

	while (*at) {
		size_t n;

		at += escape_one(at, escaped);
		n = strlen(escaped);
		if (n >= size - done) {
			break;
		}
		memcpy(ret_text + done, escaped, n);
		done += n;
	}
	ret_text[done] = '\0';
	return done;
}

/* Four bytes for one that is escaped, three for one that is not UTF-8. */
static char *text_new(const char *text, size_t *ret_size)
{
	char *memory = malloc(4 * strlen(text) + 1);

	if (!memory) {
		abort();
	}
	*ret_size = 4 * strlen(text) + 1;
	return memory;
}

char *text_escape_new(const char *text)
{
	size_t size;
	char *escaped = text_new(text, &size);

	text_escape(escaped, size, text);
	return escaped;
}

char *text_utf8_new(const char *text)
{
	const uint8_t *from = (const uint8_t *)text;
	size_t size;
	char *utf8 = text_new(text, &size), *at = utf8;
	uint32_t code;

	while (*from) {
		size_t n = escape_decode(from, &code);

		if (n == 0) {
			at = stpcpy(at, REPLACEMENT);
			from++;
			continue;
		}
		at = mempcpy(at, from, n);
		from += n;
	}
	*at = '\0';
	return utf8;
}
