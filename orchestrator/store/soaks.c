/* Rows of updates that are watched: one a job, made when the first of it is known. */
#include "orchestrator/store/soaks.h"

#include "orchestrator/store/priv.h"

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
