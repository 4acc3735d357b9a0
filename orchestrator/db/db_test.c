/* The database wrapper: migrations, transactions, foreign files. */
#undef NDEBUG
#include "orchestrator/db/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "orchestrator/db/copy.h"
#include "orchestrator/db/priv.h"
#include "orchestrator/db/recover.h"

static const struct db_migration steps[] = {
        {.sql = "CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"},
        {.sql = "ALTER TABLE a ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"},
        {.sql = "CREATE TABLE broken(;"},
};

static void recovered_fini(struct db_recovered *recovered)
{
	free(recovered->kept);
}

static int insert_two(struct db *db, void *arg)
{
	int r = db_run(db, "INSERT INTO a(name) VALUES(?)", "t", "one");

	assert(r == 0);
	return db_run(db, "INSERT INTO a(name) VALUES(?)", "t", (const char *)arg);
}

static void test_migrate(const char *path)
{
	struct failure failure = {0};
	struct db *db = NULL;
	int64_t value;

	assert(db_open(path, steps, 1, &db, &failure) == 0);
	assert(db_txn(db, insert_two, "two") == 0);
	db = db_close(db);
	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_query_int(db, &value, "SELECT sum(size) FROM a", "") == 0 && value == 14);
	assert(db_query_int(db, &value, "PRAGMA user_version", "") == 0 && value == 2);
	db = db_close(db);
	/* A step that fails leaves the version and the data as they were. */
	assert(db_open(path, steps, 3, &db, &failure) < 0);
	assert(db_open(path, steps, 2, &db, &failure) == 0);
	db = db_close(db);
	/* An older program refuses a newer schema and says so. */
	assert(db_open(path, steps, 1, &db, &failure) == -EPROTONOSUPPORT);
	assert(strstr(failure.cause, "newer"));
}

static void test_txn(const char *path)
{
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	int64_t value;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_txn(db, insert_two, "one") == DB_E_EXISTS);
	assert(db_query_int(db, &value, "SELECT count(*) FROM a", "") == 0 && value == 0);
	assert(db_query(db, NULL, NULL, "SELECT 1 FROM a", "") == DB_E_NONE);
	assert(db_txn(db, insert_two, "two") == 0);
	assert(db_query_int(db, &value, "SELECT count(*) FROM a WHERE name = ?", "t", "two") == 0);
	assert(value == 1);
	assert(db_query_int(db, &value, "PRAGMA synchronous", "") == 0 && value == 2);
}

/* SQLite asks this while it prepares a statement. */
static int on_prepare(
        void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	*(int *)arg += action == SQLITE_SELECT || action == SQLITE_INSERT;
	return SQLITE_OK;
}

#define NAME_BEHIND "SELECT name FROM a WHERE name > ? ORDER BY name"

struct names {
	struct db *db;
	char seen[64];
};

/* Asks the same again, for what lies behind this row, and ends its own question early. */
static int name_row(sqlite3_stmt *row, void *arg)
{
	struct names *names = arg;
	char name[8];

	db_column_text(row, 0, name, sizeof(name));
	strcat(names->seen, name);
	strcat(names->seen, " ");
	return db_query(names->db, name_row, names, NAME_BEHIND, "t", name) == DB_E_NONE ? 7 : 8;
}

static int insert_others(struct db *db, void *arg)
{
	char sql[64];

	for (int i = 0; i < 3 * DB_PREPARED_MAX; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO a(name) VALUES('%d')", i);
		assert(db_run(db, sql, "") == 0);
	}
	for (int i = 0; i < 20; i++) {
		assert(db_run(db, "INSERT INTO a(name) VALUES(?)", "t", "one") == DB_E_EXISTS);
		assert(db_run(db, "INSERT INTO a(name) SELECT ? || count(*) FROM a", "t", "n") ==
		        0);
	}
	return 1;
}

