/*
 * Rollouts: one row each, with rows for its rings, its machines, and what was decided. Whatever they say of a
 * machine follows from its jobs, and is made of them again when it may have changed.
 */
#include "orchestrator/store/rollouts.h"

#include "orchestrator/store/priv.h"

STORE_VISITOR(rollout)
STORE_VISITOR(rollout_ring)
STORE_VISITOR(rollout_member)
STORE_VISITOR(rollout_change)

int store_rollout_insert(struct db *db, struct rollout_row *row)
{
	int r = store_insert(db, STORE_rollout, row, NULL);

	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_rollout_ring_insert(struct db *db, const struct rollout_ring_row *row)
{
	return err_fold(store_insert(db, STORE_rollout_ring, row, NULL));
}

int store_rollout_member_insert(struct db *db, const struct rollout_member_row *row)
{
	return err_fold(store_insert(db, STORE_rollout_member, row, NULL));
}

int store_rollout_change_insert(struct db *db, const struct rollout_change_row *row)
{
	return err_fold(store_insert(db, STORE_rollout_change, row, NULL));
}

int store_rollout_update(struct db *db, const struct rollout_row *row)
{
	return err_fold(store_update(db, STORE_rollout, row, NULL));
}

int store_rollout_member_update(struct db *db, const struct rollout_member_row *row)
{
	return err_fold(store_update(db, STORE_rollout_member, row, NULL));
}

int store_rollout_member_again(struct db *db, int64_t rollout)
{
	return err_fold(db_run(db,
	        "UPDATE rollout_members SET after = job, state = ? WHERE rollout = ?"
	        " AND state IN (?, ?)",
	        "iiii", (int64_t)ROLLOUT_IS_WAITING, rollout, (int64_t)ROLLOUT_IS_FAILED,
	        (int64_t)ROLLOUT_IS_LEFT_OUT));
}

int store_rollout_find(struct db *db, int64_t id, struct rollout_row *ret)
{
	return err_up(store_one(db, STORE_rollout, ret, "WHERE rollouts.id = ?", "i", id));
}

int store_rollout_of(struct db *db, int64_t release, const char *policy, struct rollout_row *ret)
{
	return err_up(store_one(db, STORE_rollout, ret,
	        "WHERE release = ? AND policy = ? ORDER BY id DESC LIMIT 1", "it", release,
	        policy));
}

int store_rollout_older(struct db *db, const struct rollout_row *row, struct rollout_row *ret)
{
	return err_up(store_one(db, STORE_rollout, ret,
	        "WHERE is_open AND policy = ? AND service = ? AND"
	        " (SELECT counter FROM releases WHERE id = rollouts.release) <"
	        " (SELECT counter FROM releases WHERE id = ?) LIMIT 1",
	        "tti", row->policy, row->service, row->release));
}

int store_rollout_member(struct db *db, int64_t release, int64_t machine, struct rollout_row *ret,
        struct rollout_member_row *ret_member)
{
	int r = store_one(db, STORE_rollout, ret,
	        "WHERE release = ? AND EXISTS (SELECT 1 FROM rollout_members m"
	        " WHERE m.rollout = rollouts.id AND m.machine = ?) ORDER BY id DESC LIMIT 1",
	        "ii", release, machine);

	return r ? err_up(r)
	         : err_up(store_one(db, STORE_rollout_member, ret_member,
	                   "WHERE rollout = ? AND machine = ?", "ii", ret->id, machine));
}

int store_rollout_ring(struct db *db, int64_t rollout, uint32_t n, struct rollout_ring_row *ret)
{
	return err_up(store_one(db, STORE_rollout_ring, ret, "WHERE rollout = ? AND n = ?", "ii",
	        rollout, (int64_t)n));
}

int store_rollout_each_open(struct db *db, store_rollout_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout, store_rollout_visit, STORE_VISIT(fn, arg),
	        "WHERE is_open ORDER BY id", ""));
}

int store_rollout_page(struct db *db, int64_t before, int64_t limit, store_rollout_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout, store_rollout_visit, STORE_VISIT(fn, arg),
	        "WHERE id < ? ORDER BY id DESC LIMIT ?", "ii", before ? before : INT64_MAX, limit));
}

int store_rollout_amiss(struct db *db, store_rollout_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout, store_rollout_visit, STORE_VISIT(fn, arg),
	        "WHERE state = ? OR (state = ? AND NOT EXISTS (SELECT 1 FROM rollouts n"
	        " WHERE n.policy = rollouts.policy AND n.service = rollouts.service"
	        " AND n.id > rollouts.id)) ORDER BY id DESC LIMIT 64",
	        "ii", (int64_t)ROLLOUT_PAUSED, (int64_t)ROLLOUT_ABORTED));
}

int store_rollout_ring_each(struct db *db, int64_t rollout, store_rollout_ring_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout_ring, store_rollout_ring_visit,
	        STORE_VISIT(fn, arg), "WHERE rollout = ? ORDER BY n", "i", rollout));
}

int store_rollout_member_each(struct db *db, int64_t rollout, store_rollout_member_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout_member, store_rollout_member_visit,
	        STORE_VISIT(fn, arg), "WHERE rollout = ? ORDER BY ring, machines.name", "i",
	        rollout));
}

/* By machine and not by ring and name, which no index has: whoever has all pages sorts them. */
int store_rollout_member_page(struct db *db, int64_t rollout, int64_t after, int64_t limit,
        store_rollout_member_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout_member, store_rollout_member_visit,
	        STORE_VISIT(fn, arg),
	        "WHERE rollout = ? AND machine > ? AND machines.removed_us = 0"
	        " ORDER BY machine LIMIT ?",
	        "iii", rollout, after, limit));
}

