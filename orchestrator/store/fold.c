/*
 * What is kept of a job that is over. While it is open it is written step by step, a row each, and what was
 * signed for it may have to be sent again. Afterwards both are for readers, and a record is mostly such
 * jobs:
 *
 *   steps      their rows become one list in the job's own, with all that they said
 *   envelopes  of orders go, some jobs later: two for each job, and most of its bytes. The order's row stays,
 *              with its number. They stay whole where something went wrong, and where somebody
 *              consented to a loss: that signature is shown
 *
 * It is done in the transaction of the job's end.
 */
#include "orchestrator/store/jobs.h"

#include <assert.h>

#include "orchestrator/store/priv.h"

STORE_VISITOR(job_step)

static_assert(JOB_COMMITTED == 2 && JOB_PREPARED == 3 && JOB_CONFIRMED == 20, "STORE_IS_PLAIN");

/* Some jobs are looked at, should one of them have been open when its turn came. */
int store_job_fold(struct db *db, int64_t job)
{
	int r = db_run(db,
	        "UPDATE jobs SET steps = " STORE_STEPS_FOLDED
	        " WHERE id = ?1 AND EXISTS (SELECT 1 FROM job_steps WHERE job = ?1)",
	        "i", job);

	if (!r) {
		r = db_run(db, "DELETE FROM job_steps WHERE job = ?", "i", job);
	}
	if (!r) {
		r = db_run(db,
		        "DELETE FROM order_envelopes WHERE id IN"
		        " (SELECT id FROM orders WHERE job IN"
		        " (SELECT id FROM jobs WHERE " STORE_IS_PLAIN " AND id IN"
		        " (SELECT id FROM jobs WHERE machine ="
		        " (SELECT machine FROM jobs WHERE id = ?)"
		        " ORDER BY id DESC LIMIT 4 OFFSET " STORE_ORDERS_WHOLE ")))",
		        "i", job);
	}
	return err_fold(r);
}

struct fold_visit {
	int64_t job;
	store_job_step_fn fn;
	void *arg;
};

static int fold_step(sqlite3_stmt *from, void *arg)
{
	const struct fold_visit *visit = arg;
	struct job_step_row row = {.job = visit->job,
	        .n = sqlite3_column_int64(from, 0),
	        .step = (enum job_step)sqlite3_column_int(from, 1),
	        .state = (enum job_step_state)sqlite3_column_int(from, 2),
	        .started_us = sqlite3_column_int64(from, 3),
	        .ended_us = sqlite3_column_int64(from, 4)};

	db_column_text(from, 5, row.detail, sizeof(row.detail));
	return visit->fn(&row, visit->arg);
}

int store_job_step_each(struct db *db, int64_t job, store_job_step_fn fn, void *arg)
{
	struct fold_visit visit = {job, fn, arg};
	int r = db_query(db, fold_step, &visit,
	        "SELECT e.key + 1, json_extract(e.value, '$[0]'), json_extract(e.value, '$[1]'),"
	        " j.created_us + json_extract(e.value, '$[2]'), coalesce(j.created_us"
	        " + json_extract(e.value, '$[2]') + json_extract(e.value, '$[3]'), 0),"
	        " coalesce(json_extract(e.value, '$[4]'), '')"
	        " FROM jobs j, json_each(j.steps) e WHERE j.id = ?",
	        "i", job);

	if (r != DB_E_NONE) {
		return err_up(r);
	}
	return err_up(store_each(db, STORE_job_step, store_job_step_visit, STORE_VISIT(fn, arg),
	        "WHERE job = ? ORDER BY n", "i", job));
}