/* A statement is prepared once, however often it is run, and as many are kept as there is room for. */
static void test_prepared(const char *path)
{
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	struct names names = {.seen = ""};
	int n = 0;
	int64_t value;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	names.db = db;
	sqlite3_set_authorizer(db->sqlite, on_prepare, &n);
	for (int i = 0; i < 20; i++) {
		assert(db_query_int(db, &value, "SELECT count(*) FROM a WHERE name = ?", "t",
		               i ? "two" : "one") == 0);
		assert(value == 1);
	}
	assert(n == 1);
	/* Of the same one that is run inside itself each run has its own values and rows. */
	assert(db_query(db, name_row, &names, NAME_BEHIND, "t", "") == 8);
	assert(!strcmp(names.seen, "one two "));
	n = 0;
	assert(db_query(db, name_row, &names, NAME_BEHIND, "t", "one") == 7);
	assert(!strcmp(names.seen, "one two two ") && n == 1);
	assert(db_txn(db, insert_others, NULL) == 1 && db->n_prepared == DB_PREPARED_MAX);
	/* One more for the nested question, one for each insert, and one for the SELECT in the last of them. */
	assert(n == 1 + 3 * DB_PREPARED_MAX + 1 + 2);
	for (int64_t kib = 100; kib < 102; kib++) {
		char sql[48];

		snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%d", (int)kib);
		assert(db_exec(db, sql) == 0);
		assert(db_query_int(db, &value, "PRAGMA cache_size", "") == 0 && value == -kib);
	}
	sqlite3_set_authorizer(db->sqlite, NULL, NULL);
}

static int insert_one(struct db *db, void *arg)
{
	return db_run(db, "INSERT INTO a(name) VALUES(?)", "t", arg);
}

static int insert_along(struct db *db, void *arg)
{
	int64_t n = 0;

	assert(db_query_int(db, &n, "SELECT count(*) FROM a", "") == 0);
	/* The first row is not what it waits for. */
	return n < 2 ? DB_E_NONE : insert_one(db, arg);
}

/* What goes along with an effect is there with it or not at all; other transactions take nothing along. */
static void test_effect(const char *path)
{
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	int64_t n;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	db_along(db, insert_along, "along");
	assert(db_effect(db, insert_one, "first") == 0 && !db_along_is_taken(db));
	assert(db_txn(db, insert_one, "other") == 0 && !db_along_is_taken(db));
	assert(db_effect(db, insert_two, "one") == DB_E_EXISTS && !db_along_is_taken(db));
	assert(db_query_int(db, &n, "SELECT count(*) FROM a", "") == 0 && n == 2);
	assert(db_effect(db, insert_one, "effect") == 0 && db_along_is_taken(db));
	assert(db_query_int(db, &n, "SELECT count(*) FROM a WHERE name = 'along'", "") == 0 &&
	        n == 1);
	assert(db_effect(db, insert_one, "next") == 0);
	assert(db_query_int(db, &n, "SELECT count(*) FROM a", "") == 0 && n == 5);
	db_along(db, insert_along, "effect");
	assert(db_effect(db, insert_one, "last") == DB_E_EXISTS && !db_along_is_taken(db));
	assert(db_query_int(db, &n, "SELECT count(*) FROM a", "") == 0 && n == 5);
	db_along(db, NULL, NULL);
	assert(db_effect(db, insert_one, "last") == 0);
}

