/*
 * What people do to a rollout. It is refused before anything is written, or done with its row in the history.
 */
#include "orchestrator/rollout/priv.h"

#include <stdio.h>
#include <string.h>

/* Nothing was changed: says what the rollout is that does not go with what was asked. */
static int rollout_refuse(struct failure *ret_failure, const struct rollout_row *row,
        const char *remedy, const char *what)
{
	failure_set(ret_failure, "rollout", row->service, remedy, "the rollout %s", what);
	return ROLLOUT_E_REFUSED;
}

/* One that failed is as if it had not been asked: a new job decides. */
static int rollout_again_member(const struct rollout_member_row *was, void *arg)
{
	struct rollouts *rollouts = arg;
	struct rollout_member_row member = *was;

	if (was->state != ROLLOUT_IS_FAILED) {
		return 0;
	}
	member.after = was->job;
	member.state = ROLLOUT_IS_WAITING;
	return err_up(db_txn(rollouts->db, rollout_member_txn, &member));
}

/* To the next ring where this one is done, else on with it; those that failed count no more after an abort. */
static int rollout_resume(
        struct rollouts *rollouts, struct rollout_row *row, struct failure *ret_failure)
{
	struct rollout_look look = {.rollouts = rollouts, .row = row};
	int64_t approved = 0;
	int r = 0;

	if (row->state != ROLLOUT_PAUSED && row->state != ROLLOUT_ABORTED) {
		return rollout_refuse(
		        ret_failure, row, "`luctl rollout status` shows it", "is not paused");
	}
	if (row->state == ROLLOUT_ABORTED) {
		r = store_rollout_member_each(
		        rollouts->db, row->id, rollout_again_member, rollouts);
	}
	if (!r) {
		r = rollout_look_machines(&look);
	}
	if (!r) {
		r = store_rollout_approvals(rollouts->db, row->id, row->ring, &approved);
	}
	if (!r && !look.n_pending && approved < look.ring.approvals) {
		return rollout_refuse(ret_failure, row,
		        "`luctl rollout approve` by as many persons as the policy asks for",
		        "waits for approvals");
	}
	if (!r) {
		rollout_ring_begin(row,
		        row->ring + (!look.n_pending && rollout_has_ring(&look, row->ring + 1)));
	}
	return err_up(r);
}

/* The one who approves counts already. What is approved before its ring is done goes on by itself then. */
static int rollout_approve(
        struct rollouts *rollouts, struct rollout_row *row, const struct rules_asked *asked)
{
	struct rollout_change_row change = rollout_change_of(row, ROLLOUT_WAS_APPROVED, asked);
	struct rollout_txn txn = {row, &change};
	struct failure none;
	int r = db_txn(rollouts->db, rollout_change_txn, &txn);

	if (!r && row->state == ROLLOUT_PAUSED) {
		r = rollout_resume(rollouts, row, &none);
		if (!r) {
			change = rollout_change_of(row, ROLLOUT_WAS_NEXT, asked);
			r = db_txn(rollouts->db, rollout_change_txn, &txn);
		}
	}
	return r == ROLLOUT_E_REFUSED ? 0 : err_up(r);
}

/* Approvals are not passed by: whoever may promote cannot agree for others. */
static int rollout_promote(
        struct rollouts *rollouts, struct rollout_row *row, struct failure *ret_failure)
{
	struct rollout_look look = {.rollouts = rollouts, .row = row};
	int64_t approved = 0;
	int r = rollout_look_machines(&look);

	if (!r) {
		r = store_rollout_approvals(rollouts->db, row->id, row->ring, &approved);
	}
	if (!r && (!row->is_open || approved < look.ring.approvals)) {
		return rollout_refuse(ret_failure, row, "see `luctl rollout status`",
		        row->is_open ? "waits for approvals" : "is over");
	}
	while (!r && rollout_has_ring(&look, row->ring + 1)) {
		row->ring++;
	}
	rollout_set(row, ROLLOUT_PROMOTED, "");
	return err_up(r);
}

/* What one person decides, with the reason in the row for all who look at it. */
static int rollout_by_hand(struct rollouts *rollouts, struct rollout_row *row,
        enum rollout_changed what, const struct rules_asked *asked, struct failure *ret_failure)
{
	char why[160];

	snprintf(why, sizeof(why), "%.60s%s%.90s", asked->who->name, *asked->reason ? ": " : "",
	        asked->reason);
	if (what == ROLLOUT_WAS_RESUMED) {
		return rollout_resume(rollouts, row, ret_failure);
	}
	if (what == ROLLOUT_WAS_PROMOTED) {
		return rollout_promote(rollouts, row, ret_failure);
	}
	if (!row->is_open) {
		return rollout_refuse(
		        ret_failure, row, "`luctl rollout status` shows it", "is over");
	}
	rollout_set(row, what == ROLLOUT_WAS_PAUSED ? ROLLOUT_PAUSED : ROLLOUT_ABORTED, why);
	return 0;
}

/* An approval has a row of its own even where it changes nothing yet, since it is counted. */
int rollouts_change(struct rollouts *rollouts, int64_t id, enum rollout_changed what,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	struct rollout_change_row change;
	struct rollout_row row;
	struct rollout_txn txn = {&row, &change};
	int r = store_rollout_find(rollouts->db, id, &row);

	if (!r && what == ROLLOUT_WAS_APPROVED) {
		r = rollout_approve(rollouts, &row, asked);
	} else if (!r) {
		r = rollout_by_hand(rollouts, &row, what, asked, ret_failure);
		change = rollout_change_of(&row, what, asked);
		if (!r) {
			r = db_txn(rollouts->db, rollout_change_txn, &txn);
		}
	}
	if (!r) {
		rollout_tell(rollouts, &row);
		rollouts_kick(rollouts);
	}
	return err_up(r);
}
