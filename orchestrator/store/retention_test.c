/*
 * Retention over a record as lud leaves it behind: what is too old goes, in pieces; what lud decides by
 * stays, however old; and what went is counted.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/store/fill.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/policies.h"
#include "orchestrator/store/retention.h"

#define JOBS 400
#define MACHINE 1
/* Jobs that would go but for what hangs on them: all of the busy service. */
#define JOB_BLOCKS 3
#define JOB_GOES 4
#define JOB_OPEN 5
#define JOB_FILE 7
#define JOB_HIGHEST 9
#define JOB_PARENT 11
#define JOB_BARE 13  /* open, and has drawn nothing yet */
#define JOB_CHILD 15 /* of one that is open */

static const struct retention_limits limits = {
        .kept = {[RETENTION_GENERATIONS] = 20, [RETENTION_JOBS] = 10, [RETENTION_POLICIES] = 3}};

static int64_t count(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "") == 0);
	return n;
}

static int hang(struct db *db, void *arg)
{
	struct fill *fill = arg;
	struct order_row order = {.job = JOB_HIGHEST,
	        .machine = MACHINE,
	        .boot_id = 1,
	        .epoch = 1,
	        .txn = 1000000,
	        .action = 1};
	struct policy_version_row version = {.change = "test"};
	int64_t source;

	assert(db_run(db, "UPDATE releases SET blocked_us = 1, blocked_job = ? WHERE id = ?", "ii",
	               (int64_t)JOB_BLOCKS, fill->releases[0][0].id) == 0);
	assert(db_run(db, "UPDATE jobs SET ended_us = 0 WHERE id = ?", "i", (int64_t)JOB_OPEN) ==
	        0);
	assert(db_run(db, "UPDATE jobs SET parent = ? WHERE id = ?", "ii", (int64_t)JOB_PARENT,
	               (int64_t)JOB_OPEN) == 0);
	assert(db_run(db, "UPDATE jobs SET parent = ? WHERE id = ?", "ii", (int64_t)JOB_OPEN,
	               (int64_t)JOB_CHILD) == 0);
	assert(db_run(db,
	               "UPDATE variants SET path = 'kept' WHERE id ="
	               " (SELECT max(variant) FROM generations WHERE job = ?)",
	               "i", (int64_t)JOB_FILE) == 0);
	assert(db_run(db, "DELETE FROM generations WHERE job = ?", "i", (int64_t)JOB_BARE) == 0);
	assert(db_run(db, "DELETE FROM variants WHERE id NOT IN (SELECT variant FROM generations)",
	               "") == 0);
	assert(db_run(db, "UPDATE jobs SET ended_us = 0 WHERE id = ?", "i", (int64_t)JOB_BARE) ==
	        0);
	assert(store_order_insert(db, &order, "x", 1) == 0);
	for (uint8_t n = 1; n <= 6; n++) {
		assert(store_policy_version(db, &version) == 0);
		assert(store_policy_source(db, (uint8_t[64]){n}, "x", 1, &source) == 0);
		assert(store_policy_member(db, version.id, source) == 0);
	}
	return 0;
}

struct piece {
	struct retention round;
	int r;
};

static int retain(struct db *db, void *arg)
{
	struct piece *piece = arg;

	piece->r = store_retain(db, &piece->round, &limits);
	assert(piece->r >= 0);
	return 0;
}

/* How many rows a whole round took; no piece takes more than a few. */
static int64_t round_of(struct db *db)
{
	static const char rows[] = "SELECT (SELECT count(*) FROM generations)"
	                           " + (SELECT count(*) FROM jobs)"
	                           " + (SELECT count(*) FROM policy_versions)";
	struct piece piece = {0};
	int64_t before = count(db, rows), was = before, is;

	do {
		assert(db_txn(db, retain, &piece) == 0);
		is = count(db, rows);
		assert(was - is <= 32);
		was = is;
	} while (!piece.r);
	return before - is;
}

static void check_generations(struct fill *fill, const struct generation_row *back, int64_t before)
{
	struct db *db = fill->db;
	struct generation_row row;
	uint64_t n;
	int64_t usec;

	/* The newest, the way back, two of the job that is open, and the one with a file. */
	assert(count(db, "SELECT count(*) FROM generations WHERE service = 1") == 20 + 1 + 2 + 1);
	assert(count(db, "SELECT count(*) FROM generations WHERE state = 1") > 0);
	assert(store_generation_earlier(
	               db, fill->busy.id, 1 << 30, fill->releases[0][2].id, &row) == 0);
	assert(row.id == back->id);
	assert(count(db, "SELECT count(*) FROM variants") ==
	        count(db, "SELECT count(*) FROM generations"));
	assert(store_removed(db, RETENTION_GENERATIONS, MACHINE, fill->busy.name, &n, &usec) == 0);
	assert((int64_t)n == before - 24 && usec > 0);
}

static int check_older(const struct generation_row *row, void *arg)
{
	const int64_t *before = arg;

	assert(row->id < *before);
	return 0;
}

/* A list goes on behind a row that has gone since. */
static void check_cursor(const struct fill *fill)
{
	struct generation_filter filter = {.machine = MACHINE, .limit = 9};

	filter.before = 200;
	filter.service = fill->busy.name;
	assert(count(fill->db, "SELECT count(*) FROM generations WHERE id = 200") == 0);
	assert(store_generation_each(fill->db, &filter, check_older, &filter.before) == 0);
}