static void test_foreign(const char *path)
{
	struct failure failure = {0};
	struct db *db = NULL;
	sqlite3 *other;

	assert(sqlite3_open(path, &other) == SQLITE_OK);
	assert(sqlite3_exec(other, "CREATE TABLE x(y)", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(other);
	assert(db_open(path, steps, 2, &db, &failure) == -EMEDIUMTYPE);
	assert(strstr(failure.cause, "another program"));
	assert(file_write(path, "this is no database, it is a longish text file", 40) == 0);
	assert(db_open(path, steps, 2, &db, &failure) == -EBADMSG);
	assert(db_open("/nonexistent/dir/db", steps, 2, &db, &failure) < 0);
	assert(*failure.remedy && *failure.place);
}

#define ROWS 600

static int insert_many(struct db *db, void *arg)
{
	char name[200];
	int r = 0;

	for (int i = 0; !r && i < ROWS; i++) {
		memset(name, 'a' + i % 26, sizeof(name));
		snprintf(name, sizeof(name), "row %d", i);
		name[strlen(name)] = ' ';
		name[sizeof(name) - 1] = '\0';
		r = db_run(db, "INSERT INTO a(name) VALUES(?)", "t", name);
	}
	return r;
}

static void health_seen(enum db_health health, void *arg)
{
	((int *)arg)[health]++;
}

/* A database that cannot be written says so, is read on, and is well when it can be. */
static void test_unwritable(const char *path)
{
	struct rlimit limit = {4096, RLIM_INFINITY};
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	int seen[_DB_HEALTH_N] = {0};
	int64_t value;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	db_watch(db, health_seen, seen);
	assert(db_txn(db, insert_two, "two") == 0);
	signal(SIGXFSZ, SIG_IGN);
	assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	assert(db_txn(db, insert_many, NULL) < 0);
	assert(db_health(db) == DB_UNWRITABLE && db_ill_since(db) > 0);
	db_failure(db, &failure);
	assert(!strcmp(failure.code, "record-unwritable") && strstr(failure.place, path));
	assert(db_try_write(db) < 0 && seen[DB_UNWRITABLE] == 1);
	assert(db_query_int(db, &value, "SELECT count(*) FROM a", "") == 0 && value == 2);
	limit.rlim_cur = RLIM_INFINITY;
	assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	assert(db_try_write(db) == 0 && db_health(db) == DB_WELL && seen[DB_WELL] == 1);
	assert(db_txn(db, insert_many, NULL) == 0);
}

static void damage(const char *path, off_t page, unsigned int seed)
{
	int fd = open(path, O_RDWR);
	uint8_t bytes[4096];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = rand_r(&seed);
	}
	assert(pwrite(fd, bytes, sizeof(bytes), page * 4096) == sizeof(bytes));
	close(fd);
}

static void saved(const char *table, int64_t n_rows, bool whole, void *arg)
{
	*(int64_t *)arg = n_rows;
}

/* Any page that is overwritten is found at start, and costs only what was on it. */
static void test_damage(const char *path, const char *copy)
{
	struct failure failure = {0};
	struct db *db = NULL;
	uint8_t *bytes;
	size_t size;
	int n_refused = 0;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_txn(db, insert_many, NULL) == 0);
	db = db_close(db);
	assert(file_read(path, 1 << 24, &bytes, &size) == 0 && size > 8 * 4096);
	for (off_t page = 0; page < (off_t)(size / 4096); page++) {
		_cleanup_(recovered_fini) struct db_recovered done = {.kept = NULL};
		int64_t n_saved = -1, value;
		int r;

		assert(file_write(copy, bytes, size) == 0);
		damage(copy, page, page);
		assert(db_open(copy, steps, 2, &db, &failure) == -EBADMSG);
		assert(strstr(failure.place, copy) && strstr(failure.remedy, "lud --recover"));
		n_refused++;
		r = db_recover(copy, steps, 2, saved, &n_saved, &done, &failure);
		if (r == -ENODATA) {
			/* Without the list of tables there is nothing to read: no success. */
			assert(page < 4 && n_saved == 0 && !done.kept &&
			        strstr(failure.cause, "no row"));
			assert(db_open(copy, steps, 2, &db, &failure) == -EBADMSG);
			continue;
		}
		assert(r == 0 && n_saved > 0);
		assert(done.kept && access(done.kept, F_OK) == 0 && n_saved >= 0);
		assert(done.version == 2);
		/* Pages of the index and of the list of tables hold no rows of their own. */
		assert(page < 4 || n_saved > ROWS - 100);
		assert(db_open(copy, steps, 2, &db, &failure) == 0);
		assert(db_query_int(db, &value, "SELECT count(*) FROM a", "") == 0);
		assert(value == n_saved);
		db = db_close(db);
		assert(unlink(done.kept) == 0);
	}
	assert(n_refused > 8);
	free(bytes);
}

/* A page has some 38 of them, and there is a gap in their ids. */
static int insert_long(struct db *db, void *arg)
{
	return db_run(db,
	        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
	        " INSERT INTO a(id, name) SELECT i + (i > 9000) * 100000, printf('%0100d', i)"
	        " FROM n",
	        "");
}

