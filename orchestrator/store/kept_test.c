/*
 * Records that a lud of an earlier version has left behind, as they were: whatever becomes of the tables here, each is
 * opened, checked, and has all of its rows afterwards. And the steps from version to version, of which records are out
 * there that were made by them, are what they were.
 *
 * Usage: kept_test STEPS RECORDS.SQL...
 *
 * STEPS: a line for each version and the hash of its step. RECORDS.SQL: one or several, each from a line "-- version N" on.
 */
#undef NDEBUG
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/check.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/priv.h"
#include "orchestrator/store/schema.h"

/* Tables of what nobody may lose; each record of this version or a later one has rows of it. */
static const struct {
	const char *name;
	int since;
} kept_tables[] = {{"machines", 1}, {"services", 1}, {"releases", 1}, {"jobs", 1},
        {"generations", 1}, {"variants", 1}, {"orders", 3}, {"events", 3}, {"policy_versions", 13},
        {"holds", 17}, {"rollouts", 24}, {"rollout_members", 24}, {"plans", 28}, {"changes", 29}};
#define KEPT_TABLES (sizeof(kept_tables) / sizeof(kept_tables[0]))

/* What nobody may change. */
#define KEPT_WORDS                                                                                 \
	"SELECT group_concat(word, char(10)) FROM ("                                               \
	"SELECT id || ' ' || name || ' ' || socket || ' ' || created_us AS word FROM machines"     \
	" UNION ALL SELECT id || ' ' || machine || ' ' || name || ' ' || last_number FROM "        \
	"services"                                                                                 \
	" UNION ALL SELECT id || ' ' || service || ' ' || counter || ' ' || hex(release_id)"       \
	" FROM releases"                                                                           \
	" UNION ALL SELECT id || ' ' || machine || ' ' || service || ' ' || kind || ' ' || state"  \
	" || ' ' || identity || ' ' || created_us || ' ' || ended_us FROM jobs WHERE ended_us > 0" \
	" UNION ALL SELECT id || ' ' || service || ' ' || number || ' ' || variant || ' ' || "     \
	"state"                                                                                    \
	" FROM generations)"

static char *kept_text(const char *path)
{
	uint8_t *bytes;
	size_t size;
	char *text;

	assert(file_read(path, 8 << 20, &bytes, &size) == 0);
	text = text_format("%.*s", (int)size, (const char *)bytes);
	free(bytes);
	return text;
}

/* By SQLite alone: nothing of ours has a hand in it. */
static void kept_make(const char *path, const char *text)
{
	sqlite3 *db;

	assert(sqlite3_open(path, &db) == SQLITE_OK);
	assert(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
	assert(sqlite3_close(db) == SQLITE_OK);
}

/* What the one row of a question says, as text; the caller frees. */
static char *kept_ask(sqlite3 *db, const char *question)
{
	sqlite3_stmt *statement;
	char *text;

	assert(sqlite3_prepare_v2(db, question, -1, &statement, NULL) == SQLITE_OK);
	assert(sqlite3_step(statement) == SQLITE_ROW);
	text = text_copy((const char *)sqlite3_column_text(statement, 0));
	assert(sqlite3_finalize(statement) == SQLITE_OK);
	return text;
}

static int64_t kept_number(sqlite3 *db, const char *question)
{
	_cleanup_(freep) char *text = kept_ask(db, question);

	return strtoll(text, NULL, 10);
}

struct kept {
	int version;
	int64_t n[KEPT_TABLES]; /* rows */
	char *words;
};

static void kept_read(const char *path, struct kept *ret)
{
	sqlite3 *db;

	assert(sqlite3_open(path, &db) == SQLITE_OK);
	ret->version = (int)kept_number(db, "PRAGMA user_version");
	for (size_t i = 0; i < KEPT_TABLES; i++) {
		_cleanup_(freep) char *sql =
		        text_format("SELECT count(*) FROM %s", kept_tables[i].name);

		ret->n[i] = ret->version < kept_tables[i].since ? 0 : kept_number(db, sql);
	}
	ret->words = kept_ask(db, KEPT_WORDS);
	assert(sqlite3_close(db) == SQLITE_OK);
}

/* What was signed is what it was, wherever it is now. Versions before 26 had it whole in one place. */
static void kept_signed(const char *path, struct db *db)
{
	sqlite3_stmt *statement;
	sqlite3 *before;
	size_t n = 0;

	assert(sqlite3_open(path, &before) == SQLITE_OK);
	assert(sqlite3_prepare_v2(before,
	               "SELECT id, envelope FROM generations WHERE envelope NOT NULL", -1,
	               &statement, NULL) == SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		_cleanup_(freep) uint8_t *bytes = NULL;
		size_t size;

		assert(store_generation_envelope(
		               db, sqlite3_column_int64(statement, 0), &bytes, &size) == 0);
		assert(size == (size_t)sqlite3_column_bytes(statement, 1) && size > 0);
		assert(!memcmp(bytes, sqlite3_column_blob(statement, 1), size));
		n++;
	}
	assert(n > 1);
	assert(sqlite3_finalize(statement) == SQLITE_OK);
	assert(sqlite3_close(before) == SQLITE_OK);
}

static void kept_find(const char *what, const char *remedy, void *arg)
{
	fprintf(stderr, "%s; %s\n", what, remedy);
	++*(size_t *)arg;
}

static void kept_compare(const struct kept *before, const struct kept *after)
{
	for (size_t i = 0; i < KEPT_TABLES; i++) {
		if (before->version >= kept_tables[i].since &&
		        (before->n[i] == 0 || before->n[i] != after->n[i])) {
			fprintf(stderr, "version %d, %s: %" PRId64 " rows became %" PRId64 "\n",
			        before->version, kept_tables[i].name, before->n[i], after->n[i]);
			abort();
		}
	}
	assert(!strcmp(before->words, after->words));
}

static int test_record(const char *dir, const char *text)
{
	_cleanup_(freep) char *path = text_format("%s/lud.db", dir);
	_cleanup_(freep) char *original = text_format("%s/before", dir);
	struct kept before, after;
	struct failure failure = {0};
	size_t n_found = 0;
	struct db *db;

	kept_make(original, text);
	kept_make(path, text);
	kept_read(path, &before);
	if (store_open(path, &db, &failure)) {
		fprintf(stderr, "version %d: %s\n", before.version, failure.cause);
		abort();
	}
	if (before.version < 26) {
		kept_signed(original, db);
	}
	db_close(db);
	kept_read(path, &after);
	assert(after.version == (int)store_schema_version());
	kept_compare(&before, &after);
	assert(store_check(path, kept_find, &n_found, &failure) == 0 && n_found == 0);
	assert(db_remove(path) == 0 && db_remove(original) == 0);
	free(before.words);
	free(after.words);
	return before.version;
}

/* Each record of a file. */
static unsigned test_records(const char *dir, const char *path)
{
	_cleanup_(freep) char *text = kept_text(path);
	unsigned n = 0;
	int last = 0;

	for (char *at = text, *next; at; at = next) {
		int version;

		next = strstr(at, "\n-- version ");
		if (next) {
			*next++ = '\0';
		}
		version = test_record(dir, at);
		assert(version > last);
		last = version;
		n++;
	}
	return n;
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
		assert(test_records(dir, argv[i]) > 0);
	}
	assert(dir_remove(dir) == 0);
	return 0;
}
