/*
 * Printing failures. Where and what are escaped line by line: both may hold names out of kits
 * and programs. Each function returns the negative value of its kind, so that reporting and
 * returning are one statement.
 */
#include "forge/base/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "forge/base/mem.h"
#include "host/text/escape.h"

/* Newlines are kept, all else that a terminal would obey is escaped. */
void report_text(FILE *to, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		MEM_FREE char *line = mem_printf("%.*s", (int)n, text);
		MEM_FREE char *clean = text_escape_new(line);

		fputs(clean, to);
		text += n;
		if (*text) {
			fputc(*text++, to);
		}
	}
}

/* "luforge: WHERE: text", without the end of the line. */
static void report_vprint(const char *where, const char *fmt, va_list ap)
{
	MEM_FREE char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
	}
	fprintf(stderr, "luforge: ");
	report_text(stderr, where);
	fprintf(stderr, ": ");
	report_text(stderr, text ? text : "no memory to say more");
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

/*
 * Positive values are exit codes already. Of negative ones only -EINVAL is a refusal:
 * report_refuse() is the only one that makes it.
 */
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
