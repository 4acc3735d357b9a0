/*
 * The open jobs, found by what is asked for: by its id, and those of a machine. Nearly every question about jobs is about those
 * of one machine, so each machine has a list of its own, which is there as long as it has any; and a job by its id is a few steps
 * in a sorted array, however many there are. All jobs, oldest first, are walked where something happens to all of them: policies
 * are others, the clock was set, the record can be written again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"

struct machine_work {
	TAILQ_HEAD(, job) jobs; /* oldest first */
};

/* How many of all jobs have a smaller id. */
static size_t work_rank(const struct engine *engine, int64_t id)
{
	size_t from = 0, until = engine->n_jobs;

	while (from < until) {
		size_t middle = (from + until) / 2;

		if (engine->by_id[middle]->row.id < id) {
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

	if (engine->n_jobs == engine->jobs_room) {
		engine->jobs_room = engine->jobs_room ? 2 * engine->jobs_room : 16;
		engine->by_id = realloc(engine->by_id, engine->jobs_room * sizeof(*engine->by_id));
		if (!engine->by_id) {
			abort();
		}
	}
	memmove(engine->by_id + at + 1, engine->by_id + at,
	        (engine->n_jobs++ - at) * sizeof(*engine->by_id));
	engine->by_id[at] = job;
}

void work_add(struct job *job)
{
	struct machine_work *work = machine_work(job->machine);

	if (!work) {
		work = mem_zero(sizeof(*work));
		TAILQ_INIT(&work->jobs);
		machine_set_work(job->machine, work);
	}
	TAILQ_INSERT_TAIL(&work->jobs, job, of_machine);
	TAILQ_INSERT_TAIL(&job->engine->jobs, job, link);
	work_index(job->engine, job);
}

void work_remove(struct job *job)
{
	struct machine_work *work = machine_work(job->machine);
	struct engine *engine = job->engine;
	size_t at = work_rank(engine, job->row.id);

	assert(engine->by_id[at] == job);
	memmove(engine->by_id + at, engine->by_id + at + 1,
	        (--engine->n_jobs - at) * sizeof(*engine->by_id));
	TAILQ_REMOVE(&engine->jobs, job, link);
	TAILQ_REMOVE(&work->jobs, job, of_machine);
	if (TAILQ_EMPTY(&work->jobs)) {
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

	return at < engine->n_jobs && engine->by_id[at]->row.id == id ? engine->by_id[at] : NULL;
}
