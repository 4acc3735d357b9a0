#pragma once
/*
 * lud's log: one line per event on stderr, or to the journal when stderr is
 * connected to it (JOURNAL_STREAM), with the journal's priorities.
 */
#include "host/base/err.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	_LOG_LEVEL_N,
};

/* Chooses the sink. Lines above `level` are dropped. */
void log_init(enum log_level level);
/* Finds a level by name; 0, or -EINVAL when there is none of that name. */
int __must_check log_level_parse(const char *name, enum log_level *ret_level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