/* Several damaged pages cost what was on them, and nothing of what lies between. */
static void test_damage_several(const char *path)
{
	static const struct db_migration plain_names[] = {
	        {.sql = "CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"},
	};
	struct failure failure = {0};
	_cleanup_(recovered_fini) struct db_recovered done = {.kept = NULL};
	int64_t n_saved = -1, value;
	struct stat before;
	struct db *db;

	assert(db_open(path, plain_names, 1, &db, &failure) == 0);
	assert(db_txn(db, insert_long, NULL) == 0);
	db_close(db);
	assert(stat(path, &before) == 0);
	for (int i = 1; i < 6; i++) {
		damage(path, before.st_size / 4096 * i / 6, i);
	}
	assert(db_recover(path, plain_names, 1, saved, &n_saved, &done, &failure) == 0);
	assert(n_saved > 20000 - 5 * 50 && n_saved < 20000 - 5 * 30);
	assert(db_open(path, plain_names, 1, &db, &failure) == 0);
	assert(db_query_int(db, &value, "SELECT max(id) FROM a", "") == 0 && value == 120000);
	assert(db_query_int(db, &value, "SELECT min(id) FROM a", "") == 0 && value == 1);
	db_close(db);
}

static const struct db_migration keyed_steps[] = {
        {.sql = "CREATE TABLE keyed(x TEXT, n INTEGER, PRIMARY KEY(n, x)) STRICT, WITHOUT ROWID;"},
};

static int insert_keyed(struct db *db, void *arg)
{
	char text[200];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int64_t n = 0; n < ROWS; n++) {
		assert(db_run(db, "INSERT INTO keyed(x, n) VALUES(?, ?)", "ti", text, n) == 0);
	}
	return 0;
}

/* A table without row ids is read from both ends too: damage in its middle costs one page. */
static void test_damage_keyed(const char *path)
{
	struct failure failure = {0};
	_cleanup_(recovered_fini) struct db_recovered done = {.kept = NULL};
	int64_t n_saved = -1, value;
	struct stat stat_;
	struct db *db;
	off_t page;

	assert(db_open(path, keyed_steps, 1, &db, &failure) == 0);
	assert(db_txn(db, insert_keyed, NULL) == 0);
	db = db_close(db);
	assert(stat(path, &stat_) == 0);
	page = stat_.st_size / 4096 / 2;
	damage(path, page, page);
	assert(db_recover(path, keyed_steps, 1, saved, &n_saved, &done, &failure) == 0);
	assert(n_saved > ROWS - 100 && n_saved < ROWS);
	assert(db_open(path, keyed_steps, 1, &db, &failure) == 0);
	assert(db_query_int(db, &value, "SELECT max(n) FROM keyed", "") == 0 && value == ROWS - 1);
	assert(db_query_int(db, &value, "SELECT min(n) FROM keyed", "") == 0 && value == 0);
	db_close(db);
}

static const struct db_migration plain_steps[] = {
        {.sql = "CREATE TABLE odd(x INTEGER) STRICT; CREATE TABLE plain(y INTEGER) STRICT;"},
};

/* A damaged file has whatever names its pages hold, of any length: they cost their own table. */
static void test_damage_names(const char *path)
{
	static char name[6000], sql[16 * sizeof(name)];
	struct db_migration odd_steps[] = {{.sql = sql}};
	struct failure failure = {0};
	_cleanup_(recovered_fini) struct db_recovered done = {.kept = NULL};
	int64_t n_saved = -1, value;
	size_t used = snprintf(sql, sizeof(sql),
	        "CREATE TABLE plain(y INTEGER) STRICT; INSERT INTO plain VALUES(7);"
	        "CREATE TABLE odd(x INTEGER");
	struct stat stat_;
	struct db *db;

	memset(name, 'n', sizeof(name) - 1);
	for (int i = 0; i < 13; i++) {
		used += snprintf(
		        sql + used, sizeof(sql) - used, ", \"%s\"\"(%d\" INTEGER", name, i);
	}
	snprintf(sql + used, sizeof(sql) - used,
	        ") STRICT; INSERT INTO odd(x) VALUES(8); CREATE TABLE hurt(z TEXT) STRICT;"
	        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
	        " INSERT INTO hurt SELECT 'a row of it' FROM n;");
	assert(db_open(path, odd_steps, 1, &db, &failure) == 0);
	db_close(db);
	assert(stat(path, &stat_) == 0);
	damage(path, stat_.st_size / 4096 - 1, stat_.st_size / 4096 - 1);
	assert(db_recover(path, plain_steps, 1, saved, &n_saved, &done, &failure) == 0);
	assert(db_open(path, plain_steps, 1, &db, &failure) == 0);
	assert(db_query_int(db, &value, "SELECT y FROM plain", "") == 0 && value == 7);
	assert(db_query_int(db, &value, "SELECT count(*) FROM odd", "") == 0 && value == 0);
	db_close(db);
}

