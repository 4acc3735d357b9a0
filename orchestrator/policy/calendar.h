#pragma once
/*
 * Calendar expressions in the grammar of systemd.time(7): "Mon..Fri 02:00", "*-*~01 03:30",
 * "*:0/5 Europe/Berlin". Each names the instants at which it elapses; a window opens then.
 *
 * Two things are other than in systemd, where a clock is set (zone.h): a time that the clock skips
 * elapses at that instant and is not left out, and one that it shows twice elapses at the first.
 * `@UNIX` is not taken, and the zone of the host has no meaning.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/cleanup.h"
#include "orchestrator/policy/zone.h"

struct calendar;

enum calendar_outcome {
	CALENDAR_E_INVALID = 1,
};

/* What is wrong with an expression: at which byte of it, counted from 0, and a static sentence. */
struct calendar_fault {
	size_t at;
	const char *cause;
};

/*
 * 0, or CALENDAR_E_INVALID and *ret_fault. An expression that can never elapse ("*-02-30") is valid.
 * The caller frees *ret_calendar.
 */
int __must_check calendar_parse(
        const char *text, struct calendar **ret_calendar, struct calendar_fault *ret_fault);
struct calendar *calendar_free(struct calendar *calendar);
static inline void calendar_freep(struct calendar **calendar)
{
	*calendar = calendar_free(*calendar);
}

/* The zone that stands behind the expression; NULL: none does. */
const struct zone *calendar_zone(const struct calendar *calendar);
/*
 * The first instant after `after` (microseconds since 1970) at which the expression elapses, in its
 * own zone, else in `zone`. False: never again, or not before the year 2200.
 */
bool __must_check calendar_next(
        const struct calendar *calendar, const struct zone *zone, int64_t after, int64_t *ret_usec);
