#pragma once
/* Inside policy: a parsed calendar expression, shared by its parser and its search. */
#include "orchestrator/policy/calendar.h"

/* A list of all minutes has 60 members. */
#define CALENDAR_PARTS_MAX 64u
#define CALENDAR_USEC 1000000
#define CALENDAR_YEAR_MIN 1970
#define CALENDAR_YEAR_MAX 2199
#define CALENDAR_ALL_DAYS 0x7fu

/* From the year down, which is the order of the search. */
enum calendar_unit {
	CALENDAR_YEAR,
	CALENDAR_MONTH,
	CALENDAR_DAY,
	CALENDAR_HOUR,
	CALENDAR_MINUTE,
	CALENDAR_SECOND, /* in microseconds, since seconds have fractions */
	_CALENDAR_UNIT_N,
};

/* start, start + repeat, ... up to stop; -1: no stop, which is a single value unless it repeats. */
struct calendar_part {
	int start;
	int stop;
	int repeat; /* 0: does not */
};

/* The values of a unit; without parts any value. */
struct calendar_field {
	size_t n;
	struct calendar_part parts[CALENDAR_PARTS_MAX];
};

struct calendar {
	struct calendar_field fields[_CALENDAR_UNIT_N];
	unsigned int weekdays; /* bit 0 is Monday */
	bool from_end;         /* days are counted from the end of the month, 1 is the last */
	struct zone *zone;     /* NULL: not said */
};