static const struct db_migration rewrite_steps[] = {
        {.sql = "CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"},
        {.sql = "UPDATE a SET name = substr(name, 1, 9) || id;"},
        {.sql = "CREATE INDEX later ON a(name);", .rewrites = true},
        {.sql = "CREATE TABLE last(x INTEGER) STRICT;"},
};

static int insert_wide(struct db *db, void *arg)
{
	return db_run(db,
	        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
	        " INSERT INTO a(name) SELECT printf('%09d%0900d', i, i) FROM n",
	        "");
}

static int64_t pages_of(struct db *db)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, "PRAGMA page_count", "") == 0);
	return n;
}

/*
 * What a step made smaller is given back before the next one, whether that was reached at once or by a lud that ended
 * in between; and a file that is not damaged says of which version it was.
 */
static void test_rewrites(const char *path)
{
	for (size_t stop = 1; stop <= 2; stop++) {
		_cleanup_(freep) char *file = text_format("%s.%zu", path, stop);
		_cleanup_(recovered_fini) struct db_recovered done = {.kept = NULL};
		struct failure failure = {0};
		int64_t n_saved = -1, version, before;
		struct db *db;

		assert(db_open(file, rewrite_steps, 1, &db, &failure) == 0);
		assert(db_txn(db, insert_wide, NULL) == 0);
		before = pages_of(db);
		db_close(db);
		assert(db_open(file, rewrite_steps, stop, &db, &failure) == 0);
		assert(pages_of(db) >= before);
		db_close(db);
		assert(db_recover(file, rewrite_steps, 4, saved, &n_saved, &done, &failure) == 0);
		assert(!done.kept && done.version == (int64_t)stop && n_saved == -1);
		assert(db_open(file, rewrite_steps, 4, &db, &failure) == 0);
		assert(pages_of(db) < before / 4);
		assert(db_query_int(db, &version, "PRAGMA user_version", "") == 0 && version == 4);
		assert(db_query_int(db, &version,
		               "SELECT count(*) FROM a, (SELECT max(x) FROM last)", "") == 0);
		assert(version == 400);
		db_close(db);
	}
}

/* Of a newer schema what this one does not know would be lost: it is left to who knows it. */
static void test_damage_newer(const char *path)
{
	struct failure failure = {0};
	_cleanup_(recovered_fini) struct db_recovered done = {.kept = NULL};
	int64_t n_saved = -1;
	struct stat before, after;
	struct db *db;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_txn(db, insert_many, NULL) == 0);
	db_close(db);
	assert(stat(path, &before) == 0);
	damage(path, before.st_size / 4096 - 1, 1);
	assert(db_recover(path, steps, 1, saved, &n_saved, &done, &failure) == -EPROTONOSUPPORT);
	assert(strstr(failure.cause, "newer") && strstr(failure.remedy, "--recover"));
	assert(n_saved == -1 && !done.kept);
	assert(stat(path, &after) == 0 && after.st_ino == before.st_ino);
	assert(db_recover(path, steps, 2, saved, &n_saved, &done, &failure) == 0);
	assert(n_saved > ROWS - 100 && done.kept);
}

