/*
 * Rollouts.
 *
 *     start -> RUNNING --- a ring is done ---> the next ring, ... -> DONE
 *                 |  ^                    `--> PAUSED, where the policy says so --- a person, or enough of them ---.
 *                 |  `------------------------------------------------------------------------------------'
 *                 |--- its deadline, a person ----> PAUSED
 *                 |--- a newer release, a person -> ABORTED
 *                 |--- more failed than may ------> ABORTED --- a person: those that failed are tried again -> RUNNING
 *                 `--- a person ------------------> PROMOTED: all rings at once
 *
 * Cohorts: machines in the order of a hash of machine and release, so that no machine is always the first, and the
 * same ones are whenever it is asked. Which ring a machine is in is recorded when the rollout starts; one that comes
 * later is in the last.
 *
 * A look makes of the newest update of each machine what the machine is at, and of all machines what becomes of the
 * ring. So it may be repeated, and a lud that dies between a job's end and a look loses nothing. What is not known to
 * be well holds the ring until its deadline, which pauses it.
 */
#include "orchestrator/rollout/rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/rollout/priv.h"

#define ROLLOUT_SEC INT64_C(1000000)

struct rollout_change_row rollout_change_of(
        const struct rollout_row *row, enum rollout_changed what, const struct rules_asked *asked)
{
	struct rollout_change_row change = {.rollout = row->id,
	        .ring = row->ring,
	        .what = what,
	        .at_us = store_now_usec(),
	        .way = ACCESS_WAY_LUD};

	snprintf(change.identity, sizeof(change.identity), "policy %.50s", row->policy);
	snprintf(change.reason, sizeof(change.reason), "%s", row->why);
	if (asked) {
		change.way = asked->who->way;
		change.role = asked->who->role;
		change.uid = asked->who->uid;
		snprintf(change.identity, sizeof(change.identity), "%s", asked->who->name);
		snprintf(change.reason, sizeof(change.reason), "%s", asked->reason);
	}
	return change;
}

void rollout_set(struct rollout_row *row, enum rollout_state state, const char *why)
{
	row->state = state;
	row->state_us = store_now_usec();
	row->is_open = state != ROLLOUT_DONE && state != ROLLOUT_ABORTED;
	snprintf(row->why, sizeof(row->why), "%s", why);
}

void rollout_ring_begin(struct rollout_row *row, uint32_t ring)
{
	row->ring = ring;
	row->ring_us = store_now_usec();
	rollout_set(row, ROLLOUT_RUNNING, "");
}

/* The state and its reason in the history stand together, or neither does. */
static int rollout_change_txn(struct db *db, void *arg)
{
	struct rollout_txn *txn = arg;
	int r = store_rollout_update(db, txn->row);

	if (!r && txn->again) {
		r = store_rollout_member_again(db, txn->row->id);
	}
	return r || !txn->change ? err_up(r) : err_up(store_rollout_change_insert(db, txn->change));
}

int rollout_write(struct rollouts *rollouts, struct rollout_txn *txn)
{
	const char *what = txn->change ? rollout_changed_name(txn->change->what) : "";
	int r;

	hook_point(what, "did");
	r = db_effect(rollouts->db, rollout_change_txn, txn);
	hook_point(what, "end");
	return err_up(r);
}

void rollout_tell(
        struct rollouts *rollouts, const struct rollout_row *row, enum rollout_changed what)
{
	log_info("rollout %" PRId64 " of %s is %s%s%s", row->id, row->service,
	        rollout_state_name(row->state), *row->why ? ": " : "", row->why);
	rollouts->ops.changed(row, what, rollouts->arg);
}

/* "14:20 UTC", with the day where it is another one. */
static void rollout_time(int64_t usec, char ret_text[32])
{
	time_t at = (time_t)(usec / ROLLOUT_SEC);
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(ret_text, 32, "%Y-%m-%d %H:%M UTC", &tm);
}

void rollouts_ask(
        struct rollouts *rollouts, int64_t machine, int64_t release, struct rules_gate *gate)
{
	struct rollout_member_row member;
	struct rollout_ring_row now, own;
	struct rollout_row row;
	char until[32];
	int r = store_rollout_member(rollouts->db, release, machine, &row, &member);

