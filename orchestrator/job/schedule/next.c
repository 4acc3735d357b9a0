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

/* Nothing is said where there is nothing to do, and nothing to be done that a block keeps. */
static void next_update(const struct schedule_at *at, struct schedule_next *next)
{
	struct section_update says;

	if (!section_update(at->policy, &says) || says.mode == SECTION_NONE) {
		return;
	}
	snprintf(next->why, sizeof(next->why), "%s", at->row.why);
	if (!*at->row.found) {
		snprintf(next->what, sizeof(next->what), "%s", *next->why ? "no update" : "");
		return;
	}
	snprintf(next->what, sizeof(next->what), "%s: %.160s",
	        says.mode == SECTION_CHECK   ? "there is an update"
	        : says.mode == SECTION_APPLY ? "an update"
	        : at->row.due_us             ? "an update to stage"
	                                     : "an update was staged",
	        at->row.found);
	if (at->row.due_us) {
		next_window(at, says.limit_us, next);
	}
}

/* A list of them, on its way to whoever asked, in pages of rows: many of them may have nothing to tell. */
struct next_visit {
	struct schedule *schedule;
	size_t limit, n; /* that are told */
	schedule_next_fn fn;
	void *arg;
	int64_t look_us, id; /* of the last row */
	int64_t n_rows;      /* of this page */
};
#define NEXT_PAGE INT64_C(64)

/* A row that nothing comes of any more is left out. */
static int next_visit_row(const struct timer_row *row, void *arg)
{
	struct next_visit *visit = arg;
	struct schedule_next next = {.row = *row};
	struct schedule_at at = {
	        .schedule = visit->schedule,
	        .machine = machines_by_id(engine_machines(visit->schedule->engine), row->machine),
	        .policy = schedule_policy(visit->schedule, row->policy),
	        .row = *row,
	        .now = store_now_usec(),
	};

	visit->look_us = row->look_us;
	visit->id = row->id;
	visit->n_rows++;
	if (visit->n == visit->limit || !at.machine || !at.policy) {
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
	visit->n++;
	return visit->fn(&next, visit->arg);
}

/* Those that are looked at at a time of their own come first; what waits for a person or a machine has none. */
static int next_page(struct next_visit *visit, bool idle)
{
	struct db *db = engine_db(visit->schedule->engine);

	visit->n_rows = 0;
	return err_up(idle ? store_timer_idle(db, visit->id, NEXT_PAGE, next_visit_row, visit)
	                   : store_timer_list(db, visit->look_us, visit->id, NEXT_PAGE,
	                             next_visit_row, visit));
}

static int next_pages(struct next_visit *visit, bool idle)
{
	int r;

	visit->look_us = visit->id = 0;
	do {
		r = next_page(visit, idle);
	} while (!r && visit->n_rows == NEXT_PAGE && visit->n < visit->limit);
	return err_up(r);
}

int schedule_each_next(struct schedule *schedule, struct machine *machine, size_t limit,
        schedule_next_fn fn, void *arg)
{
	struct next_visit visit = {.schedule = schedule, .limit = limit, .fn = fn, .arg = arg};
	int r;

	if (machine) {
		return err_up(store_timer_each(engine_db(schedule->engine),
		        machine_row(machine)->id, next_visit_row, &visit));
	}
	r = next_pages(&visit, false);
	return err_up(r ? r : next_pages(&visit, true));
}
