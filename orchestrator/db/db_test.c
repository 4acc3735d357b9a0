/* The database wrapper: migrations, transactions, foreign files. */
#undef NDEBUG
#include "orchestrator/db/db.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "orchestrator/base/file.h"

static const struct db_migration steps[] = {
        {"CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"},
        {"ALTER TABLE a ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"},
        {"CREATE TABLE broken(;"},
};

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

int main(void)
{
	char dir[] = "/tmp/db_test.XXXXXX";
	_cleanup_(freep) char *one = NULL, *two = NULL, *three = NULL;

	assert(mkdtemp(dir));
	one = text_format("%s/one", dir);
	two = text_format("%s/two", dir);
	three = text_format("%s/three", dir);
	test_migrate(one);
	test_txn(two);
	test_foreign(three);
	assert(dir_remove(dir) == 0);
	return 0;
}
