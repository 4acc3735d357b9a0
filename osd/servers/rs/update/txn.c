/*
 * The state machine of an update transaction.
 *
 *	NONE -> VERIFY -> CREATE -> PAIR -> PREPARE -> SWITCH -> TRANSFER -> COMMIT -> DONE -> NONE
 *	                    |        |        |          |          |          |        ^
 *	                    +--------+--------+----------+----------+----------+        |
 *	                                          |                                     |
 *	                    CREATE <---------- ROLLBACK --------------------------------+
 *	                  (arena too small, once)
 *
 *	from      to        by
 *	NONE      VERIFY    txn_begin
 *	VERIFY    CREATE    txn_step_verified: there is something new
 *	VERIFY    PREPARE   txn_step_verified: only asked whether it could be prepared
 *	CREATE    PAIR      txn_step_create
 *	PAIR      PREPARE   txn_new_report (READY)
 *	PREPARE   SWITCH    txn_old_prepared
 *	PREPARE   ROLLBACK  txn_old_prepared: preparing was all that was asked
 *	SWITCH    TRANSFER  txn_step_switch
 *	TRANSFER  COMMIT    txn_new_report (TRANSFERRED)
 *	COMMIT    DONE      txn_step_settle
 *	CREATE to COMMIT
 *	          ROLLBACK  txn_fail: refusal, cancel, time limit, crash, exit, failed transfer
 *	ROLLBACK  CREATE    txn_step_rolled_back: the arena was too small
 *	ROLLBACK  DONE      txn_step_rolled_back
 *	DONE      NONE      txn_step_done
 *
 * In every state:
 *  - the service is UPDATING from the end of VERIFY to DONE, and UP before and after;
 *  - is_new_behind holds in TRANSFER and COMMIT, and on the way into ROLLBACK from there;
 *  - an old instance that reported PREPARED is resumed exactly once, unless it is replaced by
 *    COMMIT;
 *  - what the transaction made (instance, references to blobs) is gone in DONE.
 *
 * Steps that wait for nobody (VERIFY, CREATE, SWITCH, ROLLBACK, DONE) are worked on by txn_run,
 * after the reply to whoever caused them; the others move on events and time limits.
 */
#include "osd/servers/rs/update/txn.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/life/event.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/life/instance.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/limit.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/update/result.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/base/text.h"

#define TXN_PREPARE_TIMEOUT (2 * NSEC_SEC)
#define TXN_TRANSFER_TIMEOUT (2 * NSEC_SEC)
#define TXN_PAIR_TIMEOUT (5 * NSEC_SEC)
#define TXN_TOTAL_TIMEOUT (15 * NSEC_SEC)
#define TXN_HOLD (20 * NSEC_MSEC)
#define TXN_LIMIT_MAX (3600 * NSEC_SEC)
#define TXN_ARENA_TRIES 2

static struct update_txn txn_table[TXN_TABLE_SIZE];

static const char *const txn_step_names[RS_STEP_N] = {
        [RS_STEP_NONE] = "none",
#define STEP(name, word, blame) [RS_STEP_##name] = word,
#include "proto/words/steps.def"
#undef STEP
};

struct update_txn *txn_running(void)
{
	for (uint32_t i = 0; i < TXN_TABLE_SIZE; i++) {
		if (txn_table[i].step != RS_STEP_NONE) {
			return &txn_table[i];
		}
	}
	return NULL;
}

endpoint_t txn_new_endpoint(const struct update_txn *txn)
{
	return txn->is_new_behind ? txn->service->endpoint : txn->instance.slot;
}

static bool txn_may_move(enum rs_step from, enum rs_step to)
{
	static const uint16_t moves[RS_STEP_N] = {
	        [RS_STEP_NONE] = 1u << RS_STEP_VERIFY,
	        [RS_STEP_VERIFY] = 1u << RS_STEP_CREATE | 1u << RS_STEP_PREPARE,
	        [RS_STEP_CREATE] = 1u << RS_STEP_PAIR | 1u << RS_STEP_ROLLBACK,
	        [RS_STEP_PAIR] = 1u << RS_STEP_PREPARE | 1u << RS_STEP_ROLLBACK,
	        [RS_STEP_PREPARE] = 1u << RS_STEP_SWITCH | 1u << RS_STEP_ROLLBACK,
	        [RS_STEP_SWITCH] = 1u << RS_STEP_TRANSFER | 1u << RS_STEP_ROLLBACK,
	        [RS_STEP_TRANSFER] = 1u << RS_STEP_COMMIT | 1u << RS_STEP_ROLLBACK,
	        [RS_STEP_COMMIT] = 1u << RS_STEP_DONE | 1u << RS_STEP_ROLLBACK,
	        [RS_STEP_ROLLBACK] = 1u << RS_STEP_CREATE | 1u << RS_STEP_DONE,
	        [RS_STEP_DONE] = 1u << RS_STEP_NONE,
	};

	return moves[from] >> to & 1;
}

