/*
 * How a job ends. All that its end changes is written in one transaction: the step, the
 * generations it made, the cause and the machine's result, releases that are passed by, and
 * the job itself. If that cannot be written the job has not ended: it stalls. Then the job is
 * gone, who watches hears of it, and others of the machine may have their turn. What only an open job
 * needs is folded (store_job_fold()).
 */
#include <errno.h>
#include <inttypes.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/priv.h"
#include "orchestrator/store/soaks.h"

struct end_txn {
	struct job *job;
	const struct job_end *end;
	struct job_row row; /* as it is to be recorded */
};

/* What was ordered runs. */
static bool end_is_good(enum job_state state)
{
	return state == JOB_CONFIRMED || state == JOB_COMMITTED;
}

/*
 * One generation that the job made. Only what is still planned is settled: what it drew and gave
 * up has its end already. A committed one runs, so the one that ran before is marked as replaced,
 * as if a status had said so. Old payload files go here too, inside the transaction: their rows
 * must not name files that are gone.
 */
static int end_generation(const struct generation_row *row, void *arg)
{
	struct end_txn *txn = arg;

	int r = job_parts_tidy(txn->job->engine->parts.db, row->service,
	        txn->job->engine->parts.config->variants_kept);

	if (r < 0 || row->state != GENERATION_PLANNED) {
		return err_up(r);
	}
	if (end_is_good(txn->end->state)) {
		return err_up(store_generation_runs(
		        txn->job->engine->parts.db, row->service, row->number));
	}
	return err_up(store_generation_set_state(
	        txn->job->engine->parts.db, row->id, txn->end->generations));
}

/*
 * All that the end changes, or nothing. It works on a copy of the row, so that a job whose end
 * could not be written is still what the record says.
 */
static int end_write(struct db *db, void *arg)
{
	struct end_txn *txn = arg;
	struct job_row *row = &txn->row;
	bool good = end_is_good(txn->end->state) || txn->end->state == JOB_PREPARED;
	int r;

	/* Written last, by store_job_update(): a job with an end has all that belongs to it. */
	row->ended_us = store_now_usec();
	if (!job_row_move(row, txn->end->state, NULL, row->ended_us)) {
		return err_raise(-EINVAL);
	}
	snprintf(row->hint, sizeof(row->hint), "%s", txn->end->hint ? txn->end->hint : "");
	r = txn->job->phase != JOB_WORKING && txn->job->phase != JOB_BEGINNING
	            ? 0
	            : store_job_step_end(db, row->id, good ? JOB_STEP_DONE : JOB_STEP_FAILED,
	                      txn->end->cause ? txn->end->cause->message : "");
	if (!r) {
		r = store_generation_each_of(db, row->id, end_generation, txn);
	}
	if (!r) {
		/* NULL leaves what an earlier step kept: the result of a run, when the confirm ends the job. */
		r = store_job_outcome(db, row->id, txn->end->cause, txn->end->result);
	}
	if (!r) {
		r = job_block(db, txn->job, txn->end);
	}
	if (!r) {
		r = store_job_update(db, row);
	}
	return r ? err_fold(r) : err_up(store_job_fold(db, row->id));
}

/* What a person looks at; the rest of the ends is what was asked for, or told to who asked. */
static enum log_message end_message(enum job_state state)
{
	return state == JOB_FAILED         ? LOG_JOB_FAILED
	       : state == JOB_ROLLED_BACK  ? LOG_JOB_ROLLED_BACK
	       : state == JOB_INCONSISTENT ? LOG_JOB_UNKNOWN
	                                   : LOG_NONE;
}

static void end_log(const struct job *job, const struct job_end *end)
{
	const struct job_row *row = &job->row;
	struct log_about about = {.message = end_message(row->state),
	        .machine = machine_row(job->machine)->name,
	        .service = row->service,
	        .job = row->id};

	log_line(about.message ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, &about,
	        "job %" PRId64 " (%s %s on %s): %s%s%s", row->id, job_kind_name(row->kind),
	        row->service, machine_row(job->machine)->name, job_state_name(row->state),
	        end->cause ? ": " : "", end->cause ? end->cause->message : "");
}

/* Whoever asked for a job looks at its end. One that is not at work looks when it is begun again. */
static void end_tell_parent(struct engine *engine, int64_t id)
{
	struct job *parent = id ? engine_job_by_id(engine, id) : NULL;

	if (parent && parent->phase == JOB_WORKING) {
		job_again(parent, 0);
	}
}

