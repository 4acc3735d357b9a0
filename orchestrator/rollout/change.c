/*
 * What people do to a rollout. It is refused before anything is written; else the rollout, its machines and the history
 * are written in one transaction.
 *
 * An approval counts from when it is given, so it may come before the ring is done, which then ends by itself (look.c). It
 * is no answer to a pause: where a person has paused the rollout, a person resumes it.
 */
#include "orchestrator/rollout/priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Nothing was changed: says what the rollout is that does not go with what was asked. */
static int rollout_refuse(struct failure *ret_failure, const struct rollout_row *row,
        const char *remedy, const char *what)
{
	failure_set(ret_failure, "rollout", row->service, remedy, "the rollout %s", what);
	return ROLLOUT_E_REFUSED;
}

/* A person blocked the release, so another one lets it go first. */
static int rollout_refuse_blocked(
        const struct rollouts *rollouts, const struct rollout_row *row, struct failure *ret_failure)
{
	char why[sizeof(row->why)];

	if (!rollout_is_blocked(rollouts, row, why)) {
		return 0;
	}
	failure_set(ret_failure, "blocked", row->service,
	        "`luctl release clear` lifts that; or let the rollout be", "%s", why);
	return ROLLOUT_E_REFUSED;
}

/* To the next ring where this one is done, else on with it. One that was aborted has what failed tried again. */
static int rollout_resume(
        struct rollouts *rollouts, struct rollout_txn *txn, struct failure *ret_failure)
{
	struct rollout_row *row = txn->row;
	struct rollout_look look = {
	        .rollouts = rollouts, .row = row, .again = row->state == ROLLOUT_ABORTED};
	int r;

	if (row->state != ROLLOUT_PAUSED && row->state != ROLLOUT_ABORTED) {
		return rollout_refuse(
		        ret_failure, row, "`luctl rollout status` shows it", "is not paused");
	}
	r = rollout_refuse_blocked(rollouts, row, ret_failure);
	if (!r) {
		r = rollout_look_machines(&look);
	}
	if (!r && !look.n_pending && !rollout_is_approved(&look)) {
		return rollout_refuse(ret_failure, row,
		        "`luctl rollout approve` by as many persons as the policy asks for",
		        "waits for approvals");
	}
	if (!r) {
		txn->again = look.again;
		rollout_ring_begin(row,
		        row->ring + (!look.n_pending && rollout_has_ring(&look, row->ring + 1)));
	}
	return err_up(r);
}

/* An approval is a row of the history; what follows from enough of them, a look finds. */
static int rollout_approve(const struct rollout_row *row, struct failure *ret_failure)
{
	return row->is_open ? 0
	                    : rollout_refuse(ret_failure, row, "`luctl rollout status` shows it",
	                              "is over");
}

/* Approvals are not passed by: whoever may promote cannot agree for others. */
static int rollout_promote(
        struct rollouts *rollouts, struct rollout_row *row, struct failure *ret_failure)
{
	struct rollout_look look = {.rollouts = rollouts, .row = row};
	int r = rollout_refuse_blocked(rollouts, row, ret_failure);

	if (!r) {
		r = rollout_look_machines(&look);
	}
	if (!r && (!row->is_open || !rollout_is_approved(&look))) {
		return rollout_refuse(ret_failure, row, "see `luctl rollout status`",
		        row->is_open ? "waits for approvals" : "is over");
	}
	while (!r && rollout_has_ring(&look, row->ring + 1)) {
		row->ring++;
	}
	rollout_set(row, ROLLOUT_PROMOTED, "");
	return err_up(r);
}

/* A pause and an abort have who and why in the row, for all who look at it. */
static int rollout_stop(struct rollout_row *row, enum rollout_state state,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	char why[160];

	if (!row->is_open) {
		return rollout_refuse(
		        ret_failure, row, "`luctl rollout status` shows it", "is over");
	}
	snprintf(why, sizeof(why), "%.60s%s%.90s", asked->who->name, *asked->reason ? ": " : "",
	        asked->reason);
	rollout_set(row, state, why);
	return 0;
}

static int rollout_by_hand(struct rollouts *rollouts, struct rollout_txn *txn,
        enum rollout_changed what, const struct rules_asked *asked, struct failure *ret_failure)
{
	switch (what) {
	case ROLLOUT_WAS_RESUMED:
		return rollout_resume(rollouts, txn, ret_failure);
	case ROLLOUT_WAS_PROMOTED:
		return rollout_promote(rollouts, txn->row, ret_failure);
	case ROLLOUT_WAS_APPROVED:
		return rollout_approve(txn->row, ret_failure);
	case ROLLOUT_WAS_PAUSED:
		return rollout_stop(txn->row, ROLLOUT_PAUSED, asked, ret_failure);
	case ROLLOUT_WAS_ABORTED:
		return rollout_stop(txn->row, ROLLOUT_ABORTED, asked, ret_failure);
	case ROLLOUT_WAS_STARTED:
	case ROLLOUT_WAS_NEXT:
	case ROLLOUT_WAS_DONE:
	case _ROLLOUT_CHANGED_N:
		break;
	}
	return err_raise(-EINVAL);
}

int rollouts_change(struct rollouts *rollouts, int64_t id, enum rollout_changed what,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	struct rollout_change_row change;
	struct rollout_row row;
	struct rollout_txn txn = {&row, &change, false};
	int r = store_rollout_find(rollouts->db, id, &row);

	if (!r) {
		r = rollout_by_hand(rollouts, &txn, what, asked, ret_failure);
	}
	if (!r) {
		change = rollout_change_of(&row, what, asked);
		r = rollout_write(rollouts, &txn);
	}
	if (!r) {
		rollout_tell(rollouts, &row, what);
		rollouts_kick(rollouts);
	}
	return err_up(r);
}
