/*
 * One trace per thread, in a buffer of fixed size: raising an error starts it anew, each place
 * that forwards it adds itself, and what does not fit is left out. So an error costs no memory
 * and its path is known where it is handled. A trace is of the newest error only: whoever
 * handles one of two has to print it before the other is raised.
 */
#include "host/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ERR_TRACE_MAX 1024

static _Thread_local char err_trace_text[ERR_TRACE_MAX];
static _Thread_local size_t err_trace_used;

/* What does not fit is left out whole: half a place would mislead. */
static void err_trace_append(const char *text)
{
	size_t len = strlen(text);

	if (err_trace_used + len >= sizeof(err_trace_text)) {
		return;
	}
	memcpy(err_trace_text + err_trace_used, text, len + 1);
	err_trace_used += len;
}

static void err_trace_place(const char *file, int line, const char *func)
{
	char place[160];

	snprintf(place, sizeof(place), "%s() %s:%d", func, file, line);
	err_trace_append(place);
}

/* Raising: an older trace ends here. e is negative, else it is a bug of the caller. */
int err_trace_start(int e, const char *file, int line, const char *func)
{
	assert(e < 0);
	err_forget();
	err_trace_append(strerror(-e));
	err_trace_append(" at ");
	err_trace_place(file, line, func);
	return e;
}

/* Forwarding: 0 and positive outcomes leave no trace. */
int err_trace_add(int r, const char *file, int line, const char *func)
{
	if (r >= 0) {
		return r;
	}
	err_trace_append(" < ");
	err_trace_place(file, line, func);
	return r;
}

/*
 * A positive outcome that nobody expected becomes -ENOTRECOVERABLE, whose trace starts where
 * it was folded.
 */
int err_trace_fold(int r, const char *file, int line, const char *func)
{
	if (r > 0) {
		return err_trace_start(-ENOTRECOVERABLE, file, line, func);
	}
	return err_trace_add(r, file, line, func);
}

const char *err_trace(void)
{
	return err_trace_text;
}

void err_forget(void)
{
	err_trace_used = 0;
	err_trace_text[0] = '\0';
}
