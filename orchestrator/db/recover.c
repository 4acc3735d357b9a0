/*
 * Row by row, table by table: each table is read from its start until damage is met,
 * then from its end backwards, so that one damaged page costs the rows of that page.
 * Rows that refer to lost ones are dropped, until all that is left fits together.
 * A record of an older schema is saved as that, and brought up to date afterwards: what a later
 * step moves elsewhere is read from there alone.
 */
#include "orchestrator/db/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/db/copy.h"

#define DB_TABLES_MAX 64

/* From a damaged file to a fresh one. The tables are those that the fresh one has. */
struct db_rescue {
	sqlite3 *from;
	sqlite3 *to;
	char tables[DB_TABLES_MAX][64];
	size_t n_tables;
	int64_t n_rows; /* saved */
	db_saved_fn fn;
	void *arg;
};

static void recover_close(sqlite3 **sqlite)
{
	sqlite3_close(*sqlite);
}

static void recover_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

static int recover_exec(sqlite3 *sqlite, const char *sql)
{
	return sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : err_raise(-EIO);
}

/* 0 where there is no answer: counts of what was saved are for a person. */
static int64_t recover_int(sqlite3 *sqlite, const char *sql)
{
	_cleanup_(recover_finalize) sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL) != SQLITE_OK ||
	        sqlite3_step(statement) != SQLITE_ROW) {
		return 0;
	}
	return sqlite3_column_int64(statement, 0);
}

/* Tables that the fresh database has, in the order in which they were made. */
static int recover_tables(struct db_rescue *rescue)
{
	_cleanup_(recover_finalize) sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(rescue->to,
	            "SELECT name FROM sqlite_schema WHERE type = 'table'"
	            " AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
	            -1, &statement, NULL) != SQLITE_OK) {
		return err_raise(-EIO);
	}
	while (rescue->n_tables < DB_TABLES_MAX && sqlite3_step(statement) == SQLITE_ROW) {
		db_column_text(statement, 0, rescue->tables[rescue->n_tables++],
		        sizeof(rescue->tables[0]));
	}
	return 0;
}

/*
 * "INSERT OR IGNORE INTO t("a", "b") VALUES(?, ?)" for the columns that `rows` gives. How many there are,
 * and what they are called, is the damaged file's word. False: the fresh table has no such columns.
 */
static bool recover_insert(sqlite3 *to, const char *table, sqlite3_stmt *rows, sqlite3_stmt **ret)
{
	sqlite3_str *sql = sqlite3_str_new(to);
	int n = sqlite3_column_count(rows), code;
	char *text;

	sqlite3_str_appendf(sql, "INSERT OR IGNORE INTO %s(", table);
	for (int i = 0; i < n; i++) {
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", sqlite3_column_name(rows, i));
	}
	for (int i = 0; i < n; i++) {
		sqlite3_str_appendf(sql, "%s", i ? ", ?" : ") VALUES(?");
	}
	sqlite3_str_appendf(sql, ")");
	text = sqlite3_str_finish(sql);
	code = text ? sqlite3_prepare_v2(to, text, -1, ret, NULL) : SQLITE_NOMEM;
	sqlite3_free(text);
	return code == SQLITE_OK;
}

/*
 * Copies rows in one order until their end or damage. ret_whole: it was the end. Of a table whose columns
 * are not those of the fresh one nothing is copied.
 */
static int recover_rows(
        struct db_rescue *rescue, const char *table, const char *order, bool *ret_whole)
{
	_cleanup_(recover_finalize) sqlite3_stmt *rows = NULL;
	_cleanup_(recover_finalize) sqlite3_stmt *insert = NULL;
	char sql[160];
	int code;

