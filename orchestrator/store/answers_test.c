/* Answers: whose they are, how long they are kept and how many, and what they take. */
#undef NDEBUG
#include "orchestrator/store/answers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/clock.h"
#include "orchestrator/store/priv.h"

static struct answer_row answer(const char *principal, int n)
{
	struct answer_row row = {.kind = 1, .said = 2, .subject = n};

	snprintf(row.principal, sizeof(row.principal), "%s", principal);
	snprintf(row.request_id, sizeof(row.request_id), "id-%d", n);
	memset(row.digest, n, sizeof(row.digest));
	return row;
}

static int put(struct db *db, void *arg)
{
	return store_answer_put(db, arg);
}

static int run(struct db *db, void *arg)
{
	return db_run(db, arg, "");
}

static int64_t count(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "") == 0);
	return n;
}

struct many {
	int n;
	const char *principal;
};

static int put_many(struct db *db, void *arg)
{
	const struct many *many = arg;

	for (int i = 1; i <= many->n; i++) {
		struct answer_row row = answer(many->principal, i);

		assert(store_answer_put(db, &row) == 0);
	}
	return 0;
}

static void test_own(struct db *db)
{
	struct answer_row mine = answer("local/1", 7), theirs = answer("local/2", 7), found;

	theirs.subject = 8;
	assert(db_txn(db, put, &mine) == 0 && db_txn(db, put, &theirs) == 0);
	assert(store_answer_find(db, "local/1", "id-7", &found) == 0);
	assert(found.subject == 7 && found.kind == 1 && found.said == 2 && found.id);
	assert(!memcmp(found.digest, mine.digest, sizeof(found.digest)));
	assert(store_answer_find(db, "local/2", "id-7", &found) == 0 && found.subject == 8);
	assert(store_answer_find(db, "local/3", "id-7", &found) == DB_E_NONE);
	assert(db_txn(db, put, &mine) == DB_E_EXISTS);
}

/* Nobody's answers push out those of another. */
static void test_number(struct db *db)
{
	struct answer_row found;
	struct many many = {STORE_ANSWERS_MAX + 5, "local/9"};

	assert(db_txn(db, put_many, &many) == 0);
	assert(count(db, "SELECT count(*) FROM answers WHERE principal = 'local/9'") ==
	        STORE_ANSWERS_MAX);
	assert(store_answer_find(db, "local/9", "id-5", &found) == DB_E_NONE);
	assert(store_answer_find(db, "local/9", "id-6", &found) == 0);
	assert(store_answer_find(db, "local/1", "id-7", &found) == 0);
}

/* One that is too old is not found, is dropped, and its id may be given again. */
static void test_age(struct db *db)
{
	struct answer_row mine = answer("local/1", 7), other = answer("local/1", 8), found;
	char sql[120];

	snprintf(sql, sizeof(sql),
	        "UPDATE answers SET at_us = at_us - %" PRId64 " WHERE subject = 7",
	        STORE_ANSWER_USEC + 1);
	assert(db_txn(db, run, sql) == 0);
	assert(store_answer_find(db, "local/1", "id-7", &found) == DB_E_NONE);
	assert(count(db, "SELECT count(*) FROM answers WHERE principal = 'local/1'") == 1);
	assert(db_txn(db, put, &other) == 0);
	assert(count(db, "SELECT count(*) FROM answers WHERE principal = 'local/1'") == 1);
	assert(db_txn(db, put, &mine) == 0);
	assert(store_answer_find(db, "local/1", "id-7", &found) == 0 && found.at_us == mine.at_us);
}

/* The largest that there can be, with its indexes: 1,000 of them are half a megabyte. */
static void test_size(void)
{
	struct failure failure;
	struct db *db;
	int64_t before;

	assert(store_open(":memory:", &db, &failure) == 0);
	before = count(db, "PRAGMA page_count") * count(db, "PRAGMA page_size");
	for (int i = 0; i < STORE_ANSWERS_MAX; i++) {
		struct answer_row row = {
		        .kind = UINT32_MAX, .said = UINT32_MAX, .subject = INT64_MAX};

		memset(row.principal, 'p', sizeof(row.principal) - 1);
		memset(row.text, 't', sizeof(row.text) - 1);
		snprintf(row.request_id, sizeof(row.request_id), "%063d", i);
		assert(db_txn(db, put, &row) == 0);
	}
	before = count(db, "PRAGMA page_count") * count(db, "PRAGMA page_size") - before;
	assert(before / STORE_ANSWERS_MAX < 900);
	db_close(db);
}

/* A record of the version before has none, and keeps them once it was opened. */
static void test_migrate(const char *dir)
{
	struct answer_row row = answer("local/1", 1), found;
	struct failure failure;
	struct db *db;
	char path[300];

	snprintf(path, sizeof(path), "%s/lud.db", dir);
	assert(store_open_version(path, 32, &db, &failure) == 0);
	assert(count(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'answers%'") == 0);
	db_close(db);
	assert(store_open(path, &db, &failure) == 0);
	assert(db_txn(db, put, &row) == 0);
	db_close(db);
	assert(store_open(path, &db, &failure) == 0);
	assert(store_answer_find(db, "local/1", "id-1", &found) == 0);
	db_close(db);
}

int main(int argc, char **argv)
{
	struct failure failure;
	struct db *db;
	char dir[] = "/tmp/answers_test.XXXXXX";

	assert(store_open(":memory:", &db, &failure) == 0);
	assert(store_clock_begin(db) == 0);
	test_own(db);
	test_number(db);
	test_age(db);
	db_close(db);
	test_size();
	assert(mkdtemp(dir));
	test_migrate(dir);
	assert(dir_remove(dir) == 0);
	return 0;
}