int store_rollout_change_each(
        struct db *db, int64_t rollout, uint32_t max, store_rollout_change_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_rollout_change, store_rollout_change_visit,
	        STORE_VISIT(fn, arg),
	        "WHERE id IN (SELECT id FROM rollout_changes WHERE rollout = ?"
	        " ORDER BY id DESC LIMIT ?) ORDER BY id",
	        "ii", rollout, (int64_t)max));
}

int store_rollout_by_hand(struct db *db, int64_t rollout, bool *ret_is_by_hand)
{
	int64_t way = ACCESS_WAY_LUD;
	int r = db_query_int(db, &way,
	        "SELECT way FROM rollout_changes WHERE rollout = ? AND what = ?"
	        " ORDER BY id DESC LIMIT 1",
	        "ii", rollout, (int64_t)ROLLOUT_WAS_PAUSED);

	*ret_is_by_hand = !r && way != ACCESS_WAY_LUD;
	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_rollout_approvals(struct db *db, int64_t rollout, uint32_t ring, int64_t *ret_n)
{
	return err_fold(db_query_int(db, ret_n,
	        "SELECT count(DISTINCT uid) FROM rollout_changes"
	        " WHERE rollout = ? AND ring = ? AND what = ?",
	        "iii", rollout, (int64_t)ring, (int64_t)ROLLOUT_WAS_APPROVED));
}

/*
 * Jobs that say nothing of the release come after those that do: one that was cancelled, or whose soak ended unknown since the
 * machine had gone back meanwhile, does not hide the failure before it.
 */
int store_rollout_job(struct db *db, int64_t machine, const char *service, int64_t release,
        int64_t after, struct job_row *ret)
{
	return err_up(store_one(db, STORE_job, ret,
	        "WHERE machine = ? AND service = ? AND release = ? AND kind = ? AND id > ?"
	        " ORDER BY state IN (?, ?, ?, ?) OR (state = ? AND NOT EXISTS"
	        " (SELECT 1 FROM soaks WHERE soaks.job = jobs.id AND soaks.verdict = ?)),"
	        " id DESC LIMIT 1",
	        "itiiiiiiiii", machine, service, release, (int64_t)JOB_UPDATE, after,
	        (int64_t)JOB_CANCELLED, (int64_t)JOB_SUPERSEDED, (int64_t)JOB_EXPIRED,
	        (int64_t)JOB_SKIPPED, (int64_t)JOB_COMMITTED, (int64_t)SOAK_WELL));
}

int store_rollout_set_fell(struct db *db, int64_t set, bool *ret_fell)
{
	int64_t n;
	int r = db_query_int(db, &n,
	        "SELECT count(*) FROM jobs s WHERE s.id = ? AND s.cancel = '' AND (s.state IN (?, "
	        "?)"
	        " OR EXISTS (SELECT 1 FROM jobs m WHERE m.parent = s.id AND m.parent > 0"
	        " AND m.kind = ? AND m.state IN (?, ?, ?, ?, ?)))",
	        "iiiiiiiii", set, (int64_t)JOB_REFUSED, (int64_t)JOB_EXPIRED, (int64_t)JOB_UPDATE,
	        (int64_t)JOB_REFUSED, (int64_t)JOB_ROLLED_BACK, (int64_t)JOB_FAILED,
	        (int64_t)JOB_INCONSISTENT, (int64_t)JOB_EXPIRED);

	*ret_fell = !r && n;
	return err_fold(r);
}

int store_rollout_member_brings(
        struct db *db, const struct rollout_row *rollout, struct rollout_member_row *member)
{
	int r = db_query_int(db, &member->after,
	        "SELECT coalesce(min(CASE WHEN ended_us = 0 THEN id - 1 END), max(id), 0) FROM jobs"
	        " WHERE machine = ? AND service = ? AND release = ? AND kind = ?",
	        "itii", member->machine, rollout->service, rollout->release, (int64_t)JOB_UPDATE);

	if (r) {
		return err_fold(r);
	}
	r = db_query_int(db, &member->job,
	        "SELECT g.job FROM generations g JOIN services s ON s.id = g.service"
	        " WHERE s.machine = ? AND s.name = ? AND g.state = ? AND g.release = ?"
	        " ORDER BY g.number DESC LIMIT 1",
	        "itii", member->machine, rollout->service, (int64_t)GENERATION_RUNNING,
	        rollout->release);
	member->state = r ? ROLLOUT_IS_WAITING : ROLLOUT_IS_WELL;
	return r == DB_E_NONE ? 0 : err_up(r);
}

const char *rollout_state_name(enum rollout_state state)
{
	static const char *const names[_ROLLOUT_STATE_N] = {
#define ROLLOUT_STATE(name, number, word, sentence) [ROLLOUT_##name] = word,
#include "proto/words/rollouts.def"
	};

	return names[state];
}

const char *rollout_member_name(enum rollout_member_state state)
{
	static const char *const names[_ROLLOUT_MEMBER_N] = {
#define ROLLOUT_MEMBER(name, number, word) [ROLLOUT_IS_##name] = word,
#include "proto/words/rollouts.def"
	};

	return names[state];
}

const char *rollout_changed_name(enum rollout_changed what)
{
	static const char *const names[_ROLLOUT_CHANGED_N] = {
#define ROLLOUT_CHANGE(name, number, word) [ROLLOUT_WAS_##name] = word,
#include "proto/words/rollouts.def"
	};

	return names[what];
}
