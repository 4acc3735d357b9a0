#include "host/base/failure.h"

#include <stdarg.h>
#include <stdio.h>

void failure_set(struct failure *ret_failure, const char *code, const char *place,
        const char *remedy, const char *cause_format, ...)
{
	va_list args;

	snprintf(ret_failure->code, sizeof(ret_failure->code), "%s", code);
	snprintf(ret_failure->place, sizeof(ret_failure->place), "%s", place);
	snprintf(ret_failure->remedy, sizeof(ret_failure->remedy), "%s", remedy);
	va_start(args, cause_format);
	vsnprintf(ret_failure->cause, sizeof(ret_failure->cause), cause_format, args);
	va_end(args);
}