	*ret_whole = false;
	snprintf(sql, sizeof(sql), "SELECT * FROM %s NOT INDEXED %s", table, order);
	if (sqlite3_prepare_v2(rescue->from, sql, -1, &rows, NULL) != SQLITE_OK ||
	        !recover_insert(rescue->to, table, rows, &insert)) {
		return 0;
	}
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(rows); i++) {
			sqlite3_bind_value(insert, i + 1, sqlite3_column_value(rows, i));
		}
		code = sqlite3_step(insert);
		/* What damage made of a row may break the table's rules: it is left out. */
		if (code != SQLITE_DONE && code != SQLITE_CONSTRAINT) {
			return err_raise(code == SQLITE_FULL ? -ENOSPC : -EIO);
		}
		sqlite3_reset(insert);
	}
	*ret_whole = code == SQLITE_DONE;
	return 0;
}

/* "rowid DESC", or the primary key in reverse for a table that has no row ids. */
static int recover_backwards(
        struct db_rescue *rescue, const char *table, char *ret_order, size_t size)
{
	_cleanup_(recover_finalize) sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(rescue->to,
	            "SELECT CASE WHEN wr THEN (SELECT group_concat(name || ' DESC', ', ') FROM"
	            " (SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk))"
	            " ELSE 'rowid DESC' END FROM pragma_table_list WHERE name = ?1",
	            -1, &statement, NULL) != SQLITE_OK ||
	        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC) != SQLITE_OK ||
	        sqlite3_step(statement) != SQLITE_ROW) {
		return err_raise(-EIO);
	}
	db_column_text(statement, 0, ret_order, size);
	return 0;
}

static int recover_table(struct db_rescue *rescue, const char *table, bool *ret_whole)
{
	char order[160] = "ORDER BY ";
	size_t used = strlen(order);
	bool tail;
	int r;

	r = recover_rows(rescue, table, "", ret_whole);
	if (r || *ret_whole) {
		return err_up(r);
	}
	r = recover_backwards(rescue, table, order + used, sizeof(order) - used);
	return r ? err_up(r) : err_up(recover_rows(rescue, table, order, &tail));
}

/* Drops rows of a table that refer to rows which are not there. */
static int recover_orphans(struct db_rescue *rescue, const char *table, int *n_dropped)
{
	_cleanup_(recover_finalize) sqlite3_stmt *keys = NULL;
	char sql[512];
	int r = 0;

	snprintf(sql, sizeof(sql), "PRAGMA foreign_key_list(%s)", table);
	if (sqlite3_prepare_v2(rescue->to, sql, -1, &keys, NULL) != SQLITE_OK) {
		return err_raise(-EIO);
	}
	while (!r && sqlite3_step(keys) == SQLITE_ROW) {
		const char *column = (const char *)sqlite3_column_text(keys, 3);

		snprintf(sql, sizeof(sql),
		        "DELETE FROM %s WHERE %s IS NOT NULL AND %s NOT IN (SELECT %s FROM %s)",
		        table, column, column, (const char *)sqlite3_column_text(keys, 4),
		        (const char *)sqlite3_column_text(keys, 2));
		r = recover_exec(rescue->to, sql);
		*n_dropped += r ? 0 : sqlite3_changes(rescue->to);
	}
	return err_up(r);
}

/*
 * One transaction, without foreign keys while rows come in any order; orphans are dropped in
 * rounds, since each that goes may leave others. -ENODATA: no row of any table could be read.
 */
static int recover_all(struct db_rescue *rescue)
{
	bool whole[DB_TABLES_MAX] = {false};
	int n_dropped = 1;
	int r = recover_tables(rescue);

	if (!r) {
		r = recover_exec(rescue->to, "PRAGMA foreign_keys = OFF; BEGIN");
	}
	for (size_t i = 0; !r && i < rescue->n_tables; i++) {
		r = recover_table(rescue, rescue->tables[i], &whole[i]);
	}
	while (!r && n_dropped) {
		n_dropped = 0;
		for (size_t i = 0; !r && i < rescue->n_tables; i++) {
			r = recover_orphans(rescue, rescue->tables[i], &n_dropped);
		}
	}
	if (!r) {
		r = recover_exec(rescue->to, "COMMIT");
	}
	for (size_t i = 0; !r && i < rescue->n_tables; i++) {
		char sql[128];
		int64_t n;

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", rescue->tables[i]);
		n = recover_int(rescue->to, sql);
		rescue->n_rows += n;
		rescue->fn(rescue->tables[i], n, whole[i], rescue->arg);
	}
	return !r && !rescue->n_rows ? err_raise(-ENODATA) : err_up(r);
}

