/*
 * What instances say to the transaction, and what their end means for it.
 *
 *	from  what                          in         then
 *	new   READY                         PAIR       it has paired the descriptions
 *	old   PREPARED                      PREPARE    it stands at its receive point
 *	old   SEF_PREPARE_REFUSED           PREPARE    busy: ask again later; else the end
 *	new   TRANSFERRED                   TRANSFER   the state is there, and checked
 *	new   FAILED, anything else, an end anywhere   rollback
 *	old   anything else, an end         anywhere   rollback, then recovery
 *	either, whatever                    COMMIT     too late: it is the service's own affair
 *
 * What an instance reports is copied and bounded, never followed. Reports of the old instance name
 * the transaction by its ticket: one that was asked by an earlier transaction may answer late.
 */
#include "osd/servers/rs/update/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/text.h"
#include "osd/servers/rs/life/event.h"

/* How long an old instance may have stood prepared when RS comes to it. */
#define REPORT_HOLD (20 * NSEC_MSEC)

static void report_terminate(char field[SEF_TEXT_LEN])
{
	field[SEF_TEXT_LEN - 1] = '\0';
}

/* Read what the new instance says of its transfer. */
static void report_read(struct txn_component *c, vaddr_t address)
{
	struct sef_transfer_result *transfer = &c->transfer;

	if (sys_copy(txn_new_endpoint(c), address, EP_SELF, (vaddr_t)transfer, sizeof(*transfer),
	            0) != E_OK) {
		memset(transfer, 0, sizeof(*transfer));
		transfer->err = E_TRANSFER;
	}
	transfer->err = transfer->err < 0 ? transfer->err : E_TRANSFER;
	report_terminate(transfer->element);
	report_terminate(transfer->message);
	report_terminate(transfer->removed);
}

/*
 * The new instance is good for nothing any more. A touched page that was not
 * backed is a lack of arena.
 */
static void report_new_ended(
        struct update_txn *txn, struct txn_component *c, const struct slot_event *event)
{
	char text[TXN_CRASH_TEXT];
	bool is_heap = event->kind == SLOT_EVENT_FAULT && event->w[0] == FAULT_PAGE_UNCOMMITTED &&
	               event->w[1] - c->instance.heap < c->instance.heap_limit;

	event_describe(event, &c->instance, &c->binary, text, sizeof(text));
	txn_fail(txn, c, is_heap ? E_ARENA : event_error(event), text);
}

static void report_new(
        struct update_txn *txn, struct txn_component *c, const struct slot_event *event)
{
	uint64_t what = event->kind == SLOT_EVENT_REPORT ? event->w[0] : 0;

	if (what == SEF_REPORT_READY && txn->step == RS_STEP_PAIR && txn_is_awaited(txn, c)) {
		txn_reach(txn, c);
	} else if (what == SEF_REPORT_TRANSFERRED && txn->step == RS_STEP_TRANSFER &&
	           txn_is_awaited(txn, c)) {
		report_read(c, event->w[1]);
		txn_reach(txn, c);
	} else if (what == SEF_REPORT_FAILED) {
		report_read(c, event->w[1]);
		txn_fail(txn, c, c->transfer.err, "the new instance gave up");
	} else {
		report_new_ended(txn, c, event);
	}
}

static void report_prepared(
        struct update_txn *txn, struct txn_component *c, const struct slot_event *event)
{
	nsec_t hold = txn->plan.hold != 0 ? txn->plan.hold : REPORT_HOLD;
	bool is_wanted = txn->step == RS_STEP_PREPARE && event->w[1] == txn->ticket;

	if (!is_wanted) {
		(void)sys_slot_resume(event->endpoint, SEF_RESUME_ROLLED_BACK);
		return;
	}
	if (sys_clock_read() - event->at > hold) {
		/* RS was kept from it for too long: release it and ask again. */
		(void)sys_slot_resume(event->endpoint, SEF_RESUME_RETRY);
		c->poll_at = sys_clock_read() + c->poll_pause;
		return;
	}
	c->is_old_prepared = true;
	c->prepared_at = event->at;
	txn_reach(txn, c);
}

static void report_old(
        struct update_txn *txn, struct txn_component *c, const struct slot_event *event)
{
	char why[TXN_CRASH_TEXT];

	if (event->kind == SLOT_EVENT_REPORT && event->w[0] == SEF_REPORT_PREPARED) {
		report_prepared(txn, c, event);
		return;
	}
	event_describe(event, &c->service->instance, &c->service->binary, why, sizeof(why));
	txn_lost(txn, c, event_error(event), why);
}

static struct txn_component *report_component(struct update_txn *txn, endpoint_t endpoint)
{
	for (uint32_t i = 0; i < txn->n_components; i++) {
		struct txn_component *c = &txn->components[i];

		if (endpoint == txn_new_endpoint(c) || endpoint == c->service->endpoint) {
			return c;
		}
	}
	return NULL;
}

bool report_event(struct update_txn *txn, const struct slot_event *event)
{
	struct txn_component *c = report_component(txn, event->endpoint);

	/* In a step that waits for nobody the slots are dealt with already. */
	if (c == NULL || !txn_is_waiting(txn)) {
		return false;
	}
	if (txn->step == RS_STEP_COMMIT) {
		/*
		 * It is the service now: end the transaction, then this is a crash like any other.
		 */
		for (uint32_t i = 0; i < txn->n_components; i++) {
			if (txn_is_awaited(txn, &txn->components[i])) {
				component_settle(txn, &txn->components[i]);
			}
		}
		txn_run(txn);
		return false;
	}
	if (event->endpoint == txn_new_endpoint(c)) {
		report_new(txn, c, event);
	} else {
		report_old(txn, c, event);
	}
	txn_run(txn);
	return true;
}

/*
 * The error that a refusal goes into the result with. It is the service's word: a lack of arena is
 * not for it to say, since RS would try again to make an instance, of which there may be none.
 */
static err_t report_refusal(err_t why)
{
	return why < 0 && why != E_ARENA ? why : E_REFUSED;
}

void report_refused(struct update_txn *txn, const struct message *msg)
{
	struct txn_component *c = report_component(txn, msg->source);
	err_t why = (err_t)msg->w[1];

	if (txn->step != RS_STEP_PREPARE || c == NULL || msg->source != c->service->endpoint ||
	        msg->w[0] != txn->ticket) {
		return;
	}
	if (why == E_BUSY || why == E_AGAIN) {
		c->poll_at = sys_clock_read() + c->poll_pause;
		return;
	}
	txn_fail(txn, c, report_refusal(why), "the service refused to be prepared");
	txn_run(txn);
}