/* The invariants of the top comment. */
static void txn_check(const struct update_txn *txn)
{
	bool is_swapped_step = txn->step == RS_STEP_TRANSFER || txn->step == RS_STEP_COMMIT;
	bool is_over = txn->step == RS_STEP_DONE || txn->step == RS_STEP_NONE;

	if ((is_swapped_step && !txn->is_new_behind) ||
	        (is_over && (txn->is_new_behind || txn->is_old_prepared ||
	                            txn->instance.slot != EP_NONE))) {
		rs_panic("a transaction is not what its step says");
	}
}

void txn_set_step(struct update_txn *txn, enum rs_step step)
{
	if (!txn_may_move(txn->step, step)) {
		rs_panic("a transaction made an impossible move");
	}
	txn->step = step;
	txn->deadline = NSEC_NEVER;
	txn->poll_at = NSEC_NEVER;
	txn_check(txn);
	if (step == RS_STEP_NONE) {
		return;
	}
	if (txn->result->step_at[step] == 0) {
		txn->result->step_at[step] = sys_clock_read();
	}
	if (step != RS_STEP_DONE && step != RS_STEP_ROLLBACK) {
		txn->result->step = step;
	}
	journal_quiet(step == RS_STEP_SWITCH || step == RS_STEP_TRANSFER ||
	              step == RS_STEP_COMMIT || step == RS_STEP_ROLLBACK);
	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_STEP,
	        .step = step,
	        .transaction = txn->plan.number,
	        .err = txn->result->err,
	        .service = txn->plan.service,
	        .text = txn_step_names[step],
	});
	hook_step(txn);
}

static nsec_t txn_limit(nsec_t asked, nsec_t usual)
{
	if (asked == 0) {
		return usual;
	}
	return asked < TXN_LIMIT_MAX ? asked : TXN_LIMIT_MAX;
}

static void txn_cause(struct update_txn *txn, err_t err, const char *message)
{
	struct text text;

	if (txn->result->err != E_OK) {
		return;
	}
	txn->result->err = err;
	if (txn->result->transfer.message[0] == '\0') {
		text = text_init(txn->result->transfer.message, SEF_TEXT_LEN);
		text_add(&text, message);
	}
}

void txn_fail(struct update_txn *txn, err_t err, const char *message)
{
	txn_cause(txn, err, message);
	txn->outcome = RS_OUTCOME_ROLLED_BACK;
	txn_set_step(txn, RS_STEP_ROLLBACK);
}

struct rs_result *txn_begin(const struct update_plan *plan, uint32_t state, struct service *service,
        const struct binary *binary)
{
	static uint64_t n_begun;
	struct update_txn *txn = &txn_table[0];
	nsec_t now = sys_clock_read();

	memset(txn, 0, sizeof(*txn));
	txn->plan = *plan;
	txn->ticket = ++n_begun;
	txn->state = state;
	txn->service = service;
	if (binary != NULL) {
		txn->binary = *binary;
	}
	txn->instance = (struct instance){.slot = EP_NONE};
	txn->total_deadline = now + txn_limit(plan->total_timeout, TXN_TOTAL_TIMEOUT);
	txn->outcome = RS_OUTCOME_RUNNING;
	txn->result = result_open(plan->number);
	txn->result->outcome = RS_OUTCOME_RUNNING;
	txn->result->action = plan->action;
	txn->result->started = now;
	txn->result->image_bytes = txn->binary.payload_bytes;
	memcpy(txn->result->service, plan->service, SERVICE_NAME_LEN);
	txn_set_step(txn, RS_STEP_VERIFY);
	return txn->result;
}

