/*
 * Open jobs are found by id and by machine, however they come and go: what a question about one machine visits are its own jobs,
 * oldest first, and none of the others'. Of many that wait for a place each gets one, in their order, and a place that comes
 * free costs a look or two, however many wait.
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
	struct machine_row row;
};

struct machine_work *machine_work(const struct machine *machine)
{
	return machine->work;
}

void machine_set_work(struct machine *machine, struct machine_work *work)
{
	machine->work = work;
}

const struct machine_row *machine_row(const struct machine *machine)
{
	return &machine->row;
}

static int n_at_work, n_freed;

void rules_at_work(struct rules *rules, const struct machine_row *row, bool begins)
{
	n_at_work += begins ? 1 : -1;
}

bool job_is_at_work(const struct job *job)
{
	return job->turn;
}

bool job_goes_before(const struct job_row *one, const struct job_row *other)
{
	return one->scheduled != other->scheduled ? other->scheduled : one->id < other->id;
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

static void check_index(struct engine *engine)
{
	assert(!engine_job_by_id(engine, 10) && !work_first(&machines[0]));
	for (size_t i = 0; i < N_MACHINES * N_JOBS; i++) {
		add(engine, i);
	}
	check(engine, 1);
	for (size_t i = N_MACHINES * N_JOBS; i-- > 0;) {
		if (i % 7) {
			work_remove(jobs[i]);
			free(jobs[i]);
		}
	}
	check(engine, 7);
	for (size_t i = 0; i < N_MACHINES * N_JOBS; i += 7) {
		work_remove(jobs[i]);
		free(jobs[i]);
	}
	assert(TAILQ_EMPTY(&engine->jobs) && !machines[0].work);
}

/* A limit of `n_places`: jobs wait in `p`, and those that are let on are at work until turn() ends them. */
static int n_places, n_looks;
static struct job *begun[N_MACHINES];
static size_t n_begun;

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	n_looks++;
	works_settle(job->engine);
	if (n_at_work >= n_places) {
		job_place_wait(job, "p");
		return;
	}
	job_place_wait(job, NULL);
	job->turn = true;
	work_changed(job);
	begun[n_begun++] = job;
}

static void on_freed(struct engine *engine)
{
	n_freed++;
}

static void end(struct job *job)
{
	job_place_wait(job, NULL);
	work_remove(job);
	event_free(job->look);
	free(job);
}

static void turn(struct engine *engine)
{
	assert(event_base_loop(engine->parts.base, 0) >= 0);
}

static void wait_all(struct engine *engine)
{
	for (size_t i = 0; i < N_MACHINES; i++) {
		add(engine, i);
		jobs[i]->look = evtimer_new(engine->parts.base, on_look, jobs[i]);
		jobs[i]->row.scheduled = i % 2;
		job_place_wait(jobs[i], "p");
	}
	turn(engine);
	assert(!n_looks && !n_begun);
}

/* One after the other, those that nobody scheduled first; each end costs two looks: one gets on, the next finds it full. */
static void check_places(struct engine *engine)
{
	n_places = 1;
	n_freed = 0;
	wait_all(engine);
	places_free(engine);
	for (size_t i = 0; i < N_MACHINES; i++) {
		turn(engine);
		assert(n_begun == i + 1 && n_at_work == 1 && n_looks <= 2 * (int)n_begun);
		assert(begun[i] == jobs[i < N_MACHINES / 2 ? 2 * i : 2 * i - N_MACHINES + 1]);
		end(begun[i]);
	}
	turn(engine);
	assert(!n_at_work && n_freed >= N_MACHINES && LIST_EMPTY(&engine->works.places));
}

/* Several places at once are all taken; who leaves the queue otherwise keeps nobody in it. */
static void check_many(struct engine *engine)
{
	n_looks = n_begun = 0;
	n_places = 7;
	wait_all(engine);
	places_free(engine);
	turn(engine);
	assert(n_begun == 7 && n_looks == 8);
	n_places = 8;
	end(jobs[14]); /* the first that still waits */
	turn(engine);
	assert(n_begun == 8 && n_looks == 10 && begun[7] == jobs[16]);
	/* Another job of a machine that has a place is looked at when that begins. */
	add(engine, N_MACHINES + 18);
	jobs[N_MACHINES + 18]->turn = true;
	work_changed(jobs[N_MACHINES + 18]);
	turn(engine);
	assert(n_looks == 11 && n_at_work == 9);
	work_remove(jobs[N_MACHINES + 18]);
	free(jobs[N_MACHINES + 18]);
	for (size_t i = 0; i < N_MACHINES; i++) {
		if (i != 14) {
			end(jobs[i]);
		}
	}
	turn(engine);
	assert(!n_at_work);
}

int main(void)
{
	struct engine engine = {.parts.base = event_base_new()};

	assert(engine.parts.base);
	TAILQ_INIT(&engine.jobs);
	works_init(&engine);
	engine.works.freed = on_freed;
	check_index(&engine);
	check_places(&engine);
	check_many(&engine);
	works_fini(&engine);
	event_base_free(engine.parts.base);
	return 0;
}
