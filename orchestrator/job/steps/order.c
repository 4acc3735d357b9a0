/*
 * The step that makes the order. The machine is asked for its status first: the order must be for
 * its boot, above every number it has seen, and for the release that it was paired with. An order
 * that an earlier attempt recorded is taken again while it is current. What destroys is shown to
 * whoever asked, and waits for a control key's signature; nobody who signs is no failure of the
 * machine, so it is proposed again before the job gives up.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/statement.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/work/kit.h"

/* How long a person's signature is waited for before the order is made anew. */
#define ORDER_CONTROL_USEC UINT64_C(30000000)
#define ORDER_PROPOSED_MAX 2u
/* How often it is looked whether the machine took its statement. */
#define ORDER_UNSTATED_USEC UINT64_C(100000)

/* What the machine is told to do for a kind of job; 0: it is started, not told. */
static uint32_t order_step_action(const struct job *job)
{
	switch (job->row.kind) {
	case JOB_UPDATE:
	case JOB_ROLLBACK:
	case JOB_RERANDOMIZE:
		return ORDER_UPDATE;
	case JOB_PREPARE:
		return ORDER_PREPARE;
	case JOB_RESTART:
		return ORDER_RESTART;
	case JOB_SHUTDOWN:
		return ORDER_SHUTDOWN;
	case JOB_START:
	case JOB_MOVE:
	case JOB_SET:
	case _JOB_KIND_N:
		break;
	}
	return 0;
}

/* The order is recorded with the end of the step, and sent by the next one. */
static void order_step_done(struct job *job)
{
	char detail[64];

	job_order_drop_proposal(job);
	snprintf(detail, sizeof(detail), "order %" PRIu64 ".%" PRIu64, job->order.epoch,
	        job->order.txn);
	job_done(job, detail, job_order_insert, job);
}

/* Signed by the order key: enough, or shown to whoever has a control key. */
/*
 * Waits at most ORDER_CONTROL_USEC for a person; then the step begins again with a new order,
 * since the old one would be too old by the time it is signed.
 */
static void order_step_signed(struct job *job)
{
	_cleanup_(pool_fini) struct pool pool;
	struct job_news news = {.event = JOB_EVENT_PROPOSED, .row = &job->row};
	struct envelope_part part;
	struct failure failure;

	pool_init(&pool);
	if (envelope_part_open(job->proposal->bytes, job->proposal->len, &part) != ENVELOPE_OK) {
		job_order_fail(job, "the signer gave no order", -EBADMSG);
		return;
	}
	if (!order_needs_control((const struct order_manifest *)part.manifest)) {
		order_step_done(job);
		return;
	}
	if (job->n_proposed++ == ORDER_PROPOSED_MAX) {
		failure_set(&failure, "no-control", machine_row(job->machine)->name,
		        "give the command where the control key is (see `luctl keys list`)",
		        "nobody signed the order with a control key");
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	news.order = part.manifest;
	news.order_size = part.manifest_len;
	news.pairing = job_pair_recorded(job, &pool);
	news.machine = machine_row(job->machine)->name;
	job_limit_again(job, ORDER_CONTROL_USEC);
	job_again(job, ORDER_CONTROL_USEC);
	if (!job_waits(job, "the signature of a control key",
	            store_now_usec() + (int64_t)ORDER_CONTROL_USEC)) {
		return;
	}
	engine_tell(job->engine, &news);
}

int job_step_countersigned(
        struct job *job, const struct envelope_signature *signature, struct failure *ret_failure)
{
	int r = job_order_countersign(job, signature, ret_failure);

	if (r < 0) {
		return err_up(r);
	}
	order_step_done(job);
	return 0;
}

/* The machine may have learned of a newer root, under which it was told nothing yet. */
static void order_wait_statement(struct job *job)
{
	struct failure failure;

	if (job_state_again(job)) {
		job_again(job, ORDER_UNSTATED_USEC);
		return;
	}
	failure_set(&failure, "no-statement", machine_row(job->machine)->name,
	        "see lud's log for why it was not signed or not taken",
	        "the machine takes no starting statement of its newest root, so it runs no order");
	job_fail(job, JOB_FAILED, &failure);
}

/*
 * Floors that statements told end with the statements' root. Under a newer one they are told anew:
 * the signer answers in turn, so the machine has them before it has the order.
 */
static void order_state_again(struct job *job)
{
	uint64_t epoch;

	if (!kit_root_serial(job->engine->parts.config->keyring, &epoch) &&
	        machine_status(job->machine)->root_serial < epoch) {
		statement_send(job->engine, job->machine);
	}
	err_forget();
}

/*
 * A new layout was asked for and nothing else: while the job waited, an update brought another release,
 * and this layout would take it back.
 */
static void order_fail_other_release(struct job *job)
{
	struct failure failure;

	failure_set(&failure, "other-release", job->row.service,
	        "run the command again: it makes a layout of what runs now",
	        "another release of %s runs than when the layout was asked for", job->row.service);
	job_fail(job, JOB_FAILED, &failure);
}

/*
 * With a fresh status. The checks are in the order in which they are cheap, and in which one
 * makes the next one moot: no statement, another release, an order that still holds, a clock that
 * is off.
 */
static void order_begin(struct job *job)
{
	uint32_t action = order_step_action(job);
	int r;

	if (!machine_status(job->machine)->has_statement) {
		order_wait_statement(job);
		return;
	}
	job->n_unstated = 0;
	if (job_pair_is_over(job) && job->row.kind == JOB_RERANDOMIZE) {
		order_fail_other_release(job);
		return;
	}
	if (job_pair_is_over(job)) {
		job_back(job, JOB_ON_OTHER_RELEASE,
		        "another release runs than the one it was paired with");
		return;
	}
	if (job_is_overtaken(job)) {
		job_back(job, JOB_ON_OVERTAKEN,
		        "another job of its service went first; its number is drawn again");
		return;
	}
	r = store_order_newest(job->engine->parts.db, job->row.id, action, &job->order);
	if (!r && job_order_is_current(job)) {
		job_done(job, "as before", NULL, NULL);
		return;
	}
	err_forget();
	if (!job_soak_before(job)) {
		return;
	}
	if (job_time_fits(job)) {
		order_state_again(job);
		job_order_make(job, action, 0, order_step_signed);
	}
}

void job_step_order(struct job *job)
{
	job_refresh(job, order_begin);
}