err_t txn_cancel(const char *why)
{
	struct update_txn *txn = txn_running();

	if (txn == NULL) {
		return E_NOTFOUND;
	}
	if (txn->step != RS_STEP_VERIFY && txn->step != RS_STEP_PAIR &&
	        txn->step != RS_STEP_PREPARE) {
		return E_STATE;
	}
	if (txn->step == RS_STEP_VERIFY) {
		txn_run(); /* nothing is there to undo before it has begun */
	}
	txn_fail(txn, E_CANCELLED, why);
	txn_run();
	return E_OK;
}

err_t txn_state_find(const char name[SERVICE_NAME_LEN], uint32_t *ret_state)
{
	static const struct {
		const char *name;
		uint32_t state;
	} names[] = {
#define QUIESCENT(name, number, word, use) {word, number},
#include "proto/words/quiescent.def"
#undef QUIESCENT
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(names[i].name, name, SERVICE_NAME_LEN) == 0) {
			*ret_state = names[i].state;
			return E_OK;
		}
	}
	return hook_state(name, ret_state);
}

/* Enter PREPARE and ask for the first time. */
static void txn_begin_prepare(struct update_txn *txn)
{
	txn_set_step(txn, RS_STEP_PREPARE);
	txn->deadline =
	        sys_clock_read() + txn_limit(txn->plan.prepare_timeout, TXN_PREPARE_TIMEOUT);
	txn->poll_pause = NSEC_MSEC;
	txn_step_prepare(txn);
}

/* Everything was verified before the transaction began. */
static void txn_step_verified(struct update_txn *txn)
{
	service_set_state(txn->service, RS_SERVICE_UPDATING);
	if (txn->binary.image.header != NULL) {
		txn_set_step(txn, RS_STEP_CREATE);
	} else {
		txn_begin_prepare(txn);
	}
}

static void txn_step_created(struct update_txn *txn)
{
	txn_step_create(txn);
	if (txn->step == RS_STEP_PAIR) {
		txn->deadline = sys_clock_read() + TXN_PAIR_TIMEOUT;
	}
}

static void txn_step_switched(struct update_txn *txn)
{
	txn_step_switch(txn);
	if (txn->step == RS_STEP_TRANSFER) {
		txn->deadline = sys_clock_read() +
		                txn_limit(txn->plan.transfer_timeout, TXN_TRANSFER_TIMEOUT);
	}
}

bool txn_will_retry(const struct update_txn *txn)
{
	return txn->result->err == E_ARENA && txn->result->n_arena_tries < TXN_ARENA_TRIES &&
	       !txn->is_old_ended;
}

static void txn_step_rolled_back(struct update_txn *txn)
{
	struct rs_result *result = txn->result;
	bool will_retry = txn_will_retry(txn);

	txn_step_rollback(txn);
	if (will_retry) {
		result->err = E_OK;
		txn->outcome = RS_OUTCOME_RUNNING;
		memset(&result->transfer, 0, sizeof(result->transfer));
		txn_set_step(txn, RS_STEP_CREATE);
		return;
	}
	txn_set_step(txn, RS_STEP_DONE);
}

static void txn_finish_result(struct update_txn *txn)
{
	const struct service *service = txn->service;
	struct rs_result *result = txn->result;

	result->outcome = txn->outcome;
	if (service != NULL && service->binary.image.header != NULL) {
		result->generation = service->binary.generation.number;
		result->generation_epoch = service->binary.generation.epoch;
		result->base = service->binary.image.header->base;
		memcpy(result->build_id, service->binary.image.header->build_id,
		        sizeof(result->build_id));
	}
	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_RESULT,
	        .step = result->step,
	        .transaction = txn->plan.number,
	        .err = result->err,
	        .service = result->service,
	        .text = result->transfer.message,
	});
}

/* Let go of what is left; a crash of the old instance is recovered now. */
static void txn_step_done(struct update_txn *txn)
{
	struct service *service = txn->service;
	bool is_old_ended = txn->is_old_ended;

	binary_release(&txn->binary);
	if (service != NULL && service->state == RS_SERVICE_UPDATING) {
		service_set_state(service, RS_SERVICE_RUNNING);
		recover_heartbeat_arm(service, sys_clock_read());
	}
	txn_finish_result(txn);
	txn_set_step(txn, RS_STEP_NONE);
	if (is_old_ended) {
		recover_crash(service, txn->crash_err, txn->crash_text);
	}
}

