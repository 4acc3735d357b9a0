/*
 * What happens next, as messages: timers of policies, and jobs that wait for a time. The room of timers says
 * what and when; here it is only put into words of the protocol.
 */
#include "orchestrator/job/schedule/schedule.h"

#include "host/base/file.h"
#include "orchestrator/control/view/amiss.h"

struct view_next {
	struct pool *pool;
	struct engine *engine;
	Control__NextItem **items;
	size_t n, max;
};

static Control__NextItem *view_next_item(struct view_next *visit, int64_t machine)
{
	Control__NextItem *view;
	const struct machine *its;

	its = machines_by_id(engine_machines(visit->engine), machine);
	if (visit->n == visit->max || !its) {
		return NULL;
	}
	view = pool_zero(visit->pool, sizeof(*view));
	control__next_item__init(view);
	view->machine = pool_text(visit->pool, machine_row(its)->name);
	visit->items[visit->n++] = view;
	return view;
}

static int view_next_timer(const struct schedule_next *next, void *arg)
{
	struct view_next *visit = arg;
	const struct timer_row *row = &next->row;
	Control__NextItem *view = view_next_item(visit, row->machine);

	if (view) {
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
	view = view_next_item(visit, row->machine);
	if (view) {
		view->action = pool_text(visit->pool, job_kind_name(row->kind));
		view->what = pool_format(visit->pool, "job %lld, %s", (long long)row->id,
		        *row->service ? row->service : "the machine");
		view->start_us = row->wait_look_us < row->wait_until_us ? row->wait_look_us : 0;
		view->why = pool_text(visit->pool, row->wait_why);
		view->job = (uint64_t)row->id;
	}
	return 0;
}

int view_next(struct pool *pool, struct engine *engine, struct machine *machine, bool jobs,
        size_t max, Control__NextItem ***ret_items, size_t *ret_n)
{
	struct view_next visit = {
	        .pool = pool,
	        .engine = engine,
	        .items = pool_zero(pool, max * sizeof(*visit.items)),
	        .max = max,
	};
	int r = schedule_each_next(engine_schedule(engine), machine, max, view_next_timer, &visit);

	if (!r && jobs) {
		r = store_job_each_open(engine_db(engine), machine ? machine_row(machine)->id : 0,
		        view_next_job, &visit);
	}
	*ret_items = visit.items;
	*ret_n = visit.n;
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