/* What the machine told of a job is read as it was told, also where the generation that says it again has gone. */
static void check_result(struct db *db, int64_t job)
{
	struct job_outcome outcome;

	assert(store_job_outcome_get(db, job, NULL, &outcome) == 0 && !outcome.lost.n);
	assert(outcome.result->build_id.len == 32 && outcome.result->release_id.len == 64);
	for (size_t i = 0; i < 32; i++) {
		assert(outcome.result->build_id.data[i] == 9);
	}
	job_outcome_fini(&outcome, NULL);
}

static void check_jobs(struct fill *fill, uint64_t highest)
{
	static const int64_t stay[] = {
	        JOB_BLOCKS, JOB_OPEN, JOB_FILE, JOB_HIGHEST, JOB_PARENT, JOB_BARE, JOB_CHILD};
	struct db *db = fill->db;
	struct job_row row;
	uint64_t n, txn;
	int64_t usec;

	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++) {
		assert(store_job_find(db, stay[i], &row) == 0);
		if (stay[i] != JOB_BARE) {
			check_result(db, stay[i]);
		}
	}
	assert(store_job_find(db, fill->job.id, &row) == 0);
	assert(store_job_find(db, 1, &row) == DB_E_NONE);
	assert(store_job_removed(db, 1, &usec) == 0 && usec > 0);
	assert(store_job_removed(db, fill->job.id + 1, &usec) == DB_E_NONE);
	assert(store_job_removed(db, 0, &usec) == DB_E_NONE);
	assert(store_order_highest(db, MACHINE, 1, &txn) == 0 && txn == highest);
	assert(store_removed(db, RETENTION_JOBS, MACHINE, "", &n, &usec) == 0);
	assert((int64_t)n ==
	        count(db, "SELECT sum(n) FROM removals WHERE what = 1 AND machine = 1"));
	assert((int64_t)n + count(db, "SELECT count(*) FROM jobs WHERE machine = 1") ==
	        count(db, "SELECT max(id) FROM jobs") -
	                count(db, "SELECT count(*) FROM jobs WHERE machine = 2") -
	                count(db, "SELECT sum(n) FROM removals WHERE what = 1 AND machine = 2"));
}

/* One that only jobs had which went, and one that the newest has, too. */
/* A plan that two jobs have, the newer of which goes. */
static int plan_of_two(struct db *db, uint8_t first, const char *text, int64_t older)
{
	uint8_t hash[64] = {first};
	int r = store_plan_put(db, hash, text, JOB_GOES);

	return r ? r
	         : db_run(db, "UPDATE jobs SET plan = ? WHERE id IN (?, ?)", "bii", hash,
	                   sizeof(hash), older, (int64_t)JOB_GOES);
}

static int plan_both(struct db *db, void *arg)
{
	const struct fill *fill = arg;
	int r = store_plan_put(db, (uint8_t[64]){1}, "of one that goes", 1);

	r = r ? r : store_plan_put(db, (uint8_t[64]){2}, "of the newest", fill->job.id);
	r = r ? r : store_plan_put(db, (uint8_t[64]){2}, "of the newest", 1);
	r = r ? r : plan_of_two(db, 4, "of two that go", 1);
	return r ? r : plan_of_two(db, 3, "of one that stays", JOB_BLOCKS);
}

static void check_plans(struct db *db)
{
	uint8_t *text;
	size_t size;

	assert(count(db, "SELECT count(*) FROM plans") == 2);
	assert(count(db, "SELECT count(*) FROM plans WHERE text = 'of the newest'") == 1);
	assert(store_plan_get(db, JOB_BLOCKS, &text, &size) == 0 && size == 17);
	free(text);
}

static void check_policies(struct db *db)
{
	assert(count(db, "SELECT count(*) FROM policy_versions") == 3);
	assert(count(db, "SELECT max(id) FROM policy_versions") == 6);
	assert(count(db, "SELECT count(*) FROM policy_sources") == 3);
	assert(count(db, "SELECT n FROM removals WHERE what = 2") == 3);
}

int main(void)
{
	struct fill fill = {.n_machines = 2, .n_jobs = JOBS};
	struct generation_row back;
	struct failure failure;
	uint64_t highest;
	int64_t before;

	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	assert(db_txn(fill.db, hang, &fill) == 0);
	assert(db_txn(fill.db, plan_both, &fill) == 0);
	assert(store_generation_earlier(
	               fill.db, fill.busy.id, 1 << 30, fill.releases[0][2].id, &back) == 0);
	assert(store_order_highest(fill.db, MACHINE, 1, &highest) == 0);
	before = count(fill.db, "SELECT count(*) FROM generations WHERE service = 1");
	assert(round_of(fill.db) > JOBS);
	check_generations(&fill, &back, before);
	check_cursor(&fill);
	check_jobs(&fill, highest);
	check_plans(fill.db);
	check_policies(fill.db);
	/* Those that stay are no work for ever: the next round takes nothing. */
	assert(round_of(fill.db) == 0);
	db_close(fill.db);
	return 0;
}
