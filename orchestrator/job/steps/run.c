/*
 * The step that runs what was ordered. The machine knows the transaction by the order's
 * epoch and number and answers a repetition with the first result, so nothing is done
 * twice. That the order was sent is recorded before it is; a job that finds it so
 * recorded asks for the result first:
 *
 *   done     take it
 *   running  wait: the result comes as an event (and is asked for now and then)
 *   unknown  another boot (or a snapshot of this one), or too long ago: what runs now
 *            decides; never accepted in this boot: stage again, and send the same order
 *            again while it lives and none came after it, else a new one
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/steps/priv.h"

/* How many layouts are drawn for one update. */
#define JOB_DRAW_TRIES 8

/* Counts of a machine that cannot be true are as good as none. */
static int run_keep_effect(
        struct db *db, const struct generation_row *row, const Machine__Result *result)
{
	struct effect_row effect = {.generation = row->id, .found = EFFECT_COUNTED};
	struct generation_row before;
	int r = store_generation_before(db, row, &before);

	if (!r) {
		effect.against = before.number;
	}
	if (result->layout_kept_address <= result->layout_pieces &&
	        result->layout_kept_base <= result->layout_pieces) {
		effect.pieces = result->layout_pieces;
		effect.kept_address = result->layout_kept_address;
		effect.kept_base = result->layout_kept_base;
	}
	return r < 0 ? err_up(r) : err_up(store_effect_put(db, &effect));
}

int job_keep_layout(struct db *db, const struct generation_row *row, const Machine__Result *result)
{
	const struct store_seed seed = machine_seed(&result->commitment, &result->sealed);
	int r;

	if (!row->machine_made || !seed.commit) {
		return 0;
	}
	r = store_variant_committed(db, row->variant, &seed);
	return r ? err_up(r) : err_up(run_keep_effect(db, row, result));
}

static int run_keep_layout(struct db *db, const struct job *job, const Machine__Result *result)
{
	struct generation_row row;
	int r = 0;

	if (job->row.machine_made) {
		r = store_generation_find(
		        db, job->row.machine, job->row.service, job->row.generation, &row);
		r = r ? r : job_keep_layout(db, &row, result);
	}
	return err_fold(r);
}

/*
 * The result of an update that goes on to be checked; arg is {result, job}. A job that ends here
 * keeps it by its end.
 */
static int run_keep_result(struct db *db, void *arg)
{
	const Machine__Result *result = ((void **)arg)[0];
	const struct job *job = ((void **)arg)[1];
	int r = run_keep_layout(db, job, result);

	if (!r) {
		r = store_job_stood(db, job->row.id, result->blackout_ns);
	}
	return r ? err_up(r) : err_up(store_job_outcome(db, job->row.id, NULL, result));
}

/*
 * The fresh layout hits the running one: bad luck, not a failure. A machine that says so of an
 * order without a layout, a restart, is believed that it refused and no more.
 */
static bool run_overlaps(const struct job *job, const Machine__Result *result)
{
	return result->cause && !strcmp(result->cause->name, "E_V_OVERLAP") &&
	       job_next(job_way(job), job->row.step, JOB_ON_OVERLAP) != JOB_STEP_PLAN &&
	       job->n_drawn_again < JOB_DRAW_TRIES;
}

/* The machine refused this layout, so its number is used up. */
static int run_refuse_generation(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = job_parts_load(job);

	if (!r) {
		r = store_generation_set_state(db, job->parts->generation.id, GENERATION_REFUSED);
	}
	return err_up(r);
}

/* A fresh seed; after JOB_DRAW_TRIES the refusal stands, since chance alone would not do that. */
static void run_draw_again(struct job *job)
{
	if (!job_record(job, run_refuse_generation, job)) {
		return;
	}
	job->n_drawn_again++;
	job_back(job, JOB_ON_OVERLAP, "its layout hits the running one; another is drawn");
}

/* A service that was started afresh, or a machine that ends, has nothing to confirm. */
static bool run_is_confirmed_later(const struct job *job)
{
	return job->row.kind != JOB_RESTART && job->row.kind != JOB_SHUTDOWN;
}

/*
 * The end of the order, by whichever way it came. Only a commit goes on; what the machine undid,
 * refused or does not know is the end of the job, but for two refusals that another attempt
 * mends.
 */
