/*
 * Records that a lud of an earlier version has left behind, as they were: whatever becomes of the tables here, each is
 * opened, checked, and has all of its rows afterwards. And the steps from version to version, of which records are out
 * there that were made by them, are what they were.
 *
 * Usage: kept_test STEPS RECORD.SQL...    (STEPS: a line for each version and the hash of its step)
 */
#undef NDEBUG
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/check.h"
#include "orchestrator/store/priv.h"
#include "orchestrator/store/schema.h"

/* Tables of what nobody may lose. */
static const char *const kept_tables[] = {"machines", "services", "releases", "jobs", "generations",
        "orders", "variants", "plans", "policy_versions", "holds", "rollouts", "rollout_members",
        "changes"};
#define KEPT_TABLES (sizeof(kept_tables) / sizeof(kept_tables[0]))

static char *kept_text(const char *path)
{
	uint8_t *bytes;
	size_t size;
	char *text;

	assert(file_read(path, 4 << 20, &bytes, &size) == 0);
	text = text_format("%.*s", (int)size, (const char *)bytes);
	free(bytes);
	return text;
}

/* By SQLite alone: nothing of ours has a hand in it. */
static void kept_make(const char *path, const char *sql)
{
	_cleanup_(freep) char *text = kept_text(sql);
	sqlite3 *db;

	assert(sqlite3_open(path, &db) == SQLITE_OK);
	assert(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
	assert(sqlite3_close(db) == SQLITE_OK);
}

static void kept_count(const char *path, int64_t ret_n[KEPT_TABLES])
{
	sqlite3 *db;

	assert(sqlite3_open(path, &db) == SQLITE_OK);
	for (size_t i = 0; i < KEPT_TABLES; i++) {
		_cleanup_(freep) char *sql = text_format("SELECT count(*) FROM %s", kept_tables[i]);
		sqlite3_stmt *statement;

		assert(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
		assert(sqlite3_step(statement) == SQLITE_ROW);
		ret_n[i] = sqlite3_column_int64(statement, 0);
		assert(sqlite3_finalize(statement) == SQLITE_OK);
	}
	assert(sqlite3_close(db) == SQLITE_OK);
}

static void kept_find(const char *what, const char *remedy, void *arg)
{
	fprintf(stderr, "%s; %s\n", what, remedy);
	++*(size_t *)arg;
}

static void test_record(const char *dir, const char *sql)
{
	_cleanup_(freep) char *path = text_format("%s/lud.db", dir);
	int64_t before[KEPT_TABLES], after[KEPT_TABLES];
	struct failure failure = {0};
	size_t n_found = 0;
	struct db *db;

	kept_make(path, sql);
	kept_count(path, before);
	assert(store_open(path, &db, &failure) == 0);
	db_close(db);
	kept_count(path, after);
	for (size_t i = 0; i < KEPT_TABLES; i++) {
		assert(before[i] > 0 && before[i] == after[i]);
	}
	assert(store_check(path, kept_find, &n_found, &failure) == 0 && n_found == 0);
	assert(db_remove(path) == 0);
}

/* FNV-1a: nobody makes a collision here but by accident. */
static uint64_t kept_hash(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++) {
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	}
	return hash;
}

/* A version that is not listed yet may change until it is. */
static void test_steps(const char *list)
{
	_cleanup_(store_migrations_fini) struct store_migrations all = {0};
	_cleanup_(freep) char *text = kept_text(list);
	unsigned version, n = 0;
	uint64_t hash;

	store_migrations_init(&all);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		assert(sscanf(line, "%u %" SCNx64, &version, &hash) == 2);
		assert(version == ++n && n <= all.n);
		if (kept_hash(all.steps[n - 1].sql) != hash) {
			fprintf(stderr, "the step to version %u is another one: %016" PRIx64 "\n",
			        n, kept_hash(all.steps[n - 1].sql));
			abort();
		}
	}
	assert(n >= 34);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/kept_test.XXXXXX";

	assert(argc > 2 && mkdtemp(dir));
	test_steps(argv[1]);
	for (int i = 2; i < argc; i++) {
		test_record(dir, argv[i]);
	}
	assert(dir_remove(dir) == 0);
	return 0;
}
