/* How many bytes a record takes for each job that is over, and for a year of a machine. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/store/fill.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/retention.h"

/* Bytes of a job that is over, with all that belongs to it. */
#define HOST_MAX 860
#define MACHINE_MAX 650

static int64_t count(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "") == 0);
	return n;
}

/* Pages that are free are used again. */
static int64_t size_of(struct db *db)
{
	int64_t pages = count(db, "PRAGMA page_count") - count(db, "PRAGMA freelist_count");

	return pages * count(db, "PRAGMA page_size");
}

/* Bytes that a record grows by for each job like those of the first half. */
static int64_t bytes_each(bool machine_made)
{
	struct fill fill = {.n_machines = 1, .n_jobs = 100, .machine_made = machine_made};
	struct failure failure;
	int64_t before;

	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	before = size_of(fill.db);
	fill.n_jobs += 300;
	assert(fill_more(&fill) == 0);
	before = (size_of(fill.db) - before) / 300;
	db_close(fill.db);
	return before;
}

/* What a machine moves by itself, every ten seconds, is one generation, however often it does. */
static int layouts(struct db *db, void *arg)
{
	struct fill *fill = arg;
	uint8_t commit[STORE_COMMIT_SIZE], sealed[STORE_SEALED_SIZE];
	struct store_seed seed = {.commit = commit, .sealed = sealed};
	uint64_t number = fill->generation.number;

	for (uint64_t made = 1; made <= 8640; made++) {
		memset(commit, (int)made, sizeof(commit));
		memset(sealed, (int)made, sizeof(sealed));
		assert(store_generation_layout(db, fill->busy.id, number, made, &seed) == 0);
	}
	return 0;
}

static void test_sizes(void)
{
	struct fill fill = {.n_machines = 1, .n_jobs = 10};
	int64_t host = bytes_each(false), machine = bytes_each(true), before;
	struct generation_row row;
	struct failure failure;

	printf("bytes of a job: %lld with two layouts of the host, %lld with one of the machine\n",
	        (long long)host, (long long)machine);
	fflush(stdout);
	assert(host < HOST_MAX && machine < MACHINE_MAX);
	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	before = size_of(fill.db);
	assert(db_txn(fill.db, layouts, &fill) == 0);
	assert(size_of(fill.db) - before <= 4096);
	assert(store_generation_find(fill.db, 1, fill.busy.name, fill.generation.number, &row) ==
	        0);
	assert(row.made == 8640 && row.made_commit[63] == (uint8_t)8640);
	db_close(fill.db);
}

/* A 500th of what lud keeps where nothing is said, and of a year in which a timer asks every minute. */
#define YEAR_SCALE 500
#define YEAR_JOBS (365 * 1440 / YEAR_SCALE + 100)
#define YEAR_NEWEST                                                                                \
	30 /* of which orders are whole, one of each service among them: as many in a whole year */
#define YEAR_MAX (200 * INT64_C(1000000))

static int retain(struct db *db, void *arg)
{
	static const struct retention_limits limits = {
	        .kept = {20000 / YEAR_SCALE, 20000 / YEAR_SCALE, 1000}};
	int r;

	do {
		r = store_retain(db, arg, &limits);
	} while (!r);
	return r == DB_E_NONE ? 0 : err_up(r);
}

/*
 * A machine for a year: its own layouts every ten seconds are no rows, as layouts() shows of a day, and of jobs and
 * generations no more are kept than retention says: as many after half of the year as after all of it.
 */
static void test_year(void)
{
	struct fill fill = {.n_machines = 1, .n_jobs = YEAR_NEWEST, .machine_made = true};
	struct retention round = {0};
	struct failure failure;
	int64_t none, half, all;

	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	none = size_of(fill.db);
	fill.n_jobs = YEAR_JOBS / 2 + 50;
	assert(fill_more(&fill) == 0);
	assert(db_txn(fill.db, retain, &round) == 0);
	half = size_of(fill.db) - none;
	fill.n_jobs = YEAR_JOBS;
	assert(fill_more(&fill) == 0);
	assert(db_txn(fill.db, retain, &round) == 0);
	all = size_of(fill.db) - none;
	printf("bytes of a machine after half a year and a year: %lld %lld\n",
	        (long long)half * YEAR_SCALE, (long long)all * YEAR_SCALE);
	fflush(stdout);
	assert(all * YEAR_SCALE < YEAR_MAX && all <= half + half / 4);
	db_close(fill.db);
}

int main(void)
{
	test_sizes();
	test_year();
	return 0;
}
