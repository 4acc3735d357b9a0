/*
 * What happens next, for people: a row with the time at which it may begin, windows included, and the reason
 * why it is not earlier. Nothing is changed, and nothing is decided here.
 */
#include <inttypes.h>

#include "host/base/file.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/schedule/priv.h"

/* Where a limit does not fit, or no window is open, at the time that is due, the first instant at which it does. */
static void next_window(const struct schedule_at *at, int64_t limit_us, struct schedule_next *next)
{
	size_t n;
	const struct policy *const *policies =
	        rules_policies(engine_rules(at->schedule->engine), &n);
	struct decide_subject subject = schedule_subject(at->machine, "");
	int64_t from = at->row.due_us > at->now ? at->row.due_us : at->now;
	struct decision decision;

	decide_windows(policies, n, &subject, at->row.action, limit_us, from, &decision);
	next->start_us = decision.next == DECIDE_NEVER ? 0 : decision.next;
	if (decision.verdict == DECIDE_DENIED && !*next->why) {
		snprintf(next->why, sizeof(next->why), "%s (policy %s)", decision.why,
		        decision.by ? policy_name(decision.by) : "-");
	}
}

void rerandomize_next(const struct schedule_at *at, struct schedule_next *next)
{
	struct section_rerandomize says;
	struct standing_row standing;
	int64_t every;

	if (!section_rerandomize(at->policy, &says)) {
		return;
	}
	every = says.every_us / 1000000;
	snprintf(next->why, sizeof(next->why), "%s", at->row.why);
	if (at->row.due_us) {
		snprintf(next->what, sizeof(next->what), "fresh layouts: %s",
		        *at->row.event ? at->row.event : "it is time");
		next_window(at, says.limit_us, next);
		return;
	}
	snprintf(next->what, sizeof(next->what),
	        "fresh layouts every %" PRId64 " s, by the machine itself", every);
	if (store_standing_find(engine_db(at->schedule->engine), at->row.machine, &standing)) {
		err_forget();
		return;
	}
	if (standing.wanted && strcmp(standing.policy, at->row.policy) != 0) {
		snprintf(next->why, sizeof(next->why), "the machine has the standing order of %s",
		        standing.identity);
	}
}

/* Nothing is said where there is nothing to do. */
static void next_update(const struct schedule_at *at, struct schedule_next *next)
{
	struct section_update says;

	if (!section_update(at->policy, &says) || !*at->row.found) {
		return;
	}
	snprintf(next->what, sizeof(next->what), "%s: %.160s",
	        says.mode == SECTION_CHECK   ? "there is an update"
	        : says.mode == SECTION_APPLY ? "an update"
	        : at->row.due_us             ? "an update to stage"
	                                     : "an update was staged",
	        at->row.found);
	snprintf(next->why, sizeof(next->why), "%s", at->row.why);
	if (at->row.due_us) {
		next_window(at, says.limit_us, next);
	}
}

/* A list of them, on its way to whoever asked. */
struct next_visit {
	struct schedule *schedule;
	schedule_next_fn fn;
	void *arg;
};

/* A row that nothing comes of any more is left out. */
static int next_visit_row(const struct timer_row *row, void *arg)
{
	const struct next_visit *visit = arg;
	struct schedule_next next = {.row = *row};
	struct schedule_at at = {
	        .schedule = visit->schedule,
	        .machine = machines_by_id(engine_machines(visit->schedule->engine), row->machine),
	        .policy = schedule_policy(visit->schedule, row->policy),
	        .row = *row,
	        .now = store_now_usec(),
	};

	if (!at.machine || !at.policy) {
		return 0;
	}
	if (row->action == DECIDE_UPDATE) {
		next_update(&at, &next);
	} else {
		rerandomize_next(&at, &next);
	}
	if (!*next.what) {
		return 0;
	}
	return visit->fn(&next, visit->arg);
}

int schedule_each_next(struct schedule *schedule, struct machine *machine, size_t limit,
        schedule_next_fn fn, void *arg)
{
	struct next_visit visit = {schedule, fn, arg};

	if (machine) {
		return err_up(store_timer_each(engine_db(schedule->engine),
		        machine_row(machine)->id, next_visit_row, &visit));
	}
	return err_up(store_timer_list(
	        engine_db(schedule->engine), 0, 0, (int64_t)limit, next_visit_row, &visit));
}
