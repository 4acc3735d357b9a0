/*
 * What befell services, in rows of their own: a question after crashes asks an index of them alone, whatever else a
 * machine tells. Kinds are numbers of the machine protocol (proto/words/changes.def): 2 is a crash, 3 that it was started
 * afresh, 4 that it stays down. What a crash led to is what came next of the same service in the same boot.
 */
#include "orchestrator/store/changes.h"

#include <stdint.h>

#include "orchestrator/store/priv.h"

STORE_VISITOR(change)

int store_change_insert(struct db *db, const struct change_row *row)
{
	struct change_row seen = *row;

	seen.seen_us = store_now_usec();
	return err_up(store_insert(db, STORE_change, &seen, NULL));
}

/* Counted by rows, as events are: what lud keeps of a machine has a bound, however much it says. */
int store_change_trim(struct db *db, int64_t machine, int64_t kept)
{
	return err_fold(db_run(db,
	        "DELETE FROM changes WHERE machine = ?1 AND id <= (SELECT id FROM changes"
	        " WHERE machine = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	        "ii", machine, kept));
}

/*
 * A statement for each index: one that fits both questions would walk what it need not. Of one service at least every
 * other row is a crash.
 */
int store_crash_each(
        struct db *db, const struct crash_filter *filter, store_change_fn fn, void *arg)
{
	int64_t before = filter->before ? filter->before : INT64_MAX;

	if (!*filter->service) {
		return err_up(store_each(db, STORE_change, store_change_visit, STORE_VISIT(fn, arg),
		        "INDEXED BY changes_crash WHERE machine = ? AND kind IN (2, 4) AND id < ?"
		        " ORDER BY id DESC LIMIT ?",
		        "iii", filter->machine, before, filter->limit));
	}
	return err_up(store_each(db, STORE_change, store_change_visit, STORE_VISIT(fn, arg),
	        "INDEXED BY changes_service WHERE machine = ? AND service = ?"
	        " AND kind IN (2, 4) AND id < ? ORDER BY id DESC LIMIT ?",
	        "itii", filter->machine, filter->service, before, filter->limit));
}
