#pragma once
/*
 * What policies do on machines by themselves: fresh layouts at their times and after events, updates when
 * there are new releases, alarms. A timer of each machine, policy and action is in the record, and one
 * timer of the event loop waits for the first of them.
 */
#include "orchestrator/job/core/core.h"
#include "orchestrator/policy/section.h"
#include "orchestrator/store/timers.h"

struct schedule;

/* Begins when the machines are loaded. Freed before the engine. */
struct schedule *schedule_new(struct engine *engine);
struct schedule *schedule_free(struct schedule *schedule);

/*
 * Policies, or what they match the machine by, are others now, or the machine came up, or somebody gave it a
 * standing order: timers and standing order are made to agree with the policies.
 */
void schedule_machine(struct schedule *schedule, struct machine *machine);
/* Something befell a machine that policies may want fresh layouts after; `what`: a few words for people. */
void schedule_event(struct schedule *schedule, struct machine *machine,
        enum section_trigger trigger, const char *what);
/* Releases were added, blocked or cleared: whoever updates by a policy looks at them. */
void schedule_releases(struct schedule *schedule);
/* A job has left its place of a fleet's limits, or these may be others: timers that wait for one are looked at. */
void schedule_place_free(struct schedule *schedule);

/* What happens next on a machine by a policy. */
struct schedule_next {
	struct timer_row row;
	int64_t start_us; /* when it may begin, windows included; 0: nobody knows, or nothing is due */
	char what[200]; /* in words */
	char why[200];  /* why not earlier; "": nothing keeps it */
};
typedef int (*schedule_next_fn)(const struct schedule_next *next, void *arg);
/* Of one machine; of all (NULL), those first whose time comes first, at most `limit`. */
int __must_check schedule_each_next(struct schedule *schedule, struct machine *machine,
        size_t limit, schedule_next_fn fn, void *arg);
