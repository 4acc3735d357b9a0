/*
 * Timers of policies. Whoever waits for the next one asks for the first by the index of ->look_us; nothing
 * here goes over all rows but the two that say so: a new release may matter to any machine, and at lud's start
 * nobody knows what happened meanwhile.
 */
#include "orchestrator/store/timers.h"

#include "orchestrator/store/priv.h"

STORE_VISITOR(timer)

int store_timer_find(
        struct db *db, int64_t machine, const char *policy, uint32_t action, struct timer_row *ret)
{
	return err_up(
	        store_one(db, STORE_timer, ret, "WHERE machine = ? AND policy = ? AND action = ?",
	                "iti", machine, policy, (int64_t)action));
}

int store_timer_by_id(struct db *db, int64_t id, struct timer_row *ret)
{
	return err_up(store_one(db, STORE_timer, ret, "WHERE id = ?", "i", id));
}

int store_timer_put(struct db *db, struct timer_row *row)
{
	int r;

	if (row->id) {
		return err_fold(store_update(db, STORE_timer, row, NULL));
	}
	r = store_insert(db, STORE_timer, row, NULL);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_timer_remove(struct db *db, int64_t id)
{
	return err_fold(db_run(db, "DELETE FROM timers WHERE id = ?", "i", id));
}

int store_timer_each(struct db *db, int64_t machine, store_timer_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_timer, store_timer_visit, STORE_VISIT(fn, arg),
	        "WHERE machine = ? ORDER BY policy, action", "i", machine));
}

int store_timer_first(struct db *db, struct timer_row *ret)
{
	return err_up(
	        store_one(db, STORE_timer, ret, "WHERE look_us > 0 ORDER BY look_us LIMIT 1", ""));
}

int store_timer_list(struct db *db, int64_t after_us, int64_t after_id, int64_t limit,
        store_timer_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_timer, store_timer_visit, STORE_VISIT(fn, arg),
	        "WHERE look_us > 0 AND (look_us, id) > (?, ?) ORDER BY look_us, id LIMIT ?", "iii",
	        after_us, after_id, limit));
}

int store_timer_idle(struct db *db, int64_t after_id, int64_t limit, store_timer_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_timer, store_timer_visit, STORE_VISIT(fn, arg),
	        "WHERE look_us = 0 AND id > ? ORDER BY id LIMIT ?", "ii", after_id, limit));
}

int store_timer_alarms(struct db *db, store_timer_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_timer, store_timer_visit, STORE_VISIT(fn, arg),
	        "WHERE alarm_us > 0 ORDER BY alarm_us", ""));
}

int store_timer_poke(struct db *db, uint32_t action, int64_t look_us)
{
	return err_fold(db_run(db,
	        "UPDATE timers SET look_us = ? WHERE action = ? AND machine IN"
	        " (SELECT id FROM machines WHERE removed_us = 0)",
	        "ii", look_us, (int64_t)action));
}

int store_timer_look(struct db *db, int64_t look_us)
{
	return err_fold(db_run(db, "UPDATE timers SET look_us = ?", "i", look_us));
}
