/*
 * Reads a calendar expression: [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE], or a word
 * for one. Every part may be a list of values, ranges and repetitions. Which of the three comes first
 * shows only behind the first number, at `-`, `~` or `:`.
 *
 * The grammar and what it refuses are those of systemd, also where that seems odd ("Mon-Fri" is a
 * range, "*" takes no repetition, year 26 is 2026): who knows one knows the other, and both can be
 * compared. Only the words of a refusal are ours.
 */
#include "orchestrator/policy/calendar.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "host/base/file.h"
#include "orchestrator/policy/priv.h"

#define CALENDAR_TEXT_MAX 512u
#define CALENDAR_DATE_END 3 /* days before the shortest month's 31st that `~` may not reach */

/* Where the parser stands in its own copy of the text. */
struct calendar_parser {
	const char *text;
	const char *at;
	struct calendar *calendar;
	struct calendar_fault *fault;
};

/* Words for whole expressions; a zone may follow. */
static const struct {
	const char *word;
	const char *meaning;
} calendar_words[] = {
        {"minutely", "*-*-* *:*:00"},
        {"hourly", "*-*-* *:00:00"},
        {"daily", "*-*-* 00:00:00"},
        {"weekly", "Mon *-*-* 00:00:00"},
        {"monthly", "*-*-01 00:00:00"},
        {"quarterly", "*-01,04,07,10-01 00:00:00"},
        {"biannually", "*-01,07-01 00:00:00"},
        {"bi-annually", "*-01,07-01 00:00:00"},
        {"semiannually", "*-01,07-01 00:00:00"},
        {"semi-annually", "*-01,07-01 00:00:00"},
        {"yearly", "*-01-01 00:00:00"},
        {"annually", "*-01-01 00:00:00"},
        {"anually", "*-01-01 00:00:00"},
};

/* What a unit's values may be, in the order of enum calendar_unit. */
static const struct {
	int min, max;
	const char *cause;
} calendar_limits[_CALENDAR_UNIT_N] = {
        {CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX, "the year is not within 1970 to 2199"},
        {1, 12, "the month is not within 1 to 12"},
        {1, 31, "the day is not within 1 to 31 (from the end of the month: 1 to 28)"},
        {0, 23, "the hour is not within 0 to 23"},
        {0, 59, "the minute is not within 0 to 59"},
        {0, 60 * CALENDAR_USEC - 1, "the second is not within 0 to 59"},
};

static int calendar_refuse(struct calendar_parser *p, const char *cause)
{
	*p->fault = (struct calendar_fault){(size_t)(p->at - p->text), cause};
	return CALENDAR_E_INVALID;
}

static void calendar_skip_spaces(struct calendar_parser *p)
{
	p->at += strspn(p->at, " ");
}

/* Up to six digits behind a point, as microseconds; more digits are refused. */
static int calendar_fraction(struct calendar_parser *p, int *value)
{
	int unit = CALENDAR_USEC / 10;

	p->at++;
	if (!isdigit((unsigned char)*p->at)) {
		return calendar_refuse(p, "digits are missing behind the point");
	}
	for (; isdigit((unsigned char)*p->at); p->at++, unit /= 10) {
		if (!unit) {
			return calendar_refuse(p, "a fraction has at most six digits");
		}
		*value += (*p->at - '0') * unit;
	}
	return 0;
}

/* A whole number; of seconds one in microseconds, with a fraction. Two points are a range. */
static int calendar_number(struct calendar_parser *p, bool is_second, int *ret_value)
{
	int value = 0;

	if (!isdigit((unsigned char)*p->at)) {
		return calendar_refuse(p, "a number is expected");
	}
	for (; isdigit((unsigned char)*p->at); p->at++) {
		if (value > 9999) {
			return calendar_refuse(p, "the number is too large");
		}
		value = 10 * value + (*p->at - '0');
	}
	if (is_second) {
		if (value > INT_MAX / CALENDAR_USEC - 1) {
			return calendar_refuse(p, "the number is too large");
		}
		value *= CALENDAR_USEC;
		if (p->at[0] == '.' && p->at[1] != '.') {
			int r = calendar_fraction(p, &value);

			if (r != 0) {
				return r;
			}
		}
	}
	*ret_value = value;
	return 0;
}