static void txn_run_one(struct update_txn *txn)
{
	enum rs_step before;

	do {
		before = txn->step;
		switch (txn->step) {
		case RS_STEP_VERIFY:
			txn_step_verified(txn);
			break;
		case RS_STEP_CREATE:
			txn_step_created(txn);
			break;
		case RS_STEP_SWITCH:
			txn_step_switched(txn);
			break;
		case RS_STEP_ROLLBACK:
			txn_step_rolled_back(txn);
			break;
		case RS_STEP_DONE:
			txn_step_done(txn);
			break;
		case RS_STEP_NONE:
		case RS_STEP_PAIR:
		case RS_STEP_PREPARE:
		case RS_STEP_TRANSFER:
		case RS_STEP_COMMIT:
		case RS_STEP_N:
			break;
		}
	} while (txn->step != before);
}

void txn_run(void)
{
	for (uint32_t i = 0; i < TXN_TABLE_SIZE; i++) {
		txn_run_one(&txn_table[i]);
	}
}

/*
 * The new instance is good for nothing any more. A touched page that was not
 * backed is a lack of arena.
 */
static void txn_new_ended(struct update_txn *txn, const struct slot_event *event)
{
	char text[96];
	vaddr_t heap = txn->instance.heap;
	bool is_heap = event->kind == SLOT_EVENT_FAULT && event->w[0] == FAULT_PAGE_UNCOMMITTED &&
	               event->w[1] - heap < txn->instance.heap_limit;

	event_describe(event, text, sizeof(text));
	txn_fail(txn, is_heap ? E_ARENA : event_error(event), text);
}

/* A report of the new instance. */
static void txn_new_report(struct update_txn *txn, const struct slot_event *event)
{
	switch (event->w[0]) {
	case SEF_REPORT_READY:
		if (txn->step == RS_STEP_PAIR) {
			txn_begin_prepare(txn);
			return;
		}
		break;
	case SEF_REPORT_TRANSFERRED:
		if (txn->step == RS_STEP_TRANSFER) {
			txn_read_transfer(txn, event->w[1]);
			txn_set_step(txn, RS_STEP_COMMIT);
			txn_step_commit(txn);
			return;
		}
		break;
	case SEF_REPORT_FAILED:
		txn_read_transfer(txn, event->w[1]);
		txn_fail(txn, txn->result->transfer.err, "the new instance gave up");
		return;
	default:
		break;
	}
	txn_new_ended(txn, event);
}

static void txn_old_prepared(struct update_txn *txn, const struct slot_event *event)
{
	nsec_t hold = txn_limit(txn->plan.hold, TXN_HOLD);
	bool is_wanted = txn->step == RS_STEP_PREPARE && event->w[1] == txn->ticket;

	if (!is_wanted) {
		(void)sys_slot_resume(event->endpoint, SEF_RESUME_ROLLED_BACK);
		return;
	}
	if (sys_clock_read() - event->at > hold) {
		/* RS was kept from it for too long: let it go and ask again. */
		(void)sys_slot_resume(event->endpoint, SEF_RESUME_RETRY);
		txn->poll_at = sys_clock_read() + txn->poll_pause;
		return;
	}
	txn->is_old_prepared = true;
	txn->prepared_at = event->at;
	if (txn->plan.action == ORDER_PREPARE) {
		txn->outcome = RS_OUTCOME_PREPARED;
		txn_set_step(txn, RS_STEP_ROLLBACK);
		return;
	}
	txn_set_step(txn, RS_STEP_SWITCH);
}

/* The running instance is lost before it was replaced: recovery follows the rollback. */
static void txn_old_ended(struct update_txn *txn, err_t err, const char *why)
{
	struct text text = text_init(txn->crash_text, sizeof(txn->crash_text));

	text_add(&text, why);
	txn->crash_err = err;
	txn->is_old_ended = true;
	text = text_init(txn->result->transfer.message, SEF_TEXT_LEN);
	text_add(&text, "the running instance ended: ");
	text_add(&text, why);
	txn_fail(txn, err, "");
}

static void txn_old_event(struct update_txn *txn, const struct slot_event *event)
{
	char why[sizeof(txn->crash_text)];

	if (event->kind == SLOT_EVENT_REPORT && event->w[0] == SEF_REPORT_PREPARED) {
		txn_old_prepared(txn, event);
		return;
	}
	event_describe(event, why, sizeof(why));
	txn_old_ended(txn, event_error(event), why);
}

