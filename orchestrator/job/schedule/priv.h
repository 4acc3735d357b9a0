#pragma once
/* Inside schedule: one timer while it is looked at. */
#include <string.h>

#include "orchestrator/job/core/job.h"
#include "orchestrator/job/schedule/schedule.h"

/* As many services as a machine has that can be updated. */
#define SCHEDULE_SERVICES_MAX 64u
/* How often is looked what only memory says: an alarm that is on, a standing order on its way. */
#define SCHEDULE_LOOK_USEC INT64_C(1000000)

/* place.c */
TAILQ_HEAD(schedule_places, schedule_place);

struct schedule {
	struct engine *engine;
	struct event *timer;
	struct engine_watch *watch;
	int n_looks; /* not by the timer, since it came last */
	/* For a place of a fleet's limits: those that wait for one, and those that are looked at since one came free. */
	struct schedule_places waiting, woken;
};

/* All borrowed but the row, which is written when the look is over. */
struct schedule_at {
	struct schedule *schedule;
	struct machine *machine;
	const struct policy *policy;
	struct timer_row row;
	int64_t now;
	int64_t before_us;   /* when the round before this one was; 0: there was none */
	int64_t was_look_us; /* when it was to be looked at */
	const char *
	        for_place; /* see place_add(); NULL: nothing of it waits for a place of a fleet's limits */
};

struct schedule_services {
	const Machine__Service *list[SCHEDULE_SERVICES_MAX];
	size_t n;
};

/* schedule.c */
struct decide_subject schedule_subject(const struct machine *machine, const char *service);
enum policy_row schedule_section(enum decide_action action);
/* The policy of a name among those that count; NULL: none is called so. */
const struct policy *schedule_policy(const struct schedule *schedule, const char *name);
/* The services of a machine that can be updated, and for which this policy decides. */
void schedule_services(const struct schedule *schedule, const struct machine *machine,
        const struct policy *policy, enum decide_action action, struct schedule_services *ret);
/* Of the services those are left that no gate holds. The first gate that is shut, if all are: is_open else. */
struct rules_gate schedule_gate(
        struct schedule_at *at, int64_t limit_us, struct schedule_services *services);
/* The loop's timer comes after so long. */
void schedule_in(struct schedule *schedule, int64_t usec);
/* Part of `jitter`, always the same one for a machine and a policy. */
int64_t schedule_part(const struct machine *machine, const char *policy, int64_t jitter_us);
/* Looked at again at a time, unless an earlier one is known; 0: no time is known. */
void schedule_look_at(struct timer_row *row, int64_t look_us);
/* Who asks for what a timer wants, for this round; its texts are the caller's. */
struct job_asked;
void schedule_asked(const struct schedule_at *at, char request_id[64], struct job_asked *ret);
/* Which round of this timer asked for a job of a policy, or for the set that it is of; 0: none did. */
uint64_t schedule_round_of(const struct schedule_at *at, const struct job_row *job);
/*
 * Its time has come: the round is recorded before any of its jobs is asked for, by `ask`, and is over when all
 * are. A lud that ends between the two asks again when it is back, for the same request. False: the record could not
 * be written.
 */
bool schedule_round(struct schedule_at *at, void (*ask)(struct schedule_at *at));
/* Asks for one job of a round. One that cannot be had leaves the others alone, and is told. */
struct job_order;
void schedule_plan(struct schedule_at *at, const struct job_order *order);
/* The same of a set of services; puts its members into their order. */
struct job_set_order;
void schedule_plan_set(struct schedule_at *at, struct job_set_order *set);
/* Goes on or off, which is logged when it is news. */
void schedule_alarm(struct schedule_at *at, bool is_on, const char *text);

/* place.c: something of the timer waits for a place of this policy; so it waits, and when it is looked at all the same */
void place_add(struct schedule_at *at, const char *policy);
int64_t place_wait(const struct schedule_at *at);
/* The next one to look at since a place came free; false: there is none. */
bool place_next(struct schedule *schedule, struct timer_row *ret_row);
void places_fini(struct schedule *schedule);
/* rerandomize.c */
void rerandomize_look(struct schedule_at *at);
void rerandomize_next(const struct schedule_at *at, struct schedule_next *next);
/* update.c */
void update_look(struct schedule_at *at);
/* standing.c: a policy's standing order is given, taken away, or left as it is; when to look again, 0: no time is known. */
int64_t schedule_standing(struct schedule *schedule, struct machine *machine);