/* NUMBER[..NUMBER][/NUMBER] */
static int calendar_part(struct calendar_parser *p, bool is_second, struct calendar_part *ret_part)
{
	struct calendar_part part = {0, -1, 0};
	int r = calendar_number(p, is_second, &part.start);

	if (r == 0 && p->at[0] == '.' && p->at[1] == '.') {
		p->at += 2;
		part.repeat = is_second ? CALENDAR_USEC : 1;
		r = calendar_number(p, is_second, &part.stop);
	}
	if (r != 0) {
		return r;
	}
	if (*p->at == '/') {
		p->at++;
		r = calendar_number(p, is_second, &part.repeat);
		if (r == 0 && part.repeat == 0) {
			return calendar_refuse(p, "a repetition is every 1 or more");
		}
	} else if (r == 0 && is_second && part.stop >= 0 && part.stop - part.start < part.repeat) {
		return calendar_refuse(p, "a range of seconds is at least one second long");
	}
	if (r == 0 && !strchr(" ,-~:", *p->at)) {
		return calendar_refuse(p, "a list goes on with a comma, a range with two points");
	}
	*ret_part = part;
	return r;
}

/* A star, or parts with commas between; the field is written as it is read. */
static int calendar_field(struct calendar_parser *p, bool is_second, struct calendar_field *field)
{
	field->n = 0;
	if (*p->at == '*') {
		p->at++;
		if (is_second) {
			field->parts[field->n++] = (struct calendar_part){0, -1, CALENDAR_USEC};
		}
		return 0;
	}
	for (;;) {
		int r;

		if (field->n == CALENDAR_PARTS_MAX) {
			return calendar_refuse(p, "the list has more than 64 members");
		}
		r = calendar_part(p, is_second, &field->parts[field->n]);
		if (r != 0) {
			return r;
		}
		field->n++;
		if (*p->at != ',') {
			return 0;
		}
		p->at++;
	}
}

