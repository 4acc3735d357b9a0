/*
 * What is kept of a job that is over. While it is open it is written step by step, a row each, and what was
 * signed for it may have to be sent again. Afterwards both are for readers, and a record is mostly such
 * jobs. At its end:
 *
 *   steps      their rows become one list, with all that they said
 *   result     what other rows say of it is cut out, and is there for a reader (once.c)
 *   plan       of one of many, which a timer asked for and nobody saw before: its hash goes
 *   seeds      of layouts that were never signed, where another one came in their place, go
 *
 * Some jobs of its machine later, where all went well and nobody consented to a loss (that signature is
 * shown):
 *
 *   envelopes  of orders go: two for each job, and most of its bytes
 *
 * and of one of many, besides:
 *
 *   steps      go: when it began and ended, how long the service stood and what the machine told stay
 *   orders     go. The machine's number for the job is in its result. The highest stay: numbers are signed once,
 *              and a machine that was put back is known by what it had accepted
 *   variants   what was signed goes; release, seed, its commitment and the payload's hash stay
 *
 * What runs is not old, whatever job it is of. Which jobs this was not done with yet has an index, so that one
 * that was open for long is found when its turn comes. It is done in the transaction of a job's end, a few a time,
 * and by retention, for records of before.
 */
#include "orchestrator/store/jobs.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/store/priv.h"

#define FOLD_AT_ONCE 8

STORE_VISITOR(job_step)

static_assert(JOB_COMMITTED == 2 && JOB_PREPARED == 3 && JOB_CONFIRMED == 20, "STORE_IS_PLAIN");
static_assert(JOB_RERANDOMIZE == 3, "STORE_IS_ROUTINE");
static_assert(GENERATION_RUNNING == 1 && GENERATION_ABANDONED == 6, "as written below");

/* Of one job, ?1: a list of them would be a table of its own for each statement, which takes longer than what it is for. */
#define FOLD_JOB(which) "(SELECT " which " FROM jobs WHERE id = ?1)"
static const char *const fold_ended[] = {
        "INSERT OR REPLACE INTO job_courses(id, steps) SELECT id, " STORE_STEPS_FOLDED
        " FROM jobs WHERE id = ?1 AND EXISTS (SELECT 1 FROM job_steps WHERE job = ?1)",
        "DELETE FROM job_steps WHERE job = ?1",
        "UPDATE jobs SET plan = NULL WHERE id = ?1 AND plan IS NOT NULL"
        " AND NOT plan_expected AND " STORE_IS_ROUTINE,
        "UPDATE variants SET seed_sealed = x'', seed_commit = x'' WHERE id IN"
        " (SELECT variant FROM generations WHERE state = 6 AND epoch = 0 AND job = ?1)"
        " AND " FOLD_JOB(STORE_IS_ROUTINE),
        NULL,
};
static const char *const fold_old[] = {
        "DELETE FROM order_envelopes WHERE id IN (SELECT id FROM orders WHERE job = ?1)"
        " AND " FOLD_JOB(STORE_IS_PLAIN),
        "DELETE FROM orders WHERE job = ?1 AND " FOLD_JOB(
                STORE_IS_ROUTINE) " AND NOT " STORE_ORDER_COUNTS("orders"),
        "DELETE FROM job_courses WHERE id = ?1 AND " FOLD_JOB(STORE_IS_ROUTINE),
        "DELETE FROM generation_envelopes WHERE id IN"
        " (SELECT id FROM generations WHERE job = ?1) AND " FOLD_JOB(STORE_IS_ROUTINE),
        "UPDATE jobs SET folded = 1 WHERE id = ?1",
        NULL,
};

static int fold_run(struct db *db, const char *const *statements, int64_t job)
{
	int r = 0;

	for (size_t i = 0; !r && statements[i]; i++) {
		r = db_run(db, statements[i], "i", job);
	}
	return err_fold(r);
}

struct fold_jobs {
	int64_t ids[FOLD_AT_ONCE];
	int n;
};

static int fold_job_row(sqlite3_stmt *from, void *arg)
{
	struct fold_jobs *jobs = arg;

	jobs->ids[jobs->n++] = sqlite3_column_int64(from, 0);
	return 0;
}

/* Those that are open, or of what runs, are passed by: a machine has few of them. */
int store_job_fold_old(struct db *db, int64_t machine)
{
	struct fold_jobs jobs = {.n = 0};
	int r = db_query(db, fold_job_row, &jobs,
	        "SELECT id FROM jobs INDEXED BY jobs_whole"
	        " WHERE machine = ?1 AND folded = 0 AND ended_us > 0 AND id <="
	        " (SELECT id FROM jobs INDEXED BY jobs_machine WHERE machine = ?1"
	        " ORDER BY id DESC LIMIT 1 OFFSET " STORE_ORDERS_WHOLE ")"
	        " AND NOT EXISTS (SELECT 1 FROM generations g WHERE g.job = jobs.id"
	        " AND g.state = 1) ORDER BY id LIMIT ?2",
	        "ii", machine, (int64_t)FOLD_AT_ONCE);

	for (int i = 0; !r && i < jobs.n; i++) {
		r = fold_run(db, fold_old, jobs.ids[i]);
	}
	return err_up(r);
}

int store_job_fold(struct db *db, int64_t job)
{
	int64_t machine = 0;
	int r = fold_run(db, fold_ended, job);

	if (!r) {
		r = store_result_cut(db, job);
	}
	if (!r) {
		r = db_query_int(db, &machine, "SELECT machine FROM jobs WHERE id = ?", "i", job);
	}
	if (!r) {
		r = store_job_fold_old(db, machine);
	}
	return r == DB_E_NONE ? 0 : err_up(r);
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
	        " FROM jobs j JOIN job_courses c ON c.id = j.id, json_each(c.steps) e"
	        " WHERE j.id = ?",
	        "i", job);

	if (r != DB_E_NONE) {
		return err_up(r);
	}
	return err_up(store_each(db, STORE_job_step, store_job_step_visit, STORE_VISIT(fn, arg),
	        "WHERE job = ? ORDER BY n", "i", job));
}