void job_end(struct job *job, const struct job_end *end)
{
	struct engine *engine = job->engine;
	struct machine *machine = job->machine;
	struct end_txn txn = {job, end, job->row};
	const char *step = job_step_name(job->row.step);
	struct job_news news = {.event = JOB_EVENT_ENDED, .row = &txn.row};

	job_check(job);
	if (!job_state_may_become(job->row.state, end->state)) {
		job_defect(job, end->state);
		return;
	}
	hook_point(step, "did");
	if (!job_record(job, end_write, &txn)) {
		return;
	}
	hook_point(step, "end");
	job->row = txn.row;
	job_set_phase(job, JOB_OVER);
	end_log(job, end);
	job_free(job);
	engine_tell(engine, &news);
	engine_wake(machine);
	end_tell_parent(engine, txn.row.parent);
}

/* The failure in the form of a machine's cause; it lives as long as the failure does. */
static void end_cause(const struct failure *failure, enum job_step step, Wire__Cause *ret_cause)
{
	wire__cause__init(ret_cause);
	ret_cause->component = (char *)failure->place;
	ret_cause->step = (char *)job_step_name(step);
	ret_cause->name = (char *)failure->code;
	ret_cause->message = (char *)failure->cause;
}

/*
 * What was committed and checked runs, whatever hinders the confirm. Its floors are recorded by then, so the next
 * statement brings them to the machine; those of one that is watched are not, before its soak is over.
 */
static void end_unconfirmed(struct job *job, const struct failure *failure)
{
	struct job_end end = {.state = JOB_COMMITTED};
	char hint[sizeof(job->row.hint)];

	snprintf(hint, sizeof(hint), "it was checked that it ran, but not confirmed: %.120s%s",
	        failure->cause,
	        job->row.step != JOB_STEP_CONFIRM
	                ? "; whether it is well is not known"
	                : "; its floor goes to the machine with the next statement");
	end.hint = hint;
	job_end(job, &end);
}

/* The verdict of a soak, if it has one that is not good. False: it has not. */
static bool end_verdict(const struct job *job, struct soak_row *ret)
{
	int r = job->row.step == JOB_STEP_SOAK
	                ? store_soak_find(job->engine->parts.db, job->row.id, ret)
	                : DB_E_NONE;

	if (r < 0) {
		err_forget();
	}
	return !r && ret->verdict == SOAK_FAILED;
}

bool job_owes_back(const struct job *job)
{
	struct soak_row soak;

	return end_verdict(job, &soak);
}

/* Nobody can go back any more; that it is not well is known all the same. */
static void end_unwell(struct job *job, const struct soak_row *soak, const struct failure *failure)
{
	Wire__Cause cause;
	struct job_end end = {.state = JOB_FAILED, .cause = &cause};
	char hint[sizeof(job->row.hint)];
	struct failure unwell;

	failure_set(
	        &unwell, "health", job->row.service, "", "its health failed: %.160s", soak->why);
	end_cause(&unwell, job->row.step, &cause);
	snprintf(hint, sizeof(hint), "it did not go back: %.160s", failure->cause);
	end.hint = hint;
	job_end(job, &end);
}

void job_fail(struct job *job, enum job_state state, const struct failure *failure)
{
	Wire__Cause cause;
	struct soak_row soak;
	struct job_end end = {
	        .state = state,
	        .generations = state == JOB_REFUSED        ? GENERATION_REFUSED
	                       : state == JOB_INCONSISTENT ? GENERATION_UNKNOWN
	                                                   : GENERATION_ABANDONED,
	        .cause = &cause,
	        .hint = failure->remedy,
	};

	if (end_verdict(job, &soak)) {
		end_unwell(job, &soak, failure);
		return;
	}
	if (job->row.step == JOB_STEP_SOAK || job_only_soaks(job) ||
	        (job->row.step == JOB_STEP_CONFIRM && job->row.kind != JOB_START)) {
		end_unconfirmed(job, failure);
		return;
	}
	end_cause(failure, job->row.step, &cause);
	job_end(job, &end);
}

void job_cancel(struct job *job)
{
	struct failure failure;

	failure_set(&failure, "cancelled", machine_row(job->machine)->name,
	        "nothing was begun on the machine", "%s", job->row.cancel);
	job_fail(job, JOB_CANCELLED, &failure);
}

void job_give_up(struct job *job, const struct failure *failure)
{
	job_fail(job, job->row.boot_id ? JOB_INCONSISTENT : JOB_FAILED, failure);
}
