/*
 * How a job ends. All that its end changes is written in one transaction: the step, the
 * generations it made, the cause and the machine's result, releases that are passed by, and
 * the job itself. If that cannot be written the job has not ended: it stalls. Then the job is
 * gone, who watches hears of it, and others of the machine may have their turn.
 */
#include <assert.h>
#include <inttypes.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/hook.h"
#include "orchestrator/job/core/job.h"

struct job_end_txn {
	struct job *job;
	const struct job_end *end;
};

static int job_end_generation(const struct generation_row *row, void *arg)
{
	struct job_end_txn *txn = arg;

	int r = job_parts_tidy(txn->job->engine->parts.db, row->service,
	        txn->job->engine->parts.config->variants_kept);

	if (r < 0 || row->state != GENERATION_PLANNED) {
		return err_up(r);
	}
	if (txn->end->state == JOB_COMMITTED) {
		return err_up(store_generation_runs(
		        txn->job->engine->parts.db, row->service, row->number));
	}
	return err_up(store_generation_set_state(
	        txn->job->engine->parts.db, row->id, txn->end->generations));
}

static int job_end_outcome(struct db *db, const struct job_end_txn *txn)
{
	const struct job_end *end = txn->end;
	size_t cause_size = end->cause ? wire__cause__get_packed_size(end->cause) : 0;
	size_t result_size = end->result ? machine__result__get_packed_size(end->result) : 0;
	_cleanup_(freep) uint8_t *cause = mem_zero(cause_size + 1);
	_cleanup_(freep) uint8_t *result = mem_zero(result_size + 1);

	if (end->cause) {
		wire__cause__pack(end->cause, cause);
	}
	if (end->result) {
		machine__result__pack(end->result, result);
	}
	return err_up(store_job_outcome(db, txn->job->row.id, end->cause ? cause : NULL, cause_size,
	        end->result ? result : NULL, result_size));
}

static int job_end_write(struct db *db, void *arg)
{
	struct job_end_txn *txn = arg;
	struct job_row *row = &txn->job->row;
	struct generation_filter filter = {.job = row->id};
	bool good = txn->end->state == JOB_COMMITTED || txn->end->state == JOB_PREPARED;
	int r;

	row->state = txn->end->state;
	row->ended_us = store_now_usec();
	snprintf(row->hint, sizeof(row->hint), "%s", txn->end->hint ? txn->end->hint : "");
	r = !txn->job->busy
	            ? 0
	            : store_job_step_end(db, row->id, good ? JOB_STEP_DONE : JOB_STEP_FAILED,
	                      txn->end->cause ? txn->end->cause->message : "");
	if (!r) {
		r = store_generation_each(db, &filter, job_end_generation, txn);
	}
	if (!r) {
		r = job_end_outcome(db, txn);
	}
	if (!r) {
		r = job_block(db, txn->job, txn->end);
	}
	if (!r) {
		r = store_job_update(db, row);
	}
	return err_fold(r);
}

static void job_end_log(const struct job *job, const struct job_end *end)
{
	const struct job_row *row = &job->row;

	log_info("job %" PRId64 " (%s %s on %s): %s%s%s", row->id, job_kind_name(row->kind),
	        row->service, machine_row(job->machine)->name, job_state_name(row->state),
	        end->cause ? ": " : "", end->cause ? end->cause->message : "");
}

void job_end(struct job *job, const struct job_end *end)
{
	struct engine *engine = job->engine;
	struct machine *machine = job->machine;
	struct job_end_txn txn = {job, end};
	const char *step = job_step_name(job->row.step);
	struct job_row row;
	struct job_news news = {.event = JOB_EVENT_ENDED, .row = &row};

	assert(job->row.state == JOB_OPEN && end->state != JOB_OPEN);
	hook_point(step, "did");
	if (!job_record(job, job_end_write, &txn)) {
		return;
	}
	hook_point(step, "end");
	job_end_log(job, end);
	row = job->row;
	job_free(job);
	engine_tell(engine, &news);
	engine_wake(engine, machine);
}

void job_fail(struct job *job, enum job_state state, const struct failure *failure)
{
	Wire__Cause cause;
	struct job_end end = {
	        .state = state,
	        .generations = state == JOB_REFUSED   ? GENERATION_REFUSED
	                       : state == JOB_UNKNOWN ? GENERATION_UNKNOWN
	                                              : GENERATION_ABANDONED,
	        .cause = &cause,
	        .hint = failure->remedy,
	};

	job_cause_of(failure, job->row.step, &cause);
	job_end(job, &end);
}
