#include "ctl/base.h"

#include <stdarg.h>

int ctl_fail(enum ctl_exit code, const char *where, const char *remedy, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "luctl: %s%s", where, *where ? ": " : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (remedy && *remedy) {
		fprintf(stderr, "       %s\n", remedy);
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
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		abort();
	}
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
