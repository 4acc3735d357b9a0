/*
 * What is in memory moves along with the record when somebody sets the host's clock: the times of open jobs, of holds, of
 * machines, and of standing orders that are on their way. Then gates are asked anew, since windows may be open that were shut.
 */
#include <inttypes.h>

#include "host/base/log.h"
#include "orchestrator/job/core/priv.h"
#include "orchestrator/store/clock.h"

static void clock_move_job(struct job_row *row, int64_t usec)
{
	int64_t *const times[] = {
	        &row->created_us, &row->state_us, &row->wait_until_us, &row->wait_look_us};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		*times[i] += *times[i] ? usec : 0;
	}
}

void engine_clock(struct engine *engine)
{
	struct job *job;
	int64_t usec = 0;

	if (db_health(engine->parts.db) != DB_WELL ||
	        store_clock_look(engine->parts.db, &usec) < 0) {
		err_forget();
		return;
	}
	if (!usec) {
		return;
	}
	log_line(LOG_LEVEL_WARN, &(struct log_about){.message = LOG_CLOCK_SET},
	        "the clock was set by %" PRId64
	        " s: what waits keeps its distance, windows follow the "
	        "clock",
	        usec / 1000000);
	TAILQ_FOREACH(job, &engine->jobs, link)
	{
		clock_move_job(&job->row, usec);
	}
	rules_clock_set(engine->rules, usec);
	machines_clock_set(engine->machines, usec);
	standing_clock_set(engine, usec);
	engine_gate_changed(engine);
}
