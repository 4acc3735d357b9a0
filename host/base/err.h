#pragma once
/*
 * The host's error doctrine. A function returns 0, a negative errno that is fatal
 * to the operation, or a positive outcome that its own header names. An error is
 * born with err_raise(), forwarded with err_up(), and an unhandled positive
 * outcome is made fatal with err_fold(). Each leaves one line of trace; whoever
 * finally handles the error prints the trace with log_error() or drops it with
 * err_forget(). Nothing prints an error on its way up.
 */
#include "host/base/cleanup.h"

/* Starts a trace for the negative errno e and returns e. */
#define err_raise(e) err_trace_start((e), __FILE__, __LINE__, __func__)
/* Adds this place to the trace of the negative errno r and returns r. */
#define err_up(r) err_trace_add((r), __FILE__, __LINE__, __func__)
/* As err_up(); an unexpected positive outcome becomes -ENOTRECOVERABLE. */
#define err_fold(r) err_trace_fold((r), __FILE__, __LINE__, __func__)

int err_trace_start(int e, const char *file, int line, const char *func);
int err_trace_add(int r, const char *file, int line, const char *func);
int err_trace_fold(int r, const char *file, int line, const char *func);

/* The trace collected since the last err_raise(), newest place last; static. */
const char *err_trace(void);
void err_forget(void);