/* Opens both sides; what is closed without a checkpoint stays as it was. */
static int recover_copy(const char *path, const char *fresh, db_saved_fn fn, void *arg)
{
	_cleanup_(recover_close) sqlite3 *from = NULL;
	_cleanup_(recover_close) sqlite3 *to = NULL;
	struct db_rescue rescue = {.fn = fn, .arg = arg};

	if (sqlite3_open_v2(path, &from, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	        sqlite3_open_v2(fresh, &to, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		return err_raise(-EIO);
	}
	sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	rescue.from = from;
	rescue.to = to;
	return err_up(recover_all(&rescue));
}

/* The schema of the damaged file; 0: it does not say. */
static int64_t recover_version(const char *path)
{
	_cleanup_(recover_close) sqlite3 *from = NULL;

	if (sqlite3_open_v2(path, &from, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		return 0;
	}
	sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return recover_int(from, "PRAGMA user_version");
}

/* An empty database beside the damaged one. One that an earlier try has left is overwritten. */
static int recover_fresh(const char *fresh, const struct db_migration *migrations,
        size_t n_migrations, struct failure *ret_failure)
{
	struct db *db;
	int r = db_remove(fresh);

	if (r) {
		return err_up(r);
	}
	r = db_open(fresh, migrations, n_migrations, &db, ret_failure);
	if (!r) {
		db_close(db);
	}
	return err_up(r);
}

int db_recover(const char *path, const struct db_migration *migrations, size_t n_migrations,
        db_saved_fn fn, void *arg, char **ret_kept, struct failure *ret_failure)
{
	_cleanup_(freep) char *fresh = text_format("%s.recovered", path);
	_cleanup_(freep) char *kept = db_kept_name(path, "damaged");
	struct db *db = NULL;
	int64_t version;
	int r;

	if (access(path, F_OK) < 0) {
		r = err_raise(-errno);
		failure_set(ret_failure, "database", path,
		        "restore a backup, or name the right directory with --state-dir; a lud "
		        "that "
		        "starts without one makes an empty record",
		        "there is no record to recover: %s", strerror(-r));
		return r;
	}
	r = db_open(path, migrations, n_migrations, &db, ret_failure);
	if (r != -EBADMSG) {
		db_close(db);
		*ret_kept = NULL;
		return err_up(r);
	}
	err_forget();
	version = recover_version(path);
	if (version > (int64_t)n_migrations) {
		failure_set(ret_failure, "record-damaged", path,
		        "run the newer lud with --recover, or restore a backup made before it",
		        "it is damaged, and schema version %lld is newer than this lud knows (%zu)",
		        (long long)version, n_migrations);
		return err_raise(-EPROTONOSUPPORT);
	}
	failure_set(ret_failure, "database", path, "check the directory's space and permissions",
	        "a new record cannot be made beside it");
	r = recover_fresh(
	        fresh, migrations, version > 0 ? (size_t)version : n_migrations, ret_failure);
	if (!r) {
		r = recover_copy(path, fresh, fn, arg);
	}
	if (!r) {
		/* Checks the copy whole, and brings it up to date. */
		r = db_open(fresh, migrations, n_migrations, &db, ret_failure);
	}
	if (!r) {
		db_close(db);
		r = db_replace(path, fresh, kept);
	}
	if (r == -ENODATA) {
		(void)unlink(fresh);
		failure_set(ret_failure, "record-damaged", path,
		        "restore a backup; or move the file away, start lud with an empty record, "
		        "and add machines and releases again",
		        "no row could be read; the file stays as it is");
	}
	if (r < 0) {
		return err_up(r);
	}
	*ret_kept = steal(&kept);
	return 0;
}
