/*
 * What happens next, as messages: timers of policies, and jobs that wait for a time. The room of timers says
 * what and when; here it is only put into words of the protocol.
 */
#include "orchestrator/job/schedule/schedule.h"

#include <stdlib.h>

#include "host/base/file.h"
#include "orchestrator/control/view/amiss.h"

struct view_next {
	struct pool *pool;
	struct engine *engine;
	const struct access_rights *rights;
	Control__NextItem **items;
	size_t n, max;
	size_t first_job; /* of ->items: those before it are timers */
};

/* By the time at which it may begin; what has none comes last. */
static int view_next_order(const void *a, const void *b)
{
	const Control__NextItem *x = *(Control__NextItem *const *)a;
	const Control__NextItem *y = *(Control__NextItem *const *)b;
	uint64_t at = (uint64_t)x->start_us - 1, other = (uint64_t)y->start_us - 1;

	return at < other ? -1 : at > other;
}

static Control__NextItem *view_next_new(struct view_next *visit, int64_t machine)
{
	Control__NextItem *view;
	const struct machine *its = machines_by_id(engine_machines(visit->engine), machine);

	if (!its || !view_sees(visit->rights, its)) {
		return NULL;
	}
	view = pool_zero(visit->pool, sizeof(*view));
	control__next_item__init(view);
	view->machine = pool_text(visit->pool, machine_row(its)->name);
	return view;
}

/* Jobs come in no order of time: where there is no room, the one that begins last gives way. */
static void view_next_add_job(struct view_next *visit, Control__NextItem *view)
{
	Control__NextItem **jobs = visit->items + visit->first_job;
	size_t n = visit->n - visit->first_job;
	size_t last = 0;

	if (n < visit->max) {
		visit->items[visit->n++] = view;
		return;
	}
	for (size_t i = 1; i < n; i++) {
		last = view_next_order(&jobs[i], &jobs[last]) > 0 ? i : last;
	}
	if (view_next_order(&view, &jobs[last]) < 0) {
		jobs[last] = view;
	}
}

static int view_next_timer(const struct schedule_next *next, void *arg)
{
	struct view_next *visit = arg;
	const struct timer_row *row = &next->row;
	Control__NextItem *view = view_next_new(visit, row->machine);

	if (view && visit->n < visit->max) {
		view->policy = pool_text(visit->pool, row->policy);
		view->version = (uint64_t)rules_version(engine_rules(visit->engine))->id;
		view->action = pool_text(visit->pool, decide_action_name(row->action));
		view->what = pool_text(visit->pool, next->what);
		view->start_us = next->start_us;
		view->due_us = row->due_us;
		view->why = pool_text(visit->pool, next->why);
		view->last_us = row->last_us;
		view->skipped = row->skipped;
		view->alarm = pool_text(visit->pool, row->alarm);
		view->alarm_us = row->alarm_us;
		visit->items[visit->n++] = view;
	}
	return 0;
}

/* Only those that wait for a time: what waits for its turn has none. */
static int view_next_job(const struct job_row *row, void *arg)
{
	struct view_next *visit = arg;
	Control__NextItem *view;

	if (row->state != JOB_SCHEDULED && row->state != JOB_HELD) {
		return 0;
	}
	view = view_next_new(visit, row->machine);
	if (view) {
		view->action = pool_text(visit->pool, job_kind_name(row->kind));
		view->what = pool_format(visit->pool, "job %lld, %s", (long long)row->id,
		        *row->service ? row->service : "the machine");
		view->start_us = row->wait_look_us < row->wait_until_us ? row->wait_look_us : 0;
		view->why = pool_text(visit->pool, row->wait_why);
		view->job = (uint64_t)row->id;
		view_next_add_job(visit, view);
	}
	return 0;
}

/* Rows that are looked at for somebody who may not see all of them: those of others must not take their places. */
#define VIEW_NEXT_LOOKED_AT 8192u

/* So many of each are gathered, since either may have the first ones. */
int view_next(struct pool *pool, struct engine *engine, const struct view_next_ask *ask,
        Control__NextItem ***ret_items, size_t *ret_n)
{
	struct view_next visit = {
	        .pool = pool,
	        .engine = engine,
	        .rights = ask->rights,
	        .items = pool_zero(pool, 2 * ask->max * sizeof(*visit.items)),
	        .max = ask->max,
	};
	size_t limit = view_sees(ask->rights, NULL) ? ask->max : VIEW_NEXT_LOOKED_AT;
	int r = schedule_each_next(
	        engine_schedule(engine), ask->machine, limit, view_next_timer, &visit);

	if (!r && ask->jobs) {
		visit.first_job = visit.n;
		r = store_job_each_open(engine_db(engine),
		        ask->machine ? machine_row(ask->machine)->id : 0, view_next_job, &visit);
		qsort(visit.items, visit.n, sizeof(visit.items[0]), view_next_order);
	}
	*ret_items = visit.items;
	*ret_n = visit.n < ask->max ? visit.n : ask->max;
	return err_up(r);
}

static int view_next_alarm(const struct timer_row *row, void *arg)
{
	struct amiss_list *list = arg;
	const struct machine *machine = machines_by_id(engine_machines(list->engine), row->machine);
	Control__Amiss *view;

	if (!machine) {
		return 0;
	}
	view = amiss_add(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, machine_row(machine)->name,
	        "%s (alarm of policy %s)", row->alarm, row->policy);
	view->machine = pool_text(list->pool, machine_row(machine)->name);
	view->since_us = row->alarm_us;
	view->remedy = "`luctl next` says why nothing was done";
	view->source = CONTROL__SOURCE__SOURCE_RECORD;
	return 0;
}

/* What is read from the record only; one that cannot be read is amiss by itself. */
void amiss_alarm(struct amiss_list *list)
{
	if (store_timer_alarms(engine_db(list->engine), view_next_alarm, list)) {
		err_forget();
	}
}
