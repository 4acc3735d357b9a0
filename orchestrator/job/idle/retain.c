/*
 * Keeps the record small while nobody asks for it: an hour after an hour, and soon after the start, it
 * goes through the record in pieces of a few rows (store/retention.h), a transaction with a pause behind
 * it, so that jobs and clients wait for one piece at most. Services and machines that have nothing to give
 * are stepped over some dozens at a time: of many machines most have none.
 *
 * Limits are read anew for each piece: a reload counts from the next round on. A record that cannot be
 * written ends the round; the next one finds the same rows.
 */
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/idle/idle.h"
#include "orchestrator/store/retention.h"

struct retain {
	struct engine *engine;
	struct event *timer;
	struct retention round;
	struct retention_limits limits;
};

static const struct timeval retain_start = {5, 0}, retain_pause = {0, 50000},
                            retain_rest = {3600, 0};

#define RETAIN_STEPS 48 /* over services and machines, in one transaction */

/* Until it has come to rows, or stepped far enough. */
static int retain_txn(struct db *db, void *arg)
{
	struct retain *retain = arg;
	struct retention round = retain->round;
	uint64_t pages = round.pages;
	int r = 0;

	for (int i = 0; !r && i < RETAIN_STEPS && round.pages == pages; i++) {
		r = store_retain(db, &round, &retain->limits);
	}
	retain->round = r < 0 ? (struct retention){0} : round;
	return err_up(r);
}

static void retain_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct retain *retain = arg;
	const struct config *config = retain->engine->parts.config;
	int r;

	retain->limits = (struct retention_limits){
	        .kept = {[RETENTION_GENERATIONS] = (int64_t)config->record_generations,
	                [RETENTION_JOBS] = (int64_t)config->record_jobs,
	                [RETENTION_POLICIES] = (int64_t)config->record_policies}};
	r = db_txn(retain->engine->parts.db, retain_txn, retain);
	if (r < 0) {
		err_forget();
		retain->round = (struct retention){0};
	}
	evtimer_add(retain->timer, r ? &retain_rest : &retain_pause);
}

struct retain *retain_new(struct engine *engine)
{
	struct retain *retain = mem_zero(sizeof(*retain));

	retain->engine = engine;
	retain->timer = evtimer_new(engine->parts.base, retain_on_timer, retain);
	if (!retain->timer) {
		abort();
	}
	evtimer_add(retain->timer, &retain_start);
	return retain;
}

struct retain *retain_free(struct retain *retain)
{
	if (retain) {
		event_free(retain->timer);
		free(retain);
	}
	return NULL;
}
