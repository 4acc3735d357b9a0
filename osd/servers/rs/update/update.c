/*
 * Owner of the update record: what comes in for the running transaction goes to txn.c and report.c
 * with the record as an argument. One transaction runs at a time; an order that needs the place of
 * another is refused as busy, with the running one's number.
 */
#include "osd/servers/rs/update/update.h"

#include "osd/servers/rs/update/priv.h"

static struct update update_state;

struct update *update_record(void)
{
	return &update_state;
}

static struct update_txn *update_txn(void)
{
	return update_state.txn.step != RS_STEP_NONE ? &update_state.txn : NULL;
}

struct trust_number update_running(void)
{
	const struct update_txn *txn = update_txn();

	return txn != NULL ? txn->plan.number : (struct trust_number){0};
}

bool update_gives_way(void)
{
	const struct update_txn *txn = update_txn();

	return txn != NULL && txn->plan.number.epoch == 0 && txn_is_open(txn);
}

void update_give_way(const char *why)
{
	if (update_gives_way()) {
		(void)txn_cancel(update_txn(), why);
	}
}

bool update_is_moving(void)
{
	const struct update_txn *txn = update_txn();

	return txn != NULL && txn->plan.is_move;
}

const struct rs_result *update_moved(void)
{
	return &update_state.moved;
}

bool update_is_holding(endpoint_t endpoint)
{
	const struct update_txn *txn = update_txn();

	for (uint32_t i = 0; txn != NULL && i < txn->n_components; i++) {
		const struct txn_component *c = &txn->components[i];

		if (txn->step != RS_STEP_COMMIT && c->is_new_behind &&
		        c->service->endpoint == endpoint) {
			return true;
		}
	}
	return false;
}

void update_run(void)
{
	struct update_txn *txn = update_txn();

	if (txn != NULL) {
		txn_run(txn);
	}
}

bool update_event(const struct slot_event *event)
{
	struct update_txn *txn = update_txn();

	return txn != NULL && report_event(txn, event);
}

void update_refused(const struct message *msg)
{
	struct update_txn *txn = update_txn();

	if (txn != NULL) {
		report_refused(txn, msg);
	}
}

void update_signal(nsec_t now)
{
	struct update_txn *txn = update_txn();

	if (txn != NULL) {
		txn_signal(txn, now);
	}
}

void update_tick(nsec_t now)
{
	struct update_txn *txn = update_txn();

	if (txn != NULL) {
		txn_tick(txn, now);
	}
}

nsec_t update_next_deadline(void)
{
	const struct update_txn *txn = update_txn();

	return txn != NULL ? txn_next_deadline(txn) : NSEC_NEVER;
}

void update_extend(nsec_t by)
{
	struct update_txn *txn = update_txn();

	if (txn != NULL) {
		txn_extend(txn, by);
	}
}
