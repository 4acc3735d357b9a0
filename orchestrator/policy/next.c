/*
 * When a calendar expression elapses next. The search goes over times of a clock that is never set:
 * from the year down to the second the next value that a field allows; where a field has none left,
 * the field above goes on by one and all below start again. Then the zone says at which instant its
 * clock shows that time.
 *
 * Times go up and instants never go down with them (zone.h), so the first time that the clock has
 * not shown yet leads to the first instant.
 */
#include <limits.h>
#include <string.h>

#include "orchestrator/policy/priv.h"

#define NEXT_DAY_USEC (INT64_C(86400) * CALENDAR_USEC)

/* One time of the clock, by unit. */
struct next_wall {
	int values[_CALENDAR_UNIT_N];
};

/* Of any year and month. */
static const int next_lowest[_CALENDAR_UNIT_N] = {CALENDAR_YEAR_MIN, 1, 1, 0, 0, 0};
static const int next_highest[_CALENDAR_UNIT_N] = {
        CALENDAR_YEAR_MAX, 12, 31, 23, 59, 60 * CALENDAR_USEC - 1};

static bool next_is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* month: 1 to 12. */
static int next_month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && next_is_leap(year));
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, whose years begin in March here. */
static int64_t next_day_number(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* 0 is Monday; the first day of 1970 was a Thursday. */
static unsigned int next_weekday(const struct next_wall *w)
{
	const int *v = w->values;

	return (unsigned int)((next_day_number(
	                               v[CALENDAR_YEAR], v[CALENDAR_MONTH], v[CALENDAR_DAY]) +
	                              3) %
	                      7);
}

/* The wall's time in microseconds since 1970, and back (for times from 1970 on). */
static int64_t next_pack(const struct next_wall *w)
{
	const int *v = w->values;
	int64_t day = next_day_number(v[CALENDAR_YEAR], v[CALENDAR_MONTH], v[CALENDAR_DAY]);
	int64_t minute = (day * 24 + v[CALENDAR_HOUR]) * 60 + v[CALENDAR_MINUTE];

	return minute * 60 * CALENDAR_USEC + v[CALENDAR_SECOND];
}

static struct next_wall next_unpack(int64_t usec)
{
	struct next_wall w = {{CALENDAR_YEAR_MIN, 1, 1}};
	int64_t day = usec / NEXT_DAY_USEC;
	int64_t rest = usec % NEXT_DAY_USEC;
	int *v = w.values;

	/* The mean year is longer than 365 days, so the first guess is never too late. */
	v[CALENDAR_YEAR] += (int)(day / 366);
	while (next_day_number(v[CALENDAR_YEAR] + 1, 1, 1) <= day) {
		v[CALENDAR_YEAR]++;
	}
	day -= next_day_number(v[CALENDAR_YEAR], 1, 1);
	while (day >= next_month_days(v[CALENDAR_YEAR], v[CALENDAR_MONTH])) {
		day -= next_month_days(v[CALENDAR_YEAR], v[CALENDAR_MONTH]++);
	}
	v[CALENDAR_DAY] += (int)day;
	v[CALENDAR_SECOND] = (int)(rest % (60 * CALENDAR_USEC));
	v[CALENDAR_MINUTE] = (int)(rest / (60 * CALENDAR_USEC) % 60);
	v[CALENDAR_HOUR] = (int)(rest / (3600 * INT64_C(1000000)));
	return w;
}

/* The first value from `from` on that the part allows; INT_MAX: none. */
static int next_of_part(struct calendar_part part, int from)
{
	int value = part.start;

	if (from > value) {
		if (!part.repeat) {
			return INT_MAX;
		}
		value += (from - value + part.repeat - 1) / part.repeat * part.repeat;
	}
	return part.stop >= 0 && value > part.stop ? INT_MAX : value;
}

/* Days from the end of this month as days from its start. Ranges turn around. */
static struct calendar_part next_from_end(struct calendar_part part, int days)
{
	int start = days - part.start + 1;

	if (part.stop >= 0) {
		return (struct calendar_part){days - part.stop + 1, start, part.repeat};
	}
	return (struct calendar_part){start, -1, part.repeat};
}

/* Set the unit to its next value that is allowed; false: none is left. */
static bool next_unit(const struct calendar *c, struct next_wall *w, enum calendar_unit unit)
{
	const struct calendar_field *field = &c->fields[unit];
	int *v = w->values;
	int found = field->n ? INT_MAX : v[unit];
	int highest = next_highest[unit];

	if (unit == CALENDAR_DAY) {
		highest = next_month_days(v[CALENDAR_YEAR], v[CALENDAR_MONTH]);
	}

	for (size_t i = 0; i < field->n; i++) {
		struct calendar_part part = field->parts[i];
		int value;

		if (unit == CALENDAR_DAY && c->from_end) {
			part = next_from_end(part, highest);
		}
		value = next_of_part(part, v[unit]);
		found = value < found ? value : found;
	}
	if (found > highest) {
		return false;
	}
	if (found > v[unit]) {
		memcpy(&v[unit + 1], &next_lowest[unit + 1],
		        sizeof(int) * (size_t)(_CALENDAR_UNIT_N - unit - 1));
	}
	v[unit] = found;
	return true;
}

/* Go on by one in a unit and start again below it. The value may be beyond its highest. */
static void next_advance(struct next_wall *w, int unit)
{
	w->values[unit]++;
	memcpy(&w->values[unit + 1], &next_lowest[unit + 1],
	        sizeof(int) * (size_t)(_CALENDAR_UNIT_N - unit - 1));
}

/* The first time from *w on that matches; false: none before the end of all years. */
static bool next_find(const struct calendar *c, struct next_wall *w)
{
	int unit = CALENDAR_YEAR;

	while (unit < _CALENDAR_UNIT_N) {
		if (!next_unit(c, w, unit)) {
			if (unit == CALENDAR_YEAR) {
				return false;
			}
			next_advance(w, --unit);
		} else if (unit == CALENDAR_DAY && !(c->weekdays >> next_weekday(w) & 1)) {
			next_advance(w, unit);
		} else {
			unit++;
		}
	}
	return true;
}

bool calendar_next(
        const struct calendar *calendar, const struct zone *zone, int64_t after, int64_t *ret_usec)
{
	const struct zone *in = calendar->zone ? calendar->zone : zone;
	int64_t from = zone_wall_next(in, after);
	struct next_wall w = next_unpack(from < 0 ? 0 : from);

	if (!next_find(calendar, &w)) {
		return false;
	}
	*ret_usec = zone_instant(in, next_pack(&w));
	return true;
}
