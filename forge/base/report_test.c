/* What luforge prints of names that others chose. */
#undef NDEBUG
#include "forge/base/report.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "forge/base/mem.h"

static void prints(const char *text, const char *expected)
{
	MEM_FREE char *printed = NULL;
	size_t size;
	FILE *to = open_memstream(&printed, &size);

	assert(to);
	report_text(to, text);
	fclose(to);
	assert(!strcmp(printed, expected));
}

/* A message is one line, even where there is nothing to say; what it returns says the exit code. */
static void test_refuse(void)
{
	MEM_FREE char *printed = NULL;
	size_t size;
	FILE *to = open_memstream(&printed, &size), *was = stderr;

	assert(to);
	stderr = to;
	assert(report_refuse("a.service", "no word %d", 3) == -EINVAL);
	assert(report_refuse("b", "%s", "") == -EINVAL);
	stderr = was;
	fclose(to);
	assert(!strcmp(printed, "luforge: a.service: no word 3\nluforge: b: \n"));
}

static void test_exit_codes(void)
{
	assert(report_exit_code(0) == FORGE_EXIT_OK);
	assert(report_exit_code(FORGE_EXIT_FAILED) == FORGE_EXIT_FAILED);
	assert(report_exit_code(-EINVAL) == FORGE_EXIT_REFUSED);
	assert(report_exit_code(-EIO) == FORGE_EXIT_FAILED);
}

int main(void)
{
	test_refuse();
	test_exit_codes();
	prints("", "");
	prints("one\n\ntwo", "one\n\ntwo");
	prints("a\x1b[2Jb\r\n", "a\\x1b[2Jb\\x0d\n");
	prints("\xc2\x9b\n", "\\xc2\\x9b\n");
	return 0;
}
