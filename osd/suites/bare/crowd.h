#pragma once
/*
 * A crowd: hundreds of processes that each wait for the same one, to see what becomes of all of them.
 * They have a stack, and share all else with the driver, whose data they can read. All are programs
 * (SLOT_PROGRAM), made and ended together; their memory is taken from the bare VM once, and kept.
 */
#include "osd/suites/bare/child.h"

#define CROWD_MAX 240u

/* What a member of the crowd is to do once, waiting for `target`. Its result is its exit code. */
enum crowd_kind {
	CROWD_SENDREC,
	CROWD_ASK,     /* the same, and when that one is dead whether it is */
	CROWD_RECEIVE, /* from the target */
	CROWD_COPY,    /* from a grant of the target's that there is not */
	CROWD_FOREIGN, /* system call 0, of a personality that leads to the target; it does not exit */
	CROWD_N
};

struct crowd {
	uint32_t n;
	enum crowd_kind kind;
	endpoint_t target;
	uint32_t personality; /* CROWD_FOREIGN: set already */
	uint32_t priority;
};

/* Make them and let them go. One crowd at a time. */
void crowd_begin(const struct crowd *crowd);
/* How many are in this state now? */
uint32_t crowd_count(uint32_t state);
/* Wait until so many are. */
bool crowd_becomes(uint32_t state, uint32_t n);
endpoint_t crowd_endpoint(uint32_t i);
/*
 * Take their events until so many have one (a while; false: they have not). The results are those of
 * crowd_results(): how many ended, or faulted, with this code; or with a second event.
 */
bool crowd_events(uint32_t n);
uint32_t crowd_results(err_t result);
uint32_t crowd_events_twice(void);
void crowd_end(void);
