/*
 * Which step follows, and when: the protocol of an update without anything that it does. Pure, so
 * that all pairs of a step and an event are tested on the host, and sets of any size.
 *
 *	NONE -> VERIFY -> CREATE -> PAIR -> PREPARE -> SWITCH -> TRANSFER -> COMMIT -> DONE -> NONE
 *	          |         |        |       ^  |         |          |          |       ^
 *	          +---------(--------(-------+  |         |          |          |       |
 *	         nothing    |        |          |         |          |          |       |
 *	         new        +--------+----------+----+----+----------+----------+       |
 *	                    ^                        v                                  |
 *	                    +------ retry ------ ROLLBACK ------------------------------+
 *
 *	event       from              to        when
 *	BEGIN       NONE              VERIFY    an order was accepted, or a check
 *	REACHED     any but NONE      the next  every component has done the step
 *	NO_NEWS     VERIFY            PREPARE   only asked whether services could be prepared
 *	ANSWERED    PREPARE           ROLLBACK  preparing was all that was asked
 *	FAILED      CREATE to COMMIT  ROLLBACK  refusal, cancel, limit, crash, failed transfer
 *	RETRY       ROLLBACK          CREATE    an arena was too small
 *
 * A step is a barrier: no component begins the next one before all have done this one. So either
 * every old instance works, or every one stands prepared, or every new one is behind its slot; and
 * what can refuse has been asked of all before anything is done to the first.
 *
 * VERIFY cannot fail: everything that could refuse an order was asked before it was accepted. DONE
 * and ROLLBACK cannot fail: taking back must work, or RS has lost count of the machine.
 */
#include "osd/servers/rs/update/priv.h"

/* A second arena is four times as large; what does not fit into that will not fit. */
#define TXN_ARENA_RETRIES 1

/* Where a step leads when every component has done it. */
static enum rs_step step_after(enum rs_step step)
{
	static const enum rs_step after[RS_STEP_N] = {
	        [RS_STEP_NONE] = RS_STEP_N,
	        [RS_STEP_VERIFY] = RS_STEP_CREATE,
	        [RS_STEP_CREATE] = RS_STEP_PAIR,
	        [RS_STEP_PAIR] = RS_STEP_PREPARE,
	        [RS_STEP_PREPARE] = RS_STEP_SWITCH,
	        [RS_STEP_SWITCH] = RS_STEP_TRANSFER,
	        [RS_STEP_TRANSFER] = RS_STEP_COMMIT,
	        [RS_STEP_COMMIT] = RS_STEP_DONE,
	        [RS_STEP_ROLLBACK] = RS_STEP_DONE,
	        [RS_STEP_DONE] = RS_STEP_NONE,
	};

	return after[step];
}

/* Can a component fail in this step? */
static bool step_may_fail(enum rs_step step)
{
	return step == RS_STEP_CREATE || step == RS_STEP_PAIR || step == RS_STEP_PREPARE ||
	       step == RS_STEP_SWITCH || step == RS_STEP_TRANSFER || step == RS_STEP_COMMIT;
}

enum rs_step txn_next(enum rs_step step, enum txn_event event)
{
	switch (event) {
	case TXN_BEGIN:
		return step == RS_STEP_NONE ? RS_STEP_VERIFY : RS_STEP_N;
	case TXN_REACHED:
		return step_after(step);
	case TXN_NO_NEWS:
		return step == RS_STEP_VERIFY ? RS_STEP_PREPARE : RS_STEP_N;
	case TXN_ANSWERED:
		return step == RS_STEP_PREPARE ? RS_STEP_ROLLBACK : RS_STEP_N;
	case TXN_FAILED:
		return step_may_fail(step) ? RS_STEP_ROLLBACK : RS_STEP_N;
	case TXN_RETRY:
		return step == RS_STEP_ROLLBACK ? RS_STEP_CREATE : RS_STEP_N;
	case _TXN_EVENT_N:
		break;
	}
	return RS_STEP_N;
}

/*
 * Marked by the name of the step, not by a flag, so that nothing has to be cleared when the step
 * changes: a mark of another step says nothing about this one.
 */
void txn_reach(const struct update_txn *txn, struct txn_component *c)
{
	c->reached = txn->step;
}

bool txn_is_awaited(const struct update_txn *txn, const struct txn_component *c)
{
	return c->reached != txn->step;
}

bool txn_is_reached(const struct update_txn *txn)
{
	for (uint32_t i = 0; i < txn->n_components; i++) {
		if (txn_is_awaited(txn, &txn->components[i])) {
			return false;
		}
	}
	return true;
}

struct txn_component *txn_slowest(struct update_txn *txn)
{
	for (uint32_t i = 0; i < txn->n_components; i++) {
		if (txn_is_awaited(txn, &txn->components[i])) {
			return &txn->components[i];
		}
	}
	return &txn->components[0];
}

struct txn_component *txn_subject(struct update_txn *txn)
{
	return txn->culprit != NULL ? txn->culprit : &txn->components[0];
}

bool txn_will_retry(const struct update_txn *txn)
{
	return txn->err == E_ARENA && txn->culprit->n_arena_lacks < TXN_ARENA_RETRIES;
}

endpoint_t txn_new_endpoint(const struct txn_component *c)
{
	return c->is_new_behind ? c->service->endpoint : c->instance.slot;
}

endpoint_t txn_old_endpoint(const struct txn_component *c)
{
	return c->is_new_behind ? c->instance.slot : c->service->endpoint;
}
