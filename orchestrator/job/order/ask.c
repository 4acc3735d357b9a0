/*
 * What the machine says, in whatever step it is asked: a fresh status before a step acts on
 * it, and its word on an order that was sent. The steps run and confirm each send one order
 * and learn of its end in three ways: by the answer to the order itself, by an event, or by
 * asking for it. They differ only in what follows.
 */
#include <string.h>

#include "orchestrator/job/core/statement.h"
#include "orchestrator/job/order/order.h"

/* How often a machine is looked at that has no statement, and after how many looks it is given
 * another. */
#define ASK_UNSTATED_MAX 50u
#define ASK_UNSTATED_AGAIN 10u

static void ask_on_refreshed(int r, void *arg)
{
	struct job *job = arg;

	if (r < 0) {
		job_park(job, "the machine gave no status");
		return;
	}
	job_heard(job);
	job->refreshed(job);
}

void job_refresh(struct job *job, job_refreshed_fn fn)
{
	job->refreshed = fn;
	if (machine_refresh(job->machine, ask_on_refreshed, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

/* DONE without a result cannot be told from forgotten: what runs decides. */
static void ask_on_asked(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;

	if (r || reply->body_case != MACHINE__REPLY__BODY_RESULT) {
		job_answer_bad(job, r, reply);
		return;
	}
	switch (reply->result->state) {
	case MACHINE__TXN_STATE__TXN_DONE:
		if (reply->result->result) {
			job_order_result(job, reply->result->result);
			return;
		}
		break;
	case MACHINE__TXN_STATE__TXN_RUNNING:
		job_order_accepted(job);
		return;
	case MACHINE__TXN_STATE__TXN_UNKNOWN:
	case _MACHINE__TXN_STATE_IS_INT_SIZE:
		break;
	}
	job_refresh(job, job->forgotten);
}

void job_order_ask(struct job *job, job_refreshed_fn forgotten)
{
	Machine__ResultQuery query = MACHINE__RESULT_QUERY__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	job->forgotten = forgotten;
	query.epoch = job->order.epoch;
	query.txn = job->order.txn;
	request.body_case = MACHINE__REQUEST__BODY_RESULT_QUERY;
	request.result_query = &query;
	if (machine_request(job->machine, &request, JOB_ANSWER_USEC, ask_on_asked, job) < 0) {
		err_forget();
		job_park(job, "the session with the machine is lost");
	}
}

/*
 * Each look is a fresh status of the machine; the first statement is on its way since the session
 * was opened, so the second look is the first to send another.
 */
bool job_state_again(struct job *job)
{
	if (job->n_unstated >= ASK_UNSTATED_MAX) {
		return false;
	}
	/* At the first look that of the session may be on its way. */
	if (job->n_unstated++ % ASK_UNSTATED_AGAIN == 1) {
		statement_send(job->engine, job->machine);
	}
	return true;
}
