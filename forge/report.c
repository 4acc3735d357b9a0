/* Printing failures; see report.h. */
#include "forge/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void report_vprint(const char *where, const char *fmt, va_list ap)
{
	fprintf(stderr, "luforge: %s: ", where);
	vfprintf(stderr, fmt, ap);
}

int report_refuse(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_vprint(where, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -EINVAL;
}

int report_errno(const char *where, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_vprint(where, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	return -err;
}

int report_failed(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_vprint(where, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -EIO;
}

void report_warn(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_vprint(where, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

enum forge_exit report_exit_code(int r)
{
	if (r == 0) {
		return FORGE_EXIT_OK;
	}
	if (r > 0) {
		return (enum forge_exit)r;
	}
	return r == -EINVAL ? FORGE_EXIT_REFUSED : FORGE_EXIT_FAILED;
}