void job_on_result(struct job *job, const Machine__Result *result)
{
	struct job_end end = {
	        .state = job_outcome_state(result->outcome),
	        .cause = result->cause,
	        .hint = result->cause ? job_hint(result->cause) : "",
	        .result = result,
	};

	if (end.state == JOB_COMMITTED && run_is_confirmed_later(job)) {
		job->row.blackout_ns = result->blackout_ns;
		job_done(job, "", run_keep_result, (void *[]){(void *)result, job});
		return;
	}
	if (run_overlaps(job, result)) {
		run_draw_again(job);
		return;
	}
	if (end.state == JOB_REFUSED && job_sign_again(job, result->cause)) {
		return;
	}
	end.generations = job_generation_state(end.state);
	if (*job->row.cancel && result->cause && !strcmp(result->cause->name, "E_CANCELLED") &&
	        job_state_may_become(job->row.state, JOB_CANCELLED)) {
		end.state = JOB_CANCELLED;
		end.hint = job->row.cancel;
	}
	job_end(job, &end);
}

/*
 * The answer to the order itself. Busy with this very order means that an earlier attempt reached
 * the machine: it is waited for like one that was accepted.
 */
static void run_on_sent(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;

	if (job_order_taken(job, r, reply)) {
		return;
	}
	if (!r && reply->body_case == MACHINE__REPLY__BODY_ERROR &&
	        reply->error->class_ == WIRE__ERROR_CLASS__ERROR_BUSY &&
	        reply->error->busy_id == job->order.txn) {
		job_order_accepted(job);
		return;
	}
	if (job_is_unstated(r, reply) && !job_offer_is_over(job)) {
		job_back(job, JOB_ON_STALE_ORDER, "the machine learned of a newer root meanwhile");
		return;
	}
	job_answer_bad(job, r, reply);
}

/* The machine has forgotten the transaction: what runs now tells. */
static void run_unknown(struct job *job)
{
	const struct machine_row *row = machine_row(job->machine);
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	bool same_boot = row->boot_id == job->order.boot_id && row->line == job->order.line;
	struct failure failure;

	if (same_boot && !job->order.accepted && !*job->put_off && job_offer_is_over(job)) {
		failure_set(&failure, "not-taken", row->name,
		        "nothing was begun: see `luctl log`, and ask again",
		        "machine %s is up and does not answer to the order", row->name);
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	if (same_boot && !job->order.accepted) {
		job_back(job, JOB_ON_UNSEEN, "the machine has not seen it");
		return;
	}
	if (same_boot && run_is_confirmed_later(job) && service &&
	        service->generation == job->row.generation) {
		job_done(job, "the result is forgotten; the generation runs", NULL, NULL);
		return;
	}
	failure_set(&failure, "result-unknown", *job->row.service ? job->row.service : row->name,
	        "`luctl status` shows what runs; ask for it again if it is still wanted",
	        "%s; generation %" PRIu64 " does not run",
	        same_boot                            ? "the machine has forgotten the transaction"
	        : row->boot_id == job->order.boot_id ? "the machine was put back to a snapshot"
	                                             : "the machine was restarted in the meantime",
	        job->row.generation);
	job_fail(job, JOB_INCONSISTENT, &failure);
}

/* The last look before it is sent: made for this boot, and nothing came after it. */
static void run_begin(struct job *job)
{
	if (!job_order_is_current(job)) {
		job_back(job, JOB_ON_STALE_ORDER, "its order is not of this boot, or too old");
		return;
	}
	if (!job_record(job, job_order_mark_sent, job)) {
		return;
	}
	if (!job->offered_usec) {
		job->offered_usec = job_elapsed_usec();
	}
	*job->put_off = '\0';
	/* From here on the machine ends it in time. */
	job_limit_again(job, 0);
	hook_point("run", "sent");
	job_order_send(job, run_on_sent);
}

/*
 * Once an order may have been sent, nothing is sent before the machine has said that it never saw
 * it.
 */
void job_step_run(struct job *job)
{
	int r = store_order_newest(job->engine->parts.db, job->row.id, 0, &job->order);

	if (r) {
		err_forget();
		job_back(job, JOB_ON_STALE_ORDER, "its order is not in the record");
		return;
	}
	if (job->row.boot_id) {
		job_order_ask(job, run_unknown);
	} else {
		run_begin(job);
	}
}
