/*
 * What every file of luctl uses: messages of failure, and memory.
 *
 * luctl is a program that runs once: without memory it ends (abort), so no caller has an error
 * path for it. Every message of failure is escaped here for a terminal, whatever its parts are,
 * so no caller has to remember which of them came from lud or from a machine.
 */
#include "ctl/base/base.h"

#include <stdarg.h>

#include "host/text/escape.h"

/* vasprintf() that ends the process when there is no memory. */
static char *ctl_vformat(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0) {
		abort();
	}
	return text;
}

/* Words of lud and of machines come along in any of these. */
static void ctl_tell(const char *before, const char *text)
{
	_cleanup_(ctl_freep) char *escaped = text_escape_new(text);

	fprintf(stderr, "%s%s\n", before, escaped);
}

int ctl_fail(enum ctl_exit code, const char *where, const char *remedy, const char *format, ...)
{
	_cleanup_(ctl_freep) char *cause = NULL;
	_cleanup_(ctl_freep) char *text = NULL;
	va_list args;

	va_start(args, format);
	cause = ctl_vformat(format, args);
	va_end(args);
	text = ctl_format("%s%s%s", where, *where ? ": " : "", cause);
	ctl_tell("luctl: ", text);
	if (remedy && *remedy) {
		ctl_tell("       ", remedy);
	}
	return code;
}

void ctl_freep(void *pp)
{
	free(*(void **)pp);
}

char *ctl_format(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = ctl_vformat(format, args);
	va_end(args);
	return text;
}

void *ctl_zero(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		abort();
	}
	return memory;
}
