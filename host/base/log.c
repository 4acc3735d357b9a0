/*
 * One call, one line. Words of machines and services come along in messages, so every line is
 * escaped as a whole: none can look like another line, or move a cursor. Where stderr is the
 * journal, it gets priorities instead of time stamps.
 */
#include "host/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "host/text/escape.h"

static const struct {
	const char *name;
	int journal_priority;
} log_levels[_LOG_LEVEL_N] = {
        [LOG_LEVEL_ERROR] = {"error", 3},
        [LOG_LEVEL_WARN] = {"warn", 4},
        [LOG_LEVEL_INFO] = {"info", 6},
        [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static enum log_level log_limit = LOG_LEVEL_INFO;
static bool log_to_journal;

void log_init(enum log_level level)
{
	log_limit = level;
	log_to_journal = getenv("JOURNAL_STREAM") != NULL;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	for (int i = 0; i < _LOG_LEVEL_N; i++) {
		if (!strcmp(name, log_levels[i].name)) {
			*ret_level = i;
			return 0;
		}
	}
	return err_raise(-EINVAL);
}

static void log_stamp(char *ret_text, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(ret_text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, size - n, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[1024];
	char line[1200];
	char stamp[40];
	va_list args;

	if (level > log_limit) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Words of machines come along: one call is one line, and moves no cursor. */
	text_escape(line, sizeof(line), text);
	if (log_to_journal) {
		sd_journal_print(log_levels[level].journal_priority, "%s", line);
		return;
	}
	log_stamp(stamp, sizeof(stamp));
	fprintf(stderr, "%s lud %s: %s\n", stamp, log_levels[level].name, line);
}
