#pragma once
/*
 * Time zones by name ("Europe/Berlin", "UTC"), from the host's zone files through GLib. What a clock
 * on the wall of that zone shows is a number here, too: microseconds since 1970-01-01 00:00 on that
 * clock, as if every day had 24 hours.
 */
#include <stdint.h>

#include "host/base/cleanup.h"

struct zone;

enum zone_outcome {
	ZONE_E_UNKNOWN = 1, /* there is no such zone on this host */
};

/* 0; ZONE_E_UNKNOWN. The caller frees *ret_zone. */
int __must_check zone_open(const char *name, struct zone **ret_zone);
struct zone *zone_free(struct zone *zone);
static inline void zone_freep(struct zone **zone)
{
	*zone = zone_free(*zone);
}

/* As it was opened. */
const char *zone_name(const struct zone *zone);
/* What the clock shows at an instant. */
int64_t zone_wall(const struct zone *zone, int64_t usec);
/*
 * The first instant at which the clock shows the time; when it skips that time, the instant at which
 * it does so.
 */
int64_t zone_instant(const struct zone *zone, int64_t wall_usec);
/*
 * The first time that the clock shows after the instant and has not shown up to it: while an hour is
 * shown for the second time, the end of that hour.
 */
int64_t zone_wall_next(const struct zone *zone, int64_t usec);