/* Events that come when the transaction is past caring: the slots are dealt with already. */
static bool txn_is_open(const struct update_txn *txn)
{
	return txn->step == RS_STEP_PAIR || txn->step == RS_STEP_PREPARE ||
	       txn->step == RS_STEP_TRANSFER || txn->step == RS_STEP_COMMIT;
}

bool txn_event(const struct slot_event *event)
{
	struct update_txn *txn = txn_running();
	bool is_new;

	if (txn == NULL || txn->service == NULL || !txn_is_open(txn)) {
		return false;
	}
	is_new = event->endpoint == txn_new_endpoint(txn);
	if (!is_new && event->endpoint != txn->service->endpoint) {
		return false;
	}
	if (txn->step == RS_STEP_COMMIT) {
		/*
		 * It is the service now: end the transaction, then this is a
		 * crash like any other.
		 */
		txn_step_settle(txn, true);
		txn_run();
		return false;
	}
	if (!is_new) {
		txn_old_event(txn, event);
	} else if (event->kind == SLOT_EVENT_REPORT) {
		txn_new_report(txn, event);
	} else {
		txn_new_ended(txn, event);
	}
	txn_run();
	return true;
}

void txn_refused(const struct message *msg)
{
	struct update_txn *txn = txn_running();
	err_t why = (err_t)msg->w[1];

	if (txn == NULL || txn->step != RS_STEP_PREPARE || msg->source != txn->service->endpoint ||
	        msg->w[0] != txn->ticket) {
		return;
	}
	if (why == E_BUSY || why == E_AGAIN) {
		txn->poll_at = sys_clock_read() + txn->poll_pause;
		return;
	}
	txn_fail(txn, why < 0 ? why : E_REFUSED, "the service refused to be prepared");
	txn_run();
}

/* Is the old instance left at work, so that its heartbeat counts? */
static bool txn_is_watched(const struct update_txn *txn)
{
	return !txn->is_old_prepared && (txn->step == RS_STEP_PAIR || txn->step == RS_STEP_PREPARE);
}

bool txn_is_holding(endpoint_t endpoint)
{
	const struct update_txn *txn = txn_running();

	return txn != NULL && txn->step != RS_STEP_COMMIT && txn->is_new_behind &&
	       txn->service->endpoint == endpoint;
}

void txn_tick(nsec_t now)
{
	struct update_txn *txn = txn_running();

	if (txn == NULL) {
		return;
	}
	if (txn->step == RS_STEP_COMMIT) {
		if (now >= txn->poll_at || now >= txn->deadline) {
			txn_step_settle(txn, false);
		}
	} else if (now >= txn->deadline) {
		txn_fail(txn, E_TIMEOUT, "time limit of the step");
	} else if (now >= txn->total_deadline && txn->step != RS_STEP_TRANSFER) {
		txn_fail(txn, E_TIMEOUT, "time limit of the transaction");
	} else if (now >= txn->poll_at && txn->step == RS_STEP_PREPARE) {
		txn->poll_pause *= 2;
		txn_step_prepare(txn);
	}
	txn_run();
	if (txn_is_watched(txn) && !recover_watch(txn->service, now)) {
		txn_old_ended(txn, E_TIMEOUT, RECOVER_SILENT);
		txn_run();
	}
}

nsec_t txn_next_deadline(void)
{
	const struct update_txn *txn = txn_running();
	nsec_t next;

	if (txn == NULL) {
		return NSEC_NEVER;
	}
	next = txn->deadline < txn->poll_at ? txn->deadline : txn->poll_at;
	if (txn->step == RS_STEP_PAIR || txn->step == RS_STEP_PREPARE) {
		next = txn->total_deadline < next ? txn->total_deadline : next;
	}
	if (txn_is_watched(txn) && txn->service->ping_at < next) {
		next = txn->service->ping_at;
	}
	return next;
}

void txn_extend(nsec_t by)
{
	struct update_txn *txn = txn_running();

	if (txn == NULL) {
		return;
	}
	txn->deadline = limit_extend(txn->deadline, by);
	txn->total_deadline = limit_extend(txn->total_deadline, by);
	txn->poll_at = limit_extend(txn->poll_at, by);
}
