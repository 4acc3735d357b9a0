/*
 * The open jobs, found by what is asked for: by its id, and those of a machine. Nearly every question about jobs is about those
 * of one machine, so each machine has a list of its own, which is there as long as it has any; and a job by its id is a few steps
 * in a sorted array, however many there are. All jobs, oldest first, are walked where something happens to all of them: policies
 * are others, the clock was set, the record can be written again.
 *
 * A machine that jobs are at work on is in a list, too. Whatever may change that says so (work_changed()), and the jobs of that
 * one machine are looked at before anybody asks next, or in the next turn of the loop: what follows is told once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"

struct machine_work {
	struct engine *engine;
	struct machine *machine;
	TAILQ_HEAD(, job) jobs; /* oldest first */
	LIST_ENTRY(machine_work) changed, at_work;
	bool is_changed, is_at_work;
};

static const struct timeval work_now = {0, 0};

void works_init(struct engine *engine)
{
	struct works *works = &engine->works;

	LIST_INIT(&works->changed);
	LIST_INIT(&works->at_work);
	LIST_INIT(&works->places);
	works->timer = evtimer_new(engine->parts.base, place_on_timer, engine);
	if (!works->timer) {
		abort();
	}
}

void works_fini(struct engine *engine)
{
	assert(!engine->works.n);
	event_free(engine->works.timer);
	free(engine->works.by_id);
}

/* How many of all jobs have a smaller id. */
static size_t work_rank(const struct engine *engine, int64_t id)
{
	size_t from = 0, until = engine->works.n;

	while (from < until) {
		size_t middle = (from + until) / 2;

		if (engine->works.by_id[middle]->row.id < id) {
			from = middle + 1;
		} else {
			until = middle;
		}
	}
	return from;
}

static void work_index(struct engine *engine, struct job *job)
{
	size_t at = work_rank(engine, job->row.id);

	if (engine->works.n == engine->works.room) {
		engine->works.room = engine->works.room ? 2 * engine->works.room : 16;
		engine->works.by_id = realloc(
		        engine->works.by_id, engine->works.room * sizeof(*engine->works.by_id));
		if (!engine->works.by_id) {
			abort();
		}
	}
	memmove(engine->works.by_id + at + 1, engine->works.by_id + at,
	        (engine->works.n++ - at) * sizeof(*engine->works.by_id));
	engine->works.by_id[at] = job;
}

static bool work_has_job(const struct machine_work *work)
{
	const struct job *job;

	TAILQ_FOREACH(job, &work->jobs, of_machine)
	{
		if (job_is_at_work(job)) {
			return true;
		}
	}
	return false;
}

/* A job that waits for a place may go on at once where its machine has one. */
static void work_begins(struct machine_work *work)
{
	const struct job *job;

	LIST_INSERT_HEAD(&work->engine->works.at_work, work, at_work);
	TAILQ_FOREACH(job, &work->jobs, of_machine)
	{
		if (job->place) {
			evtimer_add(job->look, &work_now);
		}
	}
}

static void work_look(struct machine_work *work)
{
	bool is_at_work = work_has_job(work);

	if (work->is_changed) {
		LIST_REMOVE(work, changed);
		work->is_changed = false;
	}
	if (is_at_work == work->is_at_work) {
		return;
	}
	work->is_at_work = is_at_work;
	rules_at_work(work->engine->rules, machine_row(work->machine), is_at_work);
	if (is_at_work) {
		work_begins(work);
	} else {
		LIST_REMOVE(work, at_work);
		places_free(work->engine);
	}
}

void works_settle(struct engine *engine)
{
	while (!LIST_EMPTY(&engine->works.changed)) {
		work_look(LIST_FIRST(&engine->works.changed));
	}
}

void work_changed(struct job *job)
{
	struct machine_work *work = machine_work(job->machine);

	if (!work->is_changed) {
		work->is_changed = true;
		LIST_INSERT_HEAD(&job->engine->works.changed, work, changed);
		evtimer_add(job->engine->works.timer, &work_now);
	}
}

