/* What luforge prints of names that others chose. */
#undef NDEBUG
#include "forge/base/report.h"

#include <assert.h>
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

int main(void)
{
	prints("", "");
	prints("one\n\ntwo", "one\n\ntwo");
	prints("a\x1b[2Jb\r\n", "a\\x1b[2Jb\\x0d\n");
	prints("\xc2\x9b\n", "\\xc2\\x9b\n");
	return 0;
}
