/* Lists of files: the one form, the limits, and every path that is none. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/kit/list.h"

#define HEAD "samsara kit files 1\n"
#define HASH                                                                                       \
	"000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"                         \
	"000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"

static int parse(const char *text, size_t len, struct kit_fault *fault)
{
	/* On the heap and to the byte, so that a reader that goes on is caught. */
	char *bytes = malloc(len ? len : 1);
	struct kit_list list = {0};
	int r;

	memcpy(bytes, text, len);
	r = kit_list_parse(&list, bytes, len, "here", fault);
	free(bytes);
	kit_list_fini(&list);
	return r;
}

static const struct {
	const char *text;
	int r;
	const char *said;
} lists[] = {
        {HEAD, 0, ""},
        {HEAD HASH " 5 a\n", 0, ""},
        {HEAD HASH " 5 a\n" HASH " 0 b\n", 0, ""},
        {HEAD HASH " 5 a/b\n", -EBADMSG, "no path"},
        {"", -EBADMSG, "not a list"},
        {"samsara kit files 2\n", -EBADMSG, "not a list"},
        {HEAD HASH " 5 a", -EBADMSG, "one form"},
        {HEAD HASH " 5 a\n\n", -EBADMSG, "damaged"},
        {HEAD "\n", -EBADMSG, "damaged"},
        {HEAD HASH " 5 b\n" HASH " 5 a\n", -EBADMSG, "one form"},
        {HEAD HASH " 5 a\n" HASH " 5 a\n", -EBADMSG, "twice"},
        {HEAD HASH " 05 a\n", -EBADMSG, "one form"},
        {HEAD HASH " +5 a\n", -EBADMSG, "damaged"},
        {HEAD HASH " -5 a\n", -EBADMSG, "damaged"},
        {HEAD HASH "  5 a\n", -EBADMSG, "damaged"},
        {HEAD HASH " 5  a\n", -EBADMSG, "no path"},
        {HEAD HASH " 99999999999999999999 a\n", -EBADMSG, "damaged"},
        {HEAD "0g" HASH " 5 a\n", -EBADMSG, "damaged"},
        {HEAD "00 5 a\n", -EBADMSG, "damaged"},
        {HEAD HASH " 5 \033[2J\n", -EBADMSG, "'\\x1b[2J'"},
        {HEAD HASH " 33554433 a\n", -EFBIG, "33554432"},
        {HEAD HASH " 33554432 a\n" HASH " 33554432 b\n" HASH " 33554432 c\n" HASH
                   " 33554432 d\n" HASH " 1 e\n",
                -EFBIG, "at most 134217728"},
};

static void test_lists(void)
{
	char text[sizeof(HEAD HASH) + KIT_PATH_MAX + 8];
	struct kit_fault fault;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		int r = parse(lists[i].text, strlen(lists[i].text), &fault);

		if (r != lists[i].r || (r < 0 && !strstr(fault.text, lists[i].said))) {
			fprintf(stderr, "list %zu: %d %s\n", i, r, fault.text);
			abort();
		}
	}
	assert(parse(HEAD "\0", strlen(HEAD) + 1, &fault) == -EBADMSG);
	(void)snprintf(text, sizeof(text), HEAD HASH " 5 %0*d\n", (int)KIT_PATH_MAX + 1, 0);
	assert(parse(text, strlen(text), &fault) == -EBADMSG && strstr(fault.text, "damaged"));
}

static void test_paths(void)
{
	static const char *const good[] = {"a", "state", "0001-a+b_c.o"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", "a/b/c", "a/b", "x/manifest",
	        "..", ".", ".a", "../a", "a/..", "a/.b", "a/../b", "a b", "a\nb", "a\\b", "a:b",
	        "\xc3\xa4", "files", "manifest", "manifest.signed", "/dev/zero", "../../dev/zero"};
	char long_path[KIT_PATH_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert(kit_path_is_valid(good[i]));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(!kit_path_is_valid(bad[i]));
	}
	memset(long_path, 'a', sizeof(long_path));
	long_path[KIT_PATH_MAX + 1] = '\0';
	assert(!kit_path_is_valid(long_path));
	long_path[KIT_PATH_MAX] = '\0';
	assert(kit_path_is_valid(long_path));
}

/* Entries come out sorted, whatever order they came in, up to the limit. */
static void test_many(void)
{
	struct kit_list list = {0}, again = {0};
	struct kit_list_entry entry = {.len = 1};
	struct kit_fault fault;
	char *text;
	size_t len;
	unsigned int i;

	for (i = 0; i < KIT_FILES_MAX; i++) {
		(void)snprintf(entry.path, sizeof(entry.path), "f%u", i * 2654435761u % 65536);
		assert(kit_list_add(&list, &entry, "here", &fault) == 0);
	}
	strcpy(entry.path, "last");
	assert(kit_list_add(&list, &entry, "here", &fault) == -EFBIG);
	assert(strstr(fault.text, "at most 16 files"));
	assert(kit_list_write(&list, &text, &len) == 0);
	assert(kit_list_parse(&again, text, len, "here", &fault) == 0);
	assert(again.n == KIT_FILES_MAX && kit_list_find(&again, "f0"));
	assert(!kit_list_find(&again, "last"));
	free(text);
	kit_list_fini(&list);
	kit_list_fini(&again);
}

/* What names of strangers hold reaches no terminal: neither C0 nor C1 controls, in UTF-8 or raw. */
static void test_fault_escaped(void)
{
	struct kit_fault fault;

	(void)kit_fault_set(&fault, -1,
	        "a\x1b[2Jb\xc2\x9b"
	        "c",
	        "%s", "d\nе\x9bg\x7f");
	assert(!strcmp(fault.place, "a\\x1b[2Jb\\xc2\\x9bc"));
	assert(!strcmp(fault.text, "d\\x0aе\xef\xbf\xbdg\\x7f"));
	/* The place may be that of the fault that is replaced. */
	(void)kit_fault_set(&fault, -1, fault.place, "%s", fault.text);
	assert(!strncmp(fault.place, "a\\x1b", 5));
}

int main(void)
{
	test_fault_escaped();
	test_lists();
	test_paths();
	test_many();
	return 0;
}