/* Damage that comes while the file is open is an error, never an empty answer. */
static void test_damage_met(const char *path)
{
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	struct stat stat_;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_txn(db, insert_many, NULL) == 0);
	db = db_close(db);
	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(stat(path, &stat_) == 0);
	for (off_t page = 1; page < stat_.st_size / 4096; page++) {
		damage(path, page, page);
	}
	assert(db_query(db, NULL, NULL, "SELECT * FROM a ORDER BY name DESC", "") == -EBADMSG);
	assert(db_health(db) == DB_DAMAGED);
	assert(db_txn(db, insert_two, "x") == -EBADMSG && db_try_write(db) == -EBADMSG);
	db_failure(db, &failure);
	assert(!strcmp(failure.code, "record-damaged") && strstr(failure.remedy, "--recover"));
}

/* A file that is gone, or another one at its name, takes no more transactions; it is well when it
 * is back. */
static void test_moved(const char *path, const char *away)
{
	_cleanup_(freep) char *log = text_format("%s-wal", path);
	const char *const names[] = {path, log};
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_txn(db, insert_two, "two") == 0);
	for (size_t i = 0; i < 2; i++) {
		assert(rename(names[i], away) == 0);
		assert(db_txn(db, insert_two, "x") < 0 && db_health(db) == DB_UNWRITABLE);
		db_failure(db, &failure);
		assert(strstr(failure.cause, names[i]) && strstr(failure.remedy, "put back"));
		assert(file_write(names[i], "", 0) == 0);
		assert(db_try_write(db) < 0 && db_health(db) == DB_UNWRITABLE);
		assert(rename(away, names[i]) == 0);
		assert(db_try_write(db) == 0 && db_health(db) == DB_WELL);
	}
}

static int remove_it(struct db *db, void *arg)
{
	assert(unlink(arg) == 0);
	return err_up(db_run(db, "DELETE FROM a", ""));
}

/* One that goes in the middle of a transaction is noticed before the transaction counts. */
static void test_moved_within(const char *path)
{
	struct failure failure = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	int64_t n;

	assert(db_open(path, steps, 2, &db, &failure) == 0);
	assert(db_txn(db, insert_two, "two") == 0);
	assert(db_txn(db, remove_it, (void *)path) < 0 && db_health(db) == DB_UNWRITABLE);
	assert(db_query_int(db, &n, "SELECT count(*) FROM a", "") == 0 && n == 2);
}

/* A file takes another's place with all that is in it: one whose log could not be moved does not. */
static void test_replace(const char *path)
{
	_cleanup_(freep) char *fresh = text_format("%s.fresh", path);
	_cleanup_(freep) char *log = text_format("%s-wal", fresh);
	_cleanup_(freep) char *kept = text_format("%s.kept", path);
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t size;

	assert(file_write(path, "old", 3) == 0 && file_write(fresh, "new", 3) == 0);
	assert(file_write(log, "newer", 5) == 0);
	assert(db_replace(path, fresh, kept) == -ENOSPC && access(kept, F_OK) < 0);
	assert(file_read(path, 8, &bytes, &size) == 0 && !memcmp(bytes, "old", 3));
	assert(db_remove(fresh) == 0 && access(log, F_OK) < 0 && db_remove(fresh) == 0);
	assert(file_write(fresh, "new", 3) == 0 && db_replace(path, fresh, kept) == 0);
	free(bytes);
	assert(file_read(path, 8, &bytes, &size) == 0 && !memcmp(bytes, "new", 3));
}

int main(void)
{
	char dir[] = "/tmp/db_test.XXXXXX";
	char *path[17];

	assert(mkdtemp(dir));
	for (size_t i = 0; i < 17; i++) {
		path[i] = text_format("%s/%zu", dir, i);
	}
	test_migrate(path[0]);
	test_txn(path[1]);
	test_prepared(path[1]);
	test_foreign(path[2]);
	test_unwritable(path[3]);
	test_damage(path[4], path[5]);
	test_damage_met(path[6]);
	test_moved(path[7], path[8]);
	test_moved_within(path[9]);
	test_damage_keyed(path[10]);
	test_damage_names(path[11]);
	test_replace(path[12]);
	test_damage_newer(path[13]);
	test_damage_several(path[14]);
	test_rewrites(path[15]);
	test_effect(path[16]);
	for (size_t i = 0; i < 17; i++) {
		free(path[i]);
	}
	assert(dir_remove(dir) == 0);
	return 0;
}
