/*
 * Writes to the record on a job's behalf. The record is the ground that jobs stand on: without it
 * nothing more may be done. What is recorded is on disk a little later: a step is not begun before that
 * (job.c), and nothing that a peer is told leaves before (link_new()). A job whose write fails is let go of as if lud had ended here (it
 * stalls), and is taken up from the record when that can be written again, by the same way as
 * after a restart. So a failed write needs no undoing: what was changed in memory is read anew.
 */
#include <inttypes.h>

#include "host/base/log.h"
#include "orchestrator/job/core/priv.h"

static int record_save_txn(struct db *db, void *arg)
{
	return store_job_update(db, arg);
}

/*
 * Told what the record does not have: who waits for the job learns that it stands still. Where the
 * record is well all the same nobody will say that it works again, so it is tried after a while.
 */
void job_stall(struct job *job)
{
	static const struct timeval pause = {.tv_sec = 1};
	struct job_news news = {.event = JOB_EVENT_STALLED, .row = &job->row};

	if (job->phase == JOB_STALLED) {
		return;
	}
	log_error("job %" PRId64 " stands still: the record cannot be written: %s", job->row.id,
	        err_trace());
	err_forget();
	job_settle_calls(job);
	job_limit_end(job);
	job->turn = false;
	job_place_wait(job, NULL);
	job_set_phase(job, JOB_STALLED);
	job_check(job);
	if (db_health(job->engine->parts.db) == DB_WELL) {
		evtimer_add(job->engine->resume, &pause);
	}
	engine_tell(job->engine, &news);
}

bool job_record(struct job *job, db_txn_fn fn, void *arg)
{
	int r = db_effect(job->engine->parts.db, fn, arg);

	if (r) {
		job_stall(job);
	}
	return !r;
}

bool job_save(struct job *job)
{
	return job_record(job, record_save_txn, &job->row);
}

bool job_resume(struct job *job)
{
	struct job_row row;
	struct job_news news = {.event = JOB_EVENT_ENDED, .row = &row};
	struct engine *engine = job->engine;

	if (store_job_find(engine->parts.db, job->row.id, &row) != 0) {
		log_error("job %" PRId64 ": it cannot be read: %s", job->row.id, err_trace());
		err_forget();
		return false;
	}
	log_info("job %" PRId64 " is taken up again in step %s", row.id, job_step_name(row.step));
	job->row = row;
	if (row.ended_us) {
		/* Its end was written although the write was reported as failed. */
		job_set_phase(job, JOB_OVER);
		job_free(job);
		engine_tell(engine, &news);
		return true;
	}
	job_parts_free(job);
	job_set_phase(job, JOB_WAITING);
	job_check(job);
	job_kick(job);
	return true;
}