	if (!r) {
		r = store_rollout_ring(rollouts->db, row.id, row.ring, &now);
	}
	if (!r) {
		r = store_rollout_ring(rollouts->db, row.id, member.ring, &own);
	}
	if (r) {
		err_forget();
		return;
	}
	gate->next_us = DECIDE_NEVER;
	if (row.state == ROLLOUT_PAUSED || row.state == ROLLOUT_ABORTED) {
		gate->is_open = false;
		gate->since_us = row.state_us;
		snprintf(gate->why, sizeof(gate->why), "rollout %" PRId64 " is %s: %.110s", row.id,
		        rollout_state_name(row.state), row.why);
	} else if (row.state == ROLLOUT_RUNNING && member.ring > row.ring) {
		gate->is_open = false;
		gate->next_us = row.ring_us + now.deadline_us;
		rollout_time(gate->next_us, until);
		snprintf(gate->why, sizeof(gate->why),
		        "it is in ring %.28s of rollout %" PRId64 ", and ring %.28s has until %s",
		        own.name, row.id, now.name, until);
	}
}

bool rollouts_is_aborted(
        struct rollouts *rollouts, int64_t machine, int64_t release, struct rollout_row *ret)
{
	struct rollout_member_row member;
	int r = store_rollout_member(rollouts->db, release, machine, ret, &member);

	err_forget();
	return !r && ret->state == ROLLOUT_ABORTED;
}

bool rollouts_bears(struct rollouts *rollouts, int64_t machine, const struct release_row *release)
{
	struct rollout_member_row member;
	struct rollout_row row;
	bool is_by_hand;
	int r = store_release_by_hand(rollouts->db, release, &is_by_hand);

	if (!r) {
		r = store_rollout_member(rollouts->db, release->id, machine, &row, &member);
	}
	err_forget();
	return !r && row.is_open && !is_by_hand;
}

bool rollout_is_blocked(const struct rollouts *rollouts, const struct rollout_row *row,
        char ret_why[sizeof(row->why)])
{
	struct release_row release;
	bool is_by_hand = false;
	int r = store_release_by_id(rollouts->db, row->release, &release);

	if (!r && release.blocked_us > row->created_us) {
		r = store_release_by_hand(rollouts->db, &release, &is_by_hand);
	}
	err_forget();
	if (r || !is_by_hand) {
		return false;
	}
	snprintf(ret_why, sizeof(row->why), "release %" PRId64 " is blocked: %.110s",
	        release.counter, release.blocked_why);
	return true;
}

bool rollouts_times(struct db *db, int64_t machine, int64_t release, int64_t *ret_soak_us,
        int64_t *ret_healthy_us)
{
	struct rollout_member_row member;
	struct rollout_ring_row ring;
	struct rollout_row row;
	int r = store_rollout_member(db, release, machine, &row, &member);

	if (!r) {
		r = store_rollout_ring(db, row.id, member.ring, &ring);
	}
	if (r) {
		err_forget();
		return false;
	}
	*ret_soak_us = ring.soak_us;
	*ret_healthy_us = ring.healthy_us;
	return true;
}

/* In the next turn of the loop: the one who calls may be in the middle of a job's end. */
void rollouts_kick(struct rollouts *rollouts)
{
	static const struct timeval now = {0, 0};

	evtimer_add(rollouts->look, &now);
}

struct rollouts *rollouts_new(struct event_base *base, struct db *db, struct rules *rules,
        const struct rollouts_ops *ops, void *arg)
{
	struct rollouts *rollouts = mem_zero(sizeof(*rollouts));

	*rollouts = (struct rollouts){.db = db, .rules = rules, .ops = *ops, .arg = arg};
	rollouts->look = evtimer_new(base, rollouts_on_look, rollouts);
	if (!rollouts->look) {
		abort();
	}
	return rollouts;
}

struct rollouts *rollouts_free(struct rollouts *rollouts)
{
	if (rollouts) {
		event_free(rollouts->look);
		free(rollouts);
	}
	return NULL;
}
