/*
 * Row by row, table by table, so that a damaged page costs the rows of that page: where damage is met in a
 * table with row ids, it is jumped over, further each time until rows come again, and those between are
 * read backwards. The few tables without are read from both ends.
 * Rows that refer to lost ones are dropped, until all that is left fits together.
 * A record of an older schema is saved as that, and brought up to date afterwards: what a later
 * step moves elsewhere is read from there alone.
 */
#include "orchestrator/db/recover.h"

#include <errno.h>
#include <inttypes.h>
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
 * "INSERT OR IGNORE INTO t("a", "b") VALUES(?, ?)" for the columns that `rows` gives, but for n_more at
 * their end. How many there are, and what they are called, is the damaged file's word. False: the fresh table has no such columns.
 */
static bool recover_insert(
        sqlite3 *to, const char *table, sqlite3_stmt *rows, int n_more, sqlite3_stmt **ret)
{
	sqlite3_str *sql = sqlite3_str_new(to);
	int n = sqlite3_column_count(rows) - n_more, code;
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

/* What was read of a table, in one order. */
struct recover_rows {
	bool whole;   /* until its end, not until damage */
	int64_t n;    /* so many rows */
	int64_t last; /* the row id of the last of them, where it was asked for as the last column */
};

/* Puts a row into the fresh table. What damage made of it may break the table's rules: then it is left out. */
static int recover_row(sqlite3_stmt *insert, sqlite3_stmt *row)
{
	int code;

	for (int i = 0; i < sqlite3_bind_parameter_count(insert); i++) {
		sqlite3_bind_value(insert, i + 1, sqlite3_column_value(row, i));
	}
	code = sqlite3_step(insert);
	sqlite3_reset(insert);
	return code == SQLITE_DONE || code == SQLITE_CONSTRAINT
	               ? 0
	               : err_raise(code == SQLITE_FULL ? -ENOSPC : -EIO);
}

/*
 * Copies rows in the order and of the ids that `rest` says, until their end or damage. Of a table whose columns
 * are not those of the fresh one nothing is copied.
 */
static int recover_rows(struct db_rescue *rescue, const char *table, const char *rest,
        const char *id, struct recover_rows *ret)
{
	_cleanup_(recover_finalize) sqlite3_stmt *rows = NULL;
	_cleanup_(recover_finalize) sqlite3_stmt *insert = NULL;
	char sql[256];
	int code, r;

	*ret = (struct recover_rows){0};
	snprintf(sql, sizeof(sql), "SELECT *%s FROM %s NOT INDEXED %s", id, table, rest);
	if (sqlite3_prepare_v2(rescue->from, sql, -1, &rows, NULL) != SQLITE_OK ||
	        !recover_insert(rescue->to, table, rows, *id ? 1 : 0, &insert)) {
		return 0;
	}
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		r = recover_row(insert, rows);
		if (r) {
			return err_up(r);
		}
		ret->n++;
		ret->last = sqlite3_column_int64(rows, sqlite3_column_count(rows) - 1);
	}
	ret->whole = code == SQLITE_DONE;
	return 0;
}

/* Rows whose ids lie between, upwards or downwards. */
static int recover_span(struct db_rescue *rescue, const char *table, int64_t above, int64_t below,
        const char *order, struct recover_rows *ret)
{
	char rest[120];

	snprintf(rest, sizeof(rest),
	        "WHERE rowid > %" PRId64 " AND rowid < %" PRId64 " ORDER BY rowid %s", above, below,
	        order);
	return err_up(recover_rows(rescue, table, rest, ", rowid", ret));
}

/*
 * Damage stands behind the row `last`. Looks for rows behind it, twice as far each time, and takes those that
 * were jumped over from above, as far as they can be read. ret_next: what was read there; of none, there is no more.
 */
static int recover_behind(
        struct db_rescue *rescue, const char *table, int64_t last, struct recover_rows *ret_next)
{
	struct recover_rows between;
	int r = 0;

	*ret_next = (struct recover_rows){0};
	for (int64_t step = 1; !r && !ret_next->n && !ret_next->whole; step *= 2) {
		if (step > (INT64_MAX - last) / 2) {
			break;
		}
		r = recover_span(rescue, table, last + step, INT64_MAX, "", ret_next);
		if (!r && (ret_next->n || ret_next->whole)) {
			r = recover_span(rescue, table, last, last + step + 1, "DESC", &between);
		}
	}
	return err_up(r);
}

/* The primary key in reverse, of a table that has no row ids; "" for others. */
static int recover_backwards(
        struct db_rescue *rescue, const char *table, char *ret_order, size_t size)
{
	_cleanup_(recover_finalize) sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(rescue->to,
	            "SELECT CASE WHEN wr THEN 'ORDER BY ' || (SELECT group_concat(name || ' DESC', "
	            "', ')"
	            " FROM (SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk))"
	            " ELSE '' END FROM pragma_table_list WHERE name = ?1",
	            -1, &statement, NULL) != SQLITE_OK ||
	        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC) != SQLITE_OK ||
	        sqlite3_step(statement) != SQLITE_ROW) {
		return err_raise(-EIO);
	}
	db_column_text(statement, 0, ret_order, size);
	return 0;
}

/* From both ends. */
static int recover_keyed(
        struct db_rescue *rescue, const char *table, const char *order, bool *ret_whole)
{
	struct recover_rows rows, tail;
	int r = recover_rows(rescue, table, "", "", &rows);

	*ret_whole = rows.whole;
	return r || rows.whole ? err_up(r) : err_up(recover_rows(rescue, table, order, "", &tail));
}

/* Rows have ids above 0. */
static int recover_table(struct db_rescue *rescue, const char *table, bool *ret_whole)
{
	char order[160];
	struct recover_rows rows;
	int64_t last = 0;
	int r = recover_backwards(rescue, table, order, sizeof(order));

	if (r || *order) {
		return r ? err_up(r) : err_up(recover_keyed(rescue, table, order, ret_whole));
	}
	r = recover_span(rescue, table, last, INT64_MAX, "", &rows);
	*ret_whole = rows.whole;
	last = rows.n ? rows.last : last;
	while (!r && !rows.whole) {
		r = recover_behind(rescue, table, last, &rows);
		if (!rows.n) {
			break;
		}
		last = rows.last;
	}
	/* An id that damage has made is no place to go on from: the end is read in any case. */
	return r || *ret_whole ? err_up(r)
	                       : err_up(recover_span(rescue, table, 0, INT64_MAX, "DESC", &rows));
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
        db_saved_fn fn, void *arg, struct db_recovered *ret, struct failure *ret_failure)
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
	version = recover_version(path);
	r = db_open(path, migrations, n_migrations, &db, ret_failure);
	if (r != -EBADMSG) {
		db_close(db);
		*ret = (struct db_recovered){.version = version};
		return err_up(r);
	}
	err_forget();
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
	*ret = (struct db_recovered){steal(&kept), version};
	return 0;
}
