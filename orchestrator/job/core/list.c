/*
 * What is asked about open jobs, and calls to those who watch. A question is about one job or those of one machine, never
 * about all (work.c); ended ones are in the record only.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/set.h"
#include "orchestrator/job/core/work.h"

struct engine_note_watch {
	LIST_ENTRY(engine_note_watch) link;
	engine_note_fn fn;
	void *arg;
};

/* What control and the steps may reach; all of it outlives the jobs. */
struct machines *engine_machines(struct engine *engine)
{
	return engine->machines;
}

struct rules *engine_rules(const struct engine *engine)
{
	return engine->rules;
}

void engine_set_remote(struct engine *engine, const struct engine_remote *remote)
{
	engine->remote = *remote;
}

const struct engine_remote *engine_remote(const struct engine *engine)
{
	return &engine->remote;
}

struct schedule *engine_schedule(const struct engine *engine)
{
	return engine->schedule;
}

struct rollouts *engine_rollouts(const struct engine *engine)
{
	return engine->rollouts;
}

struct db *engine_db(struct engine *engine)
{
	return engine->parts.db;
}

const struct config *engine_config(struct engine *engine)
{
	return engine->parts.config;
}

struct forge *engine_forge(struct engine *engine)
{
	return engine->parts.forge;
}

/*
 * Only sets timers, so that a job which ends another's wait does not run inside the other's step.
 */
void engine_wake(const struct machine *machine)
{
	struct job *job;

	for (job = work_first(machine); job; job = work_next(job)) {
		job_kick(job);
	}
}

/*
 * The next watch is read before the call: a watch may free itself, as a request that is answered
 * does.
 */
void engine_tell(struct engine *engine, const struct job_news *news)
{
	struct engine_watch *watch = LIST_FIRST(&engine->watches);

	while (watch) {
		struct engine_watch *next = LIST_NEXT(watch, link);

		watch->fn(news, watch->arg);
		watch = next;
	}
}

struct engine_watch *engine_watch(struct engine *engine, engine_watch_fn fn, void *arg)
{
	struct engine_watch *watch = mem_zero(sizeof(*watch));

	watch->fn = fn;
	watch->arg = arg;
	LIST_INSERT_HEAD(&engine->watches, watch, link);
	return watch;
}

struct engine_watch *engine_watch_free(struct engine_watch *watch)
{
	if (watch) {
		LIST_REMOVE(watch, link);
		free(watch);
	}
	return NULL;
}

struct engine_note_watch *engine_note_watch(struct engine *engine, engine_note_fn fn, void *arg)
{
	struct engine_note_watch *watch = mem_zero(sizeof(*watch));

	watch->fn = fn;
	watch->arg = arg;
	LIST_INSERT_HEAD(&engine->note_watches, watch, link);
	return watch;
}

struct engine_note_watch *engine_note_watch_free(struct engine_note_watch *watch)
{
	if (watch) {
		LIST_REMOVE(watch, link);
		free(watch);
	}
	return NULL;
}

void engine_note(const struct engine *engine, const struct engine_note *note)
{
	const struct engine_note_watch *watch;

	LIST_FOREACH(watch, &engine->note_watches, link)
	{
		watch->fn(note, watch->arg);
	}
}

/*
 * Stalled jobs count: they are open in the record, and will go on. One that is only watched keeps nothing from
 * being done.
 */
static bool list_is_change(enum job_kind kind)
{
	return kind != JOB_START && kind != JOB_SHUTDOWN;
}

bool job_is_at_work(const struct job *job)
{
	enum job_state state = job->row.state;

	return list_is_change(job->row.kind) && !job_only_soaks(job) && !job_set_is_put_off(job) &&
	       !job_state_is_put_off(state) && state != JOB_PLANNED && state != JOB_APPROVED &&
	       job_class(state) != JOB_CLASS_ENDED;
}

bool engine_is_busy(const struct machine *machine)
{
	const struct job *job;

	for (job = work_first(machine); job; job = work_next(job)) {
		if (!job_only_soaks(job)) {
			return true;
		}
	}
	return false;
}

bool engine_is_idle(const struct machine *machine)
{
	const struct job *job;

	for (job = work_first(machine); job; job = work_next(job)) {
		if (!job_only_soaks(job) &&
		        (job->row.scheduled || !job_state_is_put_off(job->row.state))) {
			return false;
		}
	}
	return true;
}

int64_t engine_open_job(const struct machine *machine, const char *service)
{
	const struct job *job;

	for (job = work_first(machine); job; job = work_next(job)) {
		if (!strcmp(job->row.service, service)) {
			return job->row.id;
		}
	}
	return 0;
}

bool engine_has_job(const struct engine *engine, int64_t id)
{
	return engine_job_by_id(engine, id) != NULL;
}

/*
 * A number is a job's only once its order is in the record. Until then ->order is made up as it
 * is signed, and a start, which has no order, would answer to 0.0.
 */
struct job *engine_job_by_order(const struct machine *machine, uint64_t epoch, uint64_t txn)
{
	struct job *job;

	for (job = work_first(machine); job; job = work_next(job)) {
		if (job->order.id && job->order.epoch == epoch && job->order.txn == txn) {
			return job;
		}
	}
	return NULL;
}
