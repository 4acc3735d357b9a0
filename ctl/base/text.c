/*
 * Values as people read and write them.
 *
 * Writing: a fixed number of digits behind the point, so that columns line up, and `-` for
 * "there is none": a blackout of 0 ns and a time of 0 never happened. Reading is strict: a
 * number has digits only (strtoull() alone takes blanks, signs and other bases), and a duration
 * has its unit, because 5 may be meant as seconds or as milliseconds.
 */
#include "ctl/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/text/hex.h"

char *text_nsec(uint64_t nsec, char ret_text[TEXT_SIZE])
{
	if (!nsec) {
		snprintf(ret_text, TEXT_SIZE, "-");
	} else if (nsec < 1000000) {
		snprintf(ret_text, TEXT_SIZE, "%.1f us", nsec / 1e3);
	} else if (nsec < 1000000000) {
		snprintf(ret_text, TEXT_SIZE, "%.2f ms", nsec / 1e6);
	} else {
		snprintf(ret_text, TEXT_SIZE, "%.1f s", nsec / 1e9);
	}
	return ret_text;
}

char *text_generation(uint64_t number, uint64_t made, char ret_text[TEXT_SIZE])
{
	snprintf(ret_text, TEXT_SIZE, made ? "%" PRIu64 ".%" PRIu64 : "%" PRIu64, number, made);
	return ret_text;
}

char *text_bytes(uint64_t bytes, char ret_text[TEXT_SIZE])
{
	if (bytes < 1024) {
		snprintf(ret_text, TEXT_SIZE, "%" PRIu64 " B", bytes);
	} else if (bytes < 1024 * 1024) {
		snprintf(ret_text, TEXT_SIZE, "%.1f KiB", bytes / 1024.0);
	} else {
		snprintf(ret_text, TEXT_SIZE, "%.1f MiB", bytes / 1048576.0);
	}
	return ret_text;
}

char *text_seconds(int64_t unix_sec, char ret_text[TEXT_SIZE])
{
	time_t sec = unix_sec;
	struct tm tm;

	/* Too far away for a calendar: lud said something else. */
	if (!unix_sec || !localtime_r(&sec, &tm)) {
		snprintf(ret_text, TEXT_SIZE, "-");
		return ret_text;
	}
	strftime(ret_text, TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	return ret_text;
}

char *text_time(int64_t unix_usec, char ret_text[TEXT_SIZE])
{
	return text_seconds(unix_usec / 1000000, ret_text);
}

char *text_clock(int64_t unix_usec, int64_t now_usec, char ret_text[TEXT_SIZE])
{
	time_t sec = unix_usec / 1000000, now = now_usec / 1000000;
	struct tm tm, today;

	if (!localtime_r(&sec, &tm) || !localtime_r(&now, &today)) {
		return text_time(unix_usec, ret_text);
	}
	strftime(ret_text, TEXT_SIZE,
	        tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year ? "%H:%M"
	                                                                   : "%Y-%m-%d %H:%M",
	        &tm);
	return ret_text;
}

int64_t text_between(int64_t from, int64_t until)
{
	int64_t passed;

	if (__builtin_sub_overflow(until, from, &passed)) {
		return from < 0 ? INT64_MAX : -INT64_MAX;
	}
	return passed == INT64_MIN ? -INT64_MAX : passed;
}

char *text_age(int64_t usec, char ret_text[TEXT_SIZE])
{
	int64_t sec = usec / 1000000;

	if (sec < 120) {
		snprintf(ret_text, TEXT_SIZE, "%" PRId64 " s", sec);
	} else if (sec < 2 * 3600) {
		snprintf(ret_text, TEXT_SIZE, "%" PRId64 " min", sec / 60);
	} else if (sec < 2 * 24 * 3600) {
		snprintf(ret_text, TEXT_SIZE, "%" PRId64 " h", sec / 3600);
	} else {
		snprintf(ret_text, TEXT_SIZE, "%" PRId64 " days", sec / (24 * 3600));
	}
	return ret_text;
}

char *text_id(const ProtobufCBinaryData *bytes, char ret_text[TEXT_SIZE])
{
	if (bytes->len < 6) {
		snprintf(ret_text, TEXT_SIZE, "-");
		return ret_text;
	}
	return hex_write(bytes->data, 6, ret_text);
}

/* 0 is rejected: no option or argument has a meaning for it. */
int text_number(const char *text, uint64_t *ret_number)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || !number) {
		return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

int text_duration_msec(const char *text, uint32_t *ret_msec)
{
	static const struct {
		const char *unit;
		uint64_t msec;
	} units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno) {
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit)) {
			continue;
		}
		if (!number || number > UINT32_MAX / units[i].msec) {
			return -ERANGE;
		}
		*ret_msec = number * units[i].msec;
		return 0;
	}
	return -EINVAL;
}
