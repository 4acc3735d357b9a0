/*
 * Figures for each generation in the history. A worker has both payloads and the kit, and takes a tenth
 * of a second; it is no part of any job, so that no update waits for figures or fails by them.
 *
 *   looked for -> no payload to compare with: why, is recorded
 *              -> a worker compares             -> figures, or that they make no sense, are recorded
 *                                               -> it cannot now: the next one, and again some other time
 *
 * What is still to be done is what the record lacks: a lud that was killed finds it there. A
 * generation is looked at once in a round, newest first; a round begins when a job has ended.
 */
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/idle/idle.h"
#include "orchestrator/job/pair/effect.h"

struct measure {
	struct engine *engine;
	struct engine_watch *watch;
	struct event *timer;
	int64_t before;          /* generations of this round with higher ids have been looked at */
	struct forge_task *task; /* compares now; NULL: none does */
	char *json;              /* its answer; owned */
	struct effect_row row;   /* what is about to be found out */
	struct release_row release;
	struct variant_row old, new;
};

static void measure_next(struct measure *measure)
{
	static const struct timeval now = {0, 0};

	evtimer_add(measure->timer, &now);
}

static int measure_write(struct db *db, void *arg)
{
	return err_up(store_effect_put(db, arg));
}

/* A record that cannot be written is told by others; the next round finds the same to do. */
static void measure_record(struct measure *measure, enum effect_found found)
{
	measure->row.found = found;
	if (db_txn(measure->engine->parts.db, measure_write, &measure->row)) {
		err_forget();
		return;
	}
	measure_next(measure);
}

static void measure_on_compared(const struct failure *failure, void *arg)
{
	struct measure *measure = arg;
	_cleanup_(freep) char *json = steal(&measure->json);
	const struct effect_of of = {&measure->release, &measure->old, &measure->new};
	enum effect_found found = EFFECT_COMPARED;

	measure->task = NULL;
	if (failure) {
		log_warn("what generation %lld of the record has in common with the one before is "
		         "not known yet: %s",
		        (long long)measure->row.generation, failure->cause);
		measure_next(measure);
		return;
	}
	if (effect_read(json, &of, &measure->row) < 0) {
		err_forget();
		log_warn(
		        "luforge compare gave an invalid answer, or one of other payloads: use the "
		        "luforge of lud's version");
		found = EFFECT_FAILED;
	}
	measure_record(measure, found);
}

/* Why the two cannot be compared by a worker; EFFECT_COMPARED: they can be. */
static enum effect_found measure_judge(const struct generation_row *old,
        const struct generation_row *new, const struct variant_row *payload)
{
	if (old->release != new->release) {
		return EFFECT_OTHER_RELEASE;
	}
	/* One that crashed ran in a layout of the machine's own after that. */
	if (old->machine_made || old->made) {
		return EFFECT_UNSEEN;
	}
	return *payload->path ? EFFECT_COMPARED : EFFECT_GONE;
}

/* Positive outcomes: what is to be recorded of it at once; EFFECT_COMPARED is 0: a worker is to say. */
static int measure_look(
        struct measure *measure, const struct generation_row *row, enum effect_found *ret_found)
{
	struct db *db = measure->engine->parts.db;
	struct generation_row old;
	int r = store_generation_before(db, row, &old);

	measure->row = (struct effect_row){.generation = row->id};
	if (r == DB_E_NONE) {
		*ret_found = EFFECT_FIRST;
		return 0;
	}
	measure->row.against = old.number;
	if (!r) {
		r = store_variant_by_id(db, old.variant, &measure->old);
	}
	if (!r) {
		r = store_variant_by_id(db, row->variant, &measure->new);
	}
	if (!r) {
		r = store_release_by_id(db, row->release, &measure->release);
	}
	*ret_found = r ? EFFECT_FAILED : measure_judge(&old, row, &measure->old);
	return err_fold(r);
}

static void measure_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct measure *measure = arg;
	enum effect_found found;
	struct generation_row row;

	if (measure->task ||
	        store_effect_next(measure->engine->parts.db, measure->before, &row) != 0) {
		err_forget();
		return;
	}
	measure->before = row.id;
	if (measure_look(measure, &row, &found) < 0) {
		err_forget();
		return;
	}
	if (found != EFFECT_COMPARED) {
		measure_record(measure, found);
		return;
	}
	measure->task = forge_compare(measure->engine->parts.forge, measure->release.path,
	        (const char *const[]){measure->old.path, measure->new.path}, &measure->json,
	        measure_on_compared, measure);
}

/* A round that is under way goes on from the newest: what ended is there. */
static void measure_on_news(const struct job_news *news, void *arg)
{
	struct measure *measure = arg;

	if (news->event == JOB_EVENT_ENDED) {
		measure->before = INT64_MAX;
		measure_next(measure);
	}
}

struct measure *measure_new(struct engine *engine)
{
	struct measure *measure = mem_zero(sizeof(*measure));

	measure->engine = engine;
	measure->before = INT64_MAX;
	measure->timer = evtimer_new(engine->parts.base, measure_on_timer, measure);
	if (!measure->timer) {
		abort();
	}
	measure->watch = engine_watch(engine, measure_on_news, measure);
	measure_next(measure);
	return measure;
}

struct measure *measure_free(struct measure *measure)
{
	if (measure) {
		forge_task_free(measure->task);
		engine_watch_free(measure->watch);
		event_free(measure->timer);
		free(measure->json);
		free(measure);
	}
	return NULL;
}