void work_check(const struct job *job)
{
	const struct machine_work *work = machine_work(job->machine);

	assert(work->is_changed || work->is_at_work == work_has_job(work));
}

/* Whoever waits for a place waits for nothing else, and the first of them is looked at as soon as one may be free. */
static void work_check_place(const struct job *job)
{
	assert(!job->place || (job->phase == JOB_WAITING && !job->row.by_hand));
	assert(!job->place || job_state_is_put_off(job->row.state));
	assert(!job->place || evtimer_pending(job->look, NULL));
}

void works_check(const struct engine *engine)
{
	const struct works *works = &engine->works;
	const struct machine_work *work;
	const struct job *job;
	size_t n = 0, n_at_work = 0;

	TAILQ_FOREACH(job, &engine->jobs, link)
	{
		work = machine_work(job->machine);
		assert(engine_job_by_id(engine, job->row.id) == job);
		work_check(job);
		work_check_place(job);
		n++;
		n_at_work += job == TAILQ_FIRST(&work->jobs) && work->is_at_work;
	}
	assert(n == works->n);
	LIST_FOREACH(work, &works->at_work, at_work)
	{
		assert(work->is_at_work && n_at_work);
		n_at_work--;
	}
	assert(!n_at_work);
	assert(LIST_EMPTY(&works->changed) || evtimer_pending(works->timer, NULL));
	assert(!works->is_free || evtimer_pending(works->timer, NULL));
}

bool work_is_on(struct engine *engine, const struct machine *machine)
{
	works_settle(engine);
	return machine_work(machine) && machine_work(machine)->is_at_work;
}

void work_each_machine(const struct engine *engine,
        void (*fn)(const struct machine_row *row, void *arg), void *arg)
{
	const struct machine_work *work;

	LIST_FOREACH(work, &engine->works.at_work, at_work)
	{
		fn(machine_row(work->machine), arg);
	}
}

void work_add(struct job *job)
{
	struct machine_work *work = machine_work(job->machine);

	if (!work) {
		work = mem_zero(sizeof(*work));
		work->engine = job->engine;
		work->machine = job->machine;
		TAILQ_INIT(&work->jobs);
		machine_set_work(job->machine, work);
	}
	TAILQ_INSERT_TAIL(&work->jobs, job, of_machine);
	TAILQ_INSERT_TAIL(&job->engine->jobs, job, link);
	work_index(job->engine, job);
	work_changed(job);
}

/* The last one takes what is kept of its machine along, which may be removed next. */
void work_remove(struct job *job)
{
	struct machine_work *work = machine_work(job->machine);
	struct engine *engine = job->engine;
	size_t at = work_rank(engine, job->row.id);

	assert(engine->works.by_id[at] == job);
	memmove(engine->works.by_id + at, engine->works.by_id + at + 1,
	        (--engine->works.n - at) * sizeof(*engine->works.by_id));
	work_changed(job);
	TAILQ_REMOVE(&engine->jobs, job, link);
	TAILQ_REMOVE(&work->jobs, job, of_machine);
	if (TAILQ_EMPTY(&work->jobs)) {
		work_look(work);
		machine_set_work(job->machine, NULL);
		free(work);
	}
}

struct job *work_first(const struct machine *machine)
{
	const struct machine_work *work = machine_work(machine);

	return work ? TAILQ_FIRST(&work->jobs) : NULL;
}

struct job *work_next(const struct job *job)
{
	return TAILQ_NEXT(job, of_machine);
}

struct job *engine_job_by_id(const struct engine *engine, int64_t id)
{
	size_t at = work_rank(engine, id);

	return at < engine->works.n && engine->works.by_id[at]->row.id == id
	               ? engine->works.by_id[at]
	               : NULL;
}
