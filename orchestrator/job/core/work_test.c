/*
 * Open jobs are found by id and by machine, however they come and go: what a question about one machine visits are its own jobs,
 * oldest first, and none of the others'.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"

#define N_MACHINES 300
#define N_JOBS 3 /* of each */

struct machine {
	struct machine_work *work;
};

struct machine_work *machine_work(const struct machine *machine)
{
	return machine->work;
}

void machine_set_work(struct machine *machine, struct machine_work *work)
{
	machine->work = work;
}

static struct machine machines[N_MACHINES];
static struct job *jobs[N_MACHINES * N_JOBS];

/* Which of its jobs are there, as bits, by their ids. */
static unsigned int visit(const struct machine *machine)
{
	unsigned int seen = 0;
	int64_t last = 0;

	for (const struct job *job = work_first(machine); job; job = work_next(job)) {
		assert(job->machine == machine && job->row.id > last);
		last = job->row.id;
		seen |= 1u << (job->row.id / 10 - 1) / N_MACHINES;
	}
	return seen;
}

static void add(struct engine *engine, size_t i)
{
	struct job *job = jobs[i] = mem_zero(sizeof(*job));

	job->engine = engine;
	job->row.id = 10 * (int64_t)(i + 1);
	job->machine = &machines[i % N_MACHINES];
	work_add(job);
}

static void check(const struct engine *engine, size_t every)
{
	for (size_t i = 0; i < N_MACHINES * N_JOBS; i++) {
		struct job *there = i % every ? NULL : jobs[i];

		assert(engine_job_by_id(engine, 10 * (int64_t)(i + 1)) == there);
		assert(!engine_job_by_id(engine, 10 * (int64_t)(i + 1) + 1));
		assert(!!(visit(&machines[i % N_MACHINES]) & 1u << i / N_MACHINES) == !!there);
	}
}

int main(void)
{
	struct engine engine = {.n_jobs = 0};

	TAILQ_INIT(&engine.jobs);
	assert(!engine_job_by_id(&engine, 10) && !work_first(&machines[0]));
	for (size_t i = 0; i < N_MACHINES * N_JOBS; i++) {
		add(&engine, i);
	}
	check(&engine, 1);
	for (size_t i = N_MACHINES * N_JOBS; i-- > 0;) {
		if (i % 7) {
			work_remove(jobs[i]);
			free(jobs[i]);
		}
	}
	check(&engine, 7);
	for (size_t i = 0; i < N_MACHINES * N_JOBS; i += 7) {
		work_remove(jobs[i]);
		free(jobs[i]);
	}
	assert(!engine.n_jobs && TAILQ_EMPTY(&engine.jobs) && !machines[0].work);
	free(engine.by_id);
	return 0;
}
