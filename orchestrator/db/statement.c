/*
 * Statements and their parameters. A format string names the parameters, one letter each, so
 * that a call is one line and cannot leave a parameter unbound: their number is asserted against
 * what SQLite has parsed. Statements come from prepared.c and go back there.
 *
 * It does not look at the health before it reads: a damaged file is read as far as it goes, and
 * a row that damage hides is an error, never an end of rows.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/db/priv.h"

/* A statement that is run now. */
struct db_use {
	struct db *db;
	sqlite3_stmt *statement;
};

static void db_use_fini(struct db_use *use)
{
	if (use->statement) {
		db_prepared_give(use->db, use->statement);
	}
}

/* Outside db_txn() it is for what changes no row: pragmas, BEGIN, COMMIT. */
int db_exec(struct db *db, const char *sql)
{
	if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK) {
		return err_raise(db_error(db));
	}
	return 0;
}

/* Texts and blobs are copied (SQLITE_TRANSIENT): they may be gone before the statement is run. */
static int db_bind_one(sqlite3_stmt *statement, int index, char kind, va_list *args)
{
	const void *bytes;

	switch (kind) {
	case 'i':
		return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
	case 't':
		return sqlite3_bind_text(
		        statement, index, va_arg(*args, const char *), -1, SQLITE_TRANSIENT);
	case 'b':
		bytes = va_arg(*args, const void *);
		return sqlite3_bind_blob64(
		        statement, index, bytes, va_arg(*args, size_t), SQLITE_TRANSIENT);
	default:
		assert(!"db: unknown parameter kind");
		return SQLITE_MISUSE;
	}
}

/* As many parameters as the format has letters: a mistake in either is ours, and asserted. */
static int db_bind(struct db_use *use, const char *format, va_list *args)
{
	assert(sqlite3_bind_parameter_count(use->statement) == (int)strlen(format));
	for (int i = 0; format[i]; i++) {
		if (db_bind_one(use->statement, i + 1, format[i], args) != SQLITE_OK) {
			return err_raise(db_error(use->db));
		}
	}
	return 0;
}

static int db_prepare(struct db_use *use, const char *sql, const char *format, va_list *args)
{
	int r = db_prepared_take(use->db, sql, &use->statement);

	return r < 0 ? err_up(r) : err_up(db_bind(use, format, args));
}

/*
 * Runs a statement whose parameters are bound. A row that breaks a rule says nothing of the file.
 */
static int db_step(struct db *db, sqlite3_stmt *statement)
{
	int code;

	assert(db->in_txn);
	do {
		code = sqlite3_step(statement);
	} while (code == SQLITE_ROW);
	if (code == SQLITE_DONE) {
		return 0;
	}
	code = sqlite3_extended_errcode(db->sqlite);
	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
		return DB_E_EXISTS;
	}
	return err_raise(db_error(db));
}

int db_run(struct db *db, const char *sql, const char *format, ...)
{
	_cleanup_(db_use_fini) struct db_use use = {.db = db};
	va_list args;
	int r;

	va_start(args, format);
	r = db_prepare(&use, sql, format, &args);
	va_end(args);
	return r < 0 ? err_up(r) : err_up(db_step(db, use.statement));
}

int db_run_bound(struct db *db, const char *sql, db_bind_fn fn, void *arg)
{
	_cleanup_(db_use_fini) struct db_use use = {.db = db};
	int r = db_prepared_take(db, sql, &use.statement);

	if (r < 0) {
		return err_up(r);
	}
	if (fn(use.statement, arg) != SQLITE_OK) {
		return err_raise(db_error(db));
	}
	return err_up(db_step(db, use.statement));
}

/* Non-zero from fn ends the query. Damage met on the way is an error, not an end of rows. */
static int db_query_rows(struct db *db, sqlite3_stmt *statement, db_row_fn fn, void *arg)
{
	bool any = false;
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		int r = fn ? fn(statement, arg) : 0;

		any = true;
		if (r) {
			return r;
		}
	}
	if (code != SQLITE_DONE) {
		return err_raise(db_error(db));
	}
	return any ? 0 : DB_E_NONE;
}

int db_query_list(
        struct db *db, db_row_fn fn, void *arg, const char *sql, const char *format, va_list *args)
{
	_cleanup_(db_use_fini) struct db_use use = {.db = db};
	int r = db_prepare(&use, sql, format, args);

	return r < 0 ? err_up(r) : db_query_rows(db, use.statement, fn, arg);
}

int db_query(struct db *db, db_row_fn fn, void *arg, const char *sql, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = db_query_list(db, fn, arg, sql, format, &args);
	va_end(args);
	return err_up(r);
}

static int db_row_int(sqlite3_stmt *row, void *arg)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

int db_query_int(struct db *db, int64_t *ret_value, const char *sql, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = db_query_list(db, db_row_int, ret_value, sql, format, &args);
	va_end(args);
	return err_up(r);
}

int64_t db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->sqlite);
}

void db_column_text(sqlite3_stmt *row, int column, char *ret_text, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	snprintf(ret_text, size, "%s", text ? text : "");
}

void db_column_blob(sqlite3_stmt *row, int column, void *ret_bytes, size_t size)
{
	const void *bytes = sqlite3_column_blob(row, column);
	size_t have = sqlite3_column_bytes(row, column);

	memset(ret_bytes, 0, size);
	if (bytes) {
		memcpy(ret_bytes, bytes, have < size ? have : size);
	}
}

/* Ends the process without memory, as all of lud does. */
uint8_t *db_column_blob_new(sqlite3_stmt *row, int column, size_t *ret_size)
{
	const void *bytes = sqlite3_column_blob(row, column);
	size_t size = sqlite3_column_bytes(row, column);
	uint8_t *copy;

	*ret_size = size;
	if (!bytes || !size) {
		return NULL;
	}
	copy = malloc(size);
	if (!copy) {
		abort();
	}
	memcpy(copy, bytes, size);
	return copy;
}
