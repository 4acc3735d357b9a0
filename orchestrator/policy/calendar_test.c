/*
 * Calendar expressions and zones: refusals with their place, and what happens where a clock is set,
 * which is other than in systemd. What is alike is compared with systemd by
 * test/calendar_compare.py.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/policy/calendar.h"

#define USEC INT64_C(1000000)

/* At which byte an expression is refused, and a word of the sentence. */
static void test_refused(void)
{
	static const struct {
		const char *text;
		size_t at;
		const char *word;
	} cases[] = {
	        {"", 0, "empty"},
	        {"Mon..", 5, "weekday"},
	        {"Fri..Mon", 5, "Monday to Sunday"},
	        {"Mo 10:00", 0, "number"},
	        {"10", 2, "a time is"},
	        {"10:00:00:00", 8, "nothing may follow"},
	        {"10:00 Europe/Berln", 6, "time zone"},
	        {"daily Moon/Base", 6, "time zone"},
	        {"25:00", 0, "hour"},
	        {"*-13-01", 0, "month"},
	        {"*-*~29", 0, "day"},
	        {"*:0/0", 5, "every 1"},
	        {"*:*:59..59", 10, "one second"},
	        {"*:*:0.1234567", 12, "six digits"},
	        {"2026-01-01-01 10:00", 10, "a date is"},
	        {"*/2:00", 1, "a date is"},
	        {"1 1 1", 1, "a date is"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(calendar_freep) struct calendar *calendar = NULL;
		struct calendar_fault fault = {99, ""};

		if (calendar_parse(cases[i].text, &calendar, &fault) != CALENDAR_E_INVALID ||
		        fault.at != cases[i].at || !strstr(fault.cause, cases[i].word)) {
			printf("%s: %zu: %s\n", cases[i].text, fault.at, fault.cause);
			assert(false);
		}
	}
}

static void check_next(const char *text, const char *zone_text, int64_t after, int64_t expected)
{
	_cleanup_(calendar_freep) struct calendar *calendar = NULL;
	_cleanup_(zone_freep) struct zone *zone = NULL;
	struct calendar_fault fault;
	int64_t next = -1;

	assert(zone_open(zone_text, &zone) == 0);
	assert(calendar_parse(text, &calendar, &fault) == 0);
	assert(calendar_next(calendar, zone, after * USEC, &next) == (expected >= 0));
	if (expected >= 0 && next != expected * USEC) {
		printf("%s %s: %lld\n", text, zone_text, (long long)(next / USEC));
		assert(false);
	}
}

/*
 * Berlin: 2026-03-29 02:00 becomes 03:00 (01:00 UTC, 1774746000); 2026-10-25 03:00 becomes 02:00
 * (01:00 UTC, 1792890000).
 */
static void test_clock_set(void)
{
	const char *berlin = "Europe/Berlin";
	const int64_t spring = 1774746000, autumn = 1792890000;

	/* Skipped: opens when the clock skips it, once. */
	check_next("*-*-* 02:30", berlin, spring - 3600, spring);
	check_next("*-*-* 02:30", berlin, spring, spring + 86400 - 1800);
	check_next("*-*-* 02:00,15,30,45", berlin, spring - 3600, spring);
	check_next("*-*-* 02:00,15,30,45", berlin, spring, spring + 86400 - 3600);
	check_next("2026-03-29 02:30", berlin, 0, spring);
	check_next("2026-03-29 02:30", berlin, spring, -1);
	check_next("*:0/30", berlin, spring - 1800, spring);
	check_next("*:0/30", berlin, spring, spring + 1800);
	/* Shown twice: opens at the first, once. */
	check_next("*-*-* 02:30", berlin, autumn - 7200, autumn - 1800);
	check_next("*-*-* 02:30", berlin, autumn - 1800, autumn + 86400 + 1800);
	check_next("*-*-* 02:30", berlin, autumn + 600, autumn + 86400 + 1800);
	check_next("*:0/30", berlin, autumn - 1800, autumn + 3600);
	check_next("*:0/30", berlin, autumn, autumn + 3600);
	/* Around it nothing is moved. */
	check_next("*-*-* 01:30", berlin, spring - 7200, spring - 1800);
	check_next("*-*-* 03:00", berlin, spring - 7200, spring);
	check_next("*-*-* 03:00", berlin, autumn - 7200, autumn + 3600);
	/* A day that a zone left out, half an hour, and a zone behind the expression. */
	check_next("2011-12-30 12:00", "Pacific/Apia", 0, 1325239200);
	check_next("*-*-* 02:10", "Australia/Lord_Howe", 1791038400, 1791041400);
	check_next("2026-06-01 12:00 America/New_York", berlin, 0, 1780329600);
}

/* Each minute begins anew: what a repetition would give beyond the last one leaves nothing out (calendar_compare.py). */
static void test_seconds(void)
{
	const int64_t minute = 1767571200;

	check_next("*:*:00,10,22.457/11", "UTC", minute + 56, minute + 60);
	check_next("*:*:00,10,22/11", "UTC", minute + 56, minute + 60);
	check_next("*:*:00,10,22.457/11", "UTC", minute + 60, minute + 70);
	check_next("*:*:00,01.5/10", "UTC", minute + 52, minute + 60);
}

static void test_zones(void)
{
	static const char *const unknown[] = {"", "Mars", "Europe", "Europe/Berlin/",
	        "/etc/localtime", "../../../etc/localtime", "Europe//Berlin", "tzdata.zi", "+02:00",
	        "UTC+3", "EST5EDT4,M3.2.0,M11.1.0"};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct zone *zone = NULL;

		assert(zone_open(unknown[i], &zone) == ZONE_E_UNKNOWN);
	}
}

/* Never, and only just. */
static void test_ends(void)
{
	check_next("*-02-30", "UTC", 0, -1);
	check_next("2199-12-31 23:59:59", "UTC", 0, 7258118399);
	check_next("2199-12-31 23:59:59", "UTC", 7258118399, -1);
	check_next("2096..2104-02-29", "UTC", 4000000000, 4233686400);
}

int main(void)
{
	test_refused();
	test_clock_set();
	test_seconds();
	test_zones();
	test_ends();
	return 0;
}
