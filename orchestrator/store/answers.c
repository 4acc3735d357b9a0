/*
 * Answers, see answers.h. What goes is found by an index, and each insert drops what came to its end by then: there is
 * nothing to be done at times, and a record that is not written to does not change.
 */
#include "orchestrator/store/answers.h"

#include "orchestrator/store/clock.h"
#include "orchestrator/store/priv.h"

/* By age, and by number. */
static int answer_prune(struct db *db, const struct answer_row *row)
{
	int r = db_run(
	        db, "DELETE FROM answers WHERE at_us < ?", "i", row->at_us - STORE_ANSWER_USEC);

	return r ? err_fold(r)
	         : err_fold(db_run(db,
	                   "DELETE FROM answers WHERE principal = ?1 AND id <="
	                   " (SELECT id FROM answers WHERE principal = ?1"
	                   " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	                   "ti", row->principal, (int64_t)STORE_ANSWERS_MAX - 1));
}

int store_answer_find(
        struct db *db, const char *principal, const char *request_id, struct answer_row *ret)
{
	return err_up(store_one(db, STORE_answer, ret,
	        "WHERE principal = ? AND request_id = ? AND at_us >= ?", "tti", principal,
	        request_id, store_now_usec() - STORE_ANSWER_USEC));
}

/* One under the same id that is kept no longer makes room first. */
int store_answer_put(struct db *db, struct answer_row *row)
{
	int r;

	row->at_us = store_now_usec();
	r = answer_prune(db, row);
	return r ? err_up(r) : store_insert(db, STORE_answer, row, NULL);
}
