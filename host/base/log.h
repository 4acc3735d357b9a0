#pragma once
/*
 * lud's log: one line per event on stderr, or to the journal when stderr is
 * connected to it (JOURNAL_STREAM), with the journal's priorities, and with what
 * the line is about as fields of their own.
 */
#include <stdint.h>

#include "host/base/err.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	_LOG_LEVEL_N,
};

/* What an operator reacts to: messages.def. */
enum log_message {
	LOG_NONE,
#define MESSAGE(NAME, ...) LOG_##NAME,
#include "host/base/messages.def"
#undef MESSAGE
	_LOG_MESSAGE_N,
};

/*
 * What a line is about: MESSAGE_ID, SAMSARA_MACHINE and so on. The words of the line say it, too, for who reads them;
 * LOG_NONE, NULL, "" and 0 are left out.
 */
struct log_about {
	enum log_message message;
	const char *machine;
	const char *service;
	const char *policy;
	int64_t job;
};

/* Chooses the sink. Lines above `level` are dropped. */
void log_init(enum log_level level);
/* Finds a level by name; 0, or -EINVAL when there is none of that name. */
int __must_check log_level_parse(const char *name, enum log_level *ret_level);

void log_line(enum log_level level, const struct log_about *about, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
