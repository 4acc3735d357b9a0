/*
 * An order on its way to the machine. That it is about to be sent is recorded before it is, so
 * a job that is taken up again knows whether the machine may have it (->row.boot_id); that the
 * machine took it is recorded after. The machine names a transaction by the order's epoch and
 * number and answers a repetition with the first result: to send an order twice is harmless, to
 * sign two for one transaction is not, and is never done.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/order/order.h"

/* How long after the update's own limit its result is asked for. */
#define SEND_RESULT_GRACE_USEC UINT64_C(1000000)
/* An order that ends sooner is made anew rather than sent. */
#define SEND_LEFT_SEC 5

/* The machine's last word may be older than what another job had it run: then the record knows. */
static bool send_is_passed(const struct job *job)
{
	const Machine__Status *status = machine_status(job->machine);
	const struct order_row *order = &job->order;
	uint64_t highest = 0;

	if (store_order_highest(job->engine->parts.db, job->row.machine, order->epoch, &highest) <
	        0) {
		err_forget();
	}
	return highest > order->txn || status->newest_epoch > order->epoch ||
	       (status->newest_epoch == order->epoch && status->newest_txn >= order->txn);
}

bool job_order_is_current(const struct job *job)
{
	const struct machine_row *row = machine_row(job->machine);
	const struct order_row *order = &job->order;

	return order->id && order->boot_id == row->boot_id && order->line == row->line &&
	       !order->accepted && !send_is_passed(job) &&
	       order->expires > store_now_usec() / 1000000 + SEND_LEFT_SEC;
}

/*
 * An order is recorded whole, with its bytes, before anything is sent. Its epoch becomes that of
 * the generation: together with the number it is the generation's name in the machine.
 */
int job_order_insert(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = store_order_insert(db, &job->order, job->order_envelope, job->order_size);

	if (!r && job->n_parts == 1) {
		r = store_generation_set_epoch(db, job->parts->generation.id, job->order.epoch);
	}
	return err_fold(r);
}

/*
 * From here on nobody may conclude that the machine has not seen it: row.boot_id says in which
 * boot it may have.
 */
int job_order_mark_sent(struct db *db, void *arg)
{
	struct job *job = arg;
	int r;

	job->order.sent = true;
	job->row.boot_id = job->order.boot_id;
	r = store_order_update(db, &job->order);
	if (!r) {
		r = store_job_update(db, &job->row);
	}
	return err_up(r);
}

void job_order_send(struct job *job, channel_reply_fn fn)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	Machine__OrderRun run = MACHINE__ORDER_RUN__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	size_t size;

	if (store_order_envelope(job->engine->parts.db, job->order.id, &envelope, &size)) {
		job_order_fail(job, "the order is not in the record", -ENODATA);
		return;
	}
	run.envelope.data = envelope;
	run.envelope.len = size;
	request.body_case = MACHINE__REQUEST__BODY_ORDER_RUN;
	request.order_run = &run;
	request.identity = job->row.identity;
	if (machine_request(job->machine, &request, JOB_ANSWER_USEC, fn, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

/* The result says what became of it, also when the machine refuses, so nothing is made of the answer. */
static void send_cancelled(int r, const Machine__Reply *reply, void *arg)
{
}

void job_order_cancel(struct job *job)
{
	Machine__Cancel cancel = MACHINE__CANCEL__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	/* One that is taken up again has no order yet: it asks what became of it, and then comes here. */
	if (job->phase != JOB_WORKING || !job->order.id) {
		return;
	}
	cancel.epoch = job->order.epoch;
	cancel.txn = job->order.txn;
	request.body_case = MACHINE__REQUEST__BODY_CANCEL;
	request.cancel = &cancel;
	request.identity = job->row.identity;
	if (machine_request(job->machine, &request, JOB_ANSWER_USEC, send_cancelled, job) < 0) {
		err_forget();
	}
}

static int send_accepted_txn(struct db *db, void *arg)
{
	const struct job *job = arg;

	int r = store_order_update(db, &job->order);

	return r ? err_up(r) : err_up(store_job_update(db, &job->row));
}

/*
 * The result comes unasked. Should the event be lost, the job's timer asks for it, a little after
 * the machine must have ended by itself. A machine that is to switch off may do so before it can
 * say anything, so it is marked as not wanted now.
 */
void job_order_accepted(struct job *job)
{
	if (job->row.kind == JOB_SHUTDOWN) {
		machine_expect_end(job->machine);
	}
	job->order.accepted = true;
	if (job->row.state == JOB_ORDERED && !job_set_state(job, JOB_PREPARING)) {
		return;
	}
	if (!job_record(job, send_accepted_txn, job)) {
		return;
	}
	hook_point(job_step_name(job->row.step), "accepted");
	/* The result comes as an event; should it be lost, it is asked for. */
	job_limit_again(job, job_order_timeout_ms(job) * UINT64_C(1000));
	job_again(job, job_order_timeout_ms(job) * UINT64_C(1000) + SEND_RESULT_GRACE_USEC);
	if (*job->row.cancel) {
		job_order_cancel(job);
	}
}

void job_order_result(struct job *job, const Machine__Result *result)
{
	assert(job_awaits_result(job));
	job->engine->steps[job->row.step].result(job, result);
}

bool job_order_taken(struct job *job, int r, const Machine__Reply *reply)
{
	if (!r && reply->body_case == MACHINE__REPLY__BODY_ACCEPTED) {
		job_order_accepted(job);
		return true;
	}
	if (!r && reply->body_case == MACHINE__REPLY__BODY_RESULT && reply->result->result) {
		job_order_result(job, reply->result->result);
		return true;
	}
	return false;
}
