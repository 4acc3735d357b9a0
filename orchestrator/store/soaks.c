/* Rows of updates that are watched: one a job, made when the first of it is known. */
#include "orchestrator/store/soaks.h"

#include "orchestrator/store/priv.h"

STORE_VISITOR(soak)

int store_soak_find(struct db *db, int64_t job, struct soak_row *ret)
{
	return err_up(store_one(db, STORE_soak, ret, "WHERE job = ?", "i", job));
}

int store_soak_put(struct db *db, struct soak_row *row)
{
	int r;

	if (row->id) {
		return err_fold(store_update(db, STORE_soak, row, NULL));
	}
	r = store_insert(db, STORE_soak, row, NULL);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_soak_late(struct db *db, int64_t now_us, store_soak_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_soak, store_soak_visit, STORE_VISIT(fn, arg),
	        "WHERE job IN (SELECT id FROM jobs WHERE ended_us = 0 AND state = ?)"
	        " AND verdict = ? AND why != '' AND from_us > 0 AND from_us + soak_us < ?"
	        " ORDER BY job LIMIT 64",
	        "iii", (int64_t)JOB_SOAKING, (int64_t)SOAK_UNKNOWN, now_us));
}