/* 0 to 6 and the length of the name; -1: no weekday stands here. Long names go first. */
static int calendar_weekday(const char *at, size_t *ret_len)
{
	static const char *const names[] = {
	        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

	for (int i = 0; i < 7; i++) {
		size_t len = strlen(names[i]);

		if (!strncasecmp(at, names[i], len)) {
			*ret_len = len;
			return i;
		}
		if (!strncasecmp(at, names[i], 3)) {
			*ret_len = 3;
			return i;
		}
	}
	return -1;
}

/* What stands between two weekdays; *range is the day that a range begins with, or -1. */
static int calendar_weekday_join(struct calendar_parser *p, int day, int *range)
{
	bool is_open = *range >= 0;

	*range = -1;
	if (*p->at == ',') {
		p->at++;
		return 0;
	}
	if (is_open || (*p->at == '.' && p->at[1] != '.')) {
		return calendar_refuse(p, "a range of weekdays has two ends: Mon..Fri");
	}
	*range = day;
	p->at += *p->at == '.' ? strspn(p->at, ".") : 1;
	return 0;
}

/* Nothing is read when there is no weekday. A comma may stand behind the last one. */
static int calendar_weekdays(struct calendar_parser *p)
{
	size_t len;
	int range = -1;

	for (bool first = true;; first = false) {
		int day = calendar_weekday(p->at, &len);
		int r;

		if (day < 0) {
			return first ? 0 : calendar_refuse(p, "a weekday is expected");
		}
		if (!strchr("-., ", p->at[len])) {
			return calendar_refuse(p, "not the name of a weekday");
		}
		if (range > day) {
			return calendar_refuse(p, "a range of weekdays goes from Monday to Sunday");
		}
		for (int i = range >= 0 ? range : day; i <= day; i++) {
			p->calendar->weekdays |= 1u << i;
		}
		p->at += len;
		if (*p->at == '\0' || *p->at == ' ') {
			calendar_skip_spaces(p);
			return 0;
		}
		r = calendar_weekday_join(p, day, &range);
		if (r != 0) {
			return r;
		}
		if (*p->at == '\0' || *p->at == ' ') {
			calendar_skip_spaces(p);
			return range < 0 ? 0 : calendar_refuse(p, "a weekday is expected");
		}
	}
}

static int calendar_date_end(struct calendar_parser *p)
{
	if (*p->at != '\0' && *p->at != ' ') {
		return calendar_refuse(p, "a date is YEAR-MONTH-DAY or MONTH-DAY");
	}
	calendar_skip_spaces(p);
	return 0;
}

/*
 * A date goes on with `-`, or with `~` before days that are counted from the end. What turns out to
 * be a time is left for calendar_time().
 */
static int calendar_date(struct calendar_parser *p)
{
	struct calendar *c = p->calendar;
	struct calendar_field *fields = c->fields;
	const char *start = p->at;
	int r;

	if (*p->at == '\0') {
		return 0;
	}
	r = calendar_field(p, false, &fields[CALENDAR_YEAR]);
	if (r == 0 && (*p->at == ':' || *p->at == '\0')) {
		fields[CALENDAR_YEAR].n = 0;
		p->at = start;
		return 0;
	}
	for (int unit = CALENDAR_MONTH; r == 0 && unit <= CALENDAR_DAY; unit++) {
		if (*p->at != '-' && *p->at != '~') {
			break;
		}
		c->from_end = *p->at++ == '~';
		r = calendar_field(p, false, &fields[unit]);
		if (r == 0 && unit == CALENDAR_MONTH && (*p->at == '\0' || *p->at == ' ')) {
			fields[CALENDAR_DAY] = fields[CALENDAR_MONTH];
			fields[CALENDAR_MONTH] = fields[CALENDAR_YEAR];
			fields[CALENDAR_YEAR].n = 0;
			return calendar_date_end(p);
		}
		if (r == 0 && unit == CALENDAR_MONTH && c->from_end) {
			return calendar_refuse(p, "`~` stands before days only");
		}
		if (r == 0 && unit == CALENDAR_DAY) {
			return calendar_date_end(p);
		}
	}
	return r != 0 ? r : calendar_refuse(p, "a date is YEAR-MONTH-DAY or MONTH-DAY");
}

/* Midnight when there is none, second 0 when that is not said. */
static int calendar_time(struct calendar_parser *p)
{
	struct calendar_field *fields = p->calendar->fields;
	int r = 0;

	for (int unit = CALENDAR_HOUR; unit < _CALENDAR_UNIT_N; unit++) {
		fields[unit] = (struct calendar_field){1, {{0, -1, 0}}};
	}
	for (int unit = CALENDAR_HOUR; r == 0 && *p->at && unit < _CALENDAR_UNIT_N; unit++) {
		if (unit > CALENDAR_HOUR && *p->at++ != ':') {
			p->at--;
			return calendar_refuse(p, "a time is HOUR:MINUTE or HOUR:MINUTE:SECOND");
		}
		r = calendar_field(p, unit == CALENDAR_SECOND, &fields[unit]);
		if (r == 0 && unit == CALENDAR_HOUR && *p->at != ':') {
			return calendar_refuse(p, "a time is HOUR:MINUTE or HOUR:MINUTE:SECOND");
		}
	}
	return r == 0 && *p->at ? calendar_refuse(p, "nothing may follow but a time zone") : r;
}

/* Years of two digits, from 1970 to 2069. */
static int calendar_year(int year)
{
	if (year < 0 || year > 99) {
		return year;
	}
	return year < 70 ? year + 2000 : year + 1900;
}

/*
 * Can every part occur, and repeat at least once? A stop that is not hit is moved down to the last
 * value that is: days from the end of a month are counted from it. (systemd 252 takes three days off
 * the limit of `~` again for every member of a list, and refuses `~7,26`; that is not done here.)
 */
static bool calendar_field_ok(struct calendar_field *field, int min, int max, bool from_end)
{
	max -= from_end ? CALENDAR_DATE_END : 0;
	for (size_t i = 0; i < field->n; i++) {
		struct calendar_part *part = &field->parts[i];

		if (part->stop > part->start) {
			part->stop -= (part->stop - part->start) % part->repeat;
		}
		if (part->stop == part->start) {
			*part = (struct calendar_part){part->start, -1, 0};
		}
		if (part->start < min || part->start > max || part->repeat > max - min) {
			return false;
		}
		if (part->stop >= 0 &&
		        (part->stop > max || part->start + part->repeat > part->stop)) {
			return false;
		}
		if (part->stop < 0 && from_end && part->start - part->repeat < min) {
			return false;
		}
		if (part->stop < 0 && !from_end && part->start + part->repeat > max) {
			return false;
		}
	}
	return true;
}

static int calendar_finish(struct calendar_parser *p)
{
	struct calendar *c = p->calendar;
	struct calendar_field *years = &c->fields[CALENDAR_YEAR];

	c->weekdays = c->weekdays ? c->weekdays : CALENDAR_ALL_DAYS;
	for (size_t i = 0; i < years->n; i++) {
		years->parts[i].start = calendar_year(years->parts[i].start);
		years->parts[i].stop = calendar_year(years->parts[i].stop);
	}
	for (int unit = 0; unit < _CALENDAR_UNIT_N; unit++) {
		bool from_end = unit == CALENDAR_DAY && c->from_end;

		if (!calendar_field_ok(&c->fields[unit], calendar_limits[unit].min,
		            calendar_limits[unit].max, from_end)) {
			p->at = p->text;
			return calendar_refuse(p, calendar_limits[unit].cause);
		}
	}
	return 0;
}

/* Cut the zone off the end of the text, where the last word is one; returns whether it is. */
static bool calendar_cut_zone(struct calendar *calendar, char *text)
{
	char *space = strrchr(text, ' ');
	const char *name = space ? space + 1 : "";

	if (zone_open(strcasecmp(name, "utc") ? name : "UTC", &calendar->zone) != 0) {
		return false;
	}
	*space = '\0';
	return true;
}

static int calendar_read(struct calendar_parser *p)
{
	int r;

	for (size_t i = 0; i < sizeof(calendar_words) / sizeof(calendar_words[0]); i++) {
		if (!strcasecmp(p->text, calendar_words[i].word)) {
			p->text = p->at = calendar_words[i].meaning;
		}
	}
	if (!*p->at) {
		return calendar_refuse(p, "the expression is empty");
	}
	r = calendar_weekdays(p);
	r = r == 0 ? calendar_date(p) : r;
	r = r == 0 ? calendar_time(p) : r;
	return r == 0 ? calendar_finish(p) : r;
}

/* Would the text be an expression without its last word? Then that was meant for a zone. */
static bool calendar_is_wrong_zone(const char *text, size_t *ret_at)
{
	_cleanup_(calendar_freep) struct calendar *calendar = mem_zero(sizeof(*calendar));
	_cleanup_(freep) char *copy = text_copy(text);
	char *space = strrchr(copy, ' ');
	struct calendar_fault fault;
	struct calendar_parser p = {copy, copy, calendar, &fault};

	if (!space || !isalpha((unsigned char)space[1])) {
		return false;
	}
	*space = '\0';
	*ret_at = (size_t)(space + 1 - copy);
	return calendar_read(&p) == 0;
}

int calendar_parse(
        const char *text, struct calendar **ret_calendar, struct calendar_fault *ret_fault)
{
	_cleanup_(calendar_freep) struct calendar *calendar = mem_zero(sizeof(*calendar));
	_cleanup_(freep) char *copy = text_copy(text);
	struct calendar_parser p = {copy, copy, calendar, ret_fault};
	bool has_zone;
	int r;

	if (strlen(text) > CALENDAR_TEXT_MAX) {
		return calendar_refuse(&p, "the expression is longer than 512 bytes");
	}
	has_zone = calendar_cut_zone(calendar, copy);
	r = calendar_read(&p);
	if (r != 0 && !has_zone && calendar_is_wrong_zone(text, &ret_fault->at)) {
		ret_fault->cause = "there is no such time zone on this host";
	}
	if (r == 0) {
		*ret_calendar = steal(&calendar);
	}
	return r;
}

struct calendar *calendar_free(struct calendar *calendar)
{
	if (calendar) {
		zone_free(calendar->zone);
		free(calendar);
	}
	return NULL;
}

const struct zone *calendar_zone(const struct calendar *calendar)
{
	return calendar->zone;
}
