#pragma once
/*
 * One SQLite file: opening it safely (checked, WAL, synchronous=FULL, foreign keys),
 * bringing its schema up to date, and the only way to write to it, db_txn(). When what it
 * wrote is on disk: at once, or as durable.h says.
 *
 * Whoever reads or writes learns of an error by the return value; besides, the
 * database remembers how it is: writable or not, and whether damage was met.
 *
 * Statements take their parameters by a format of one letter each:
 *   i int64_t   t const char * (NULL allowed)   b const void *, size_t
 * Rows are read in a callback with the column helpers below.
 */
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/err.h"
#include "host/base/failure.h"

struct db;

/* Positive outcomes. */
enum {
	_DB_OK,
	DB_E_NONE,   /* the query has no row */
	DB_E_EXISTS, /* a unique constraint refused the row */
};

/* A migration moves the schema from version n (its index) to n + 1: SQL, then what no SQL can do, inside the transaction. */
struct db_migration {
	const char *sql;
	int (*fn)(struct db *db); /* NULL: nothing */
	bool rewrites; /* before it the file is written anew, without room that only old rows had */
};

/* From a migration's fn, for each job: how far it is. Whoever waits is told, from time to time. */
void db_progress(struct db *db, uint64_t done, uint64_t all);

enum db_health {
	DB_WELL,
	DB_UNWRITABLE, /* it can be read; writes fail, and may work again */
	DB_DAMAGED,    /* a read or a write met damage; stays so until it is opened again */
	_DB_HEALTH_N,
};

/*
 * Opens or creates the file, checks all of it, and runs the missing migrations in
 * one transaction. Errors fill ret_failure: not a database, damaged (-EBADMSG), another
 * program's database, a schema newer than this program, I/O.
 */
int __must_check db_open(const char *path, const struct db_migration *migrations,
        size_t n_migrations, struct db **ret_db, struct failure *ret_failure);
struct db *db_close(struct db *db);
void db_closep(struct db **db);

const char *db_path(const struct db *db);
enum db_health db_health(const struct db *db);
/* Since when it is not well, in microseconds of unix time; 0 while it is. */
int64_t db_ill_since(const struct db *db);
/* What is wrong, where, and what to do. Only while it is not well. */
void db_failure(const struct db *db, struct failure *ret_failure);
/* Calls fn whenever the health changes, perhaps in the middle of a transaction. */
typedef void (*db_health_fn)(enum db_health health, void *arg);
void db_watch(struct db *db, db_health_fn fn, void *arg);
/* Writes a little to find out whether it is writable now. Errors: as db_txn(). */
int __must_check db_try_write(struct db *db);
/* Makes db_health() a fact of the last seconds. */
void db_probe(struct db *db);

/*
 * Runs fn inside one IMMEDIATE transaction; anything but 0 from it rolls back.
 * A damaged database is not written to: -EBADMSG.
 */
typedef int (*db_txn_fn)(struct db *db, void *arg);
int __must_check db_txn(struct db *db, db_txn_fn fn, void *arg);

/*
 * What somebody asked for, and that it was answered, are written together or not at all, by two who know nothing of
 * each other. Who knows of the answer calls db_along() before it has the effect done, and db_along(db, NULL, NULL)
 * behind it. The transaction that is the effect is run with db_effect(): as db_txn(), and at its end fn is called in it.
 * Once that is committed nothing goes along with the next. DB_E_NONE from fn: this was not the effect yet.
 */
void db_along(struct db *db, db_txn_fn fn, void *arg);
int __must_check db_effect(struct db *db, db_txn_fn fn, void *arg);
/* Whether the last that db_along() left is committed. */
bool db_along_is_taken(const struct db *db);

/* One write. Must be called inside db_txn(). May return DB_E_EXISTS. */
int __must_check db_run(struct db *db, const char *sql, const char *format, ...);
/* As db_run(), with parameters that fn binds itself; it returns SQLite's code. */
typedef int (*db_bind_fn)(sqlite3_stmt *statement, void *arg);
int __must_check db_run_bound(struct db *db, const char *sql, db_bind_fn fn, void *arg);
/* Row id of the last insert. */
int64_t db_last_id(struct db *db);

/*
 * A query. Calls fn for each row until it returns non-zero, which is returned.
 * fn may be NULL to learn only whether there is a row. DB_E_NONE without rows.
 */
typedef int (*db_row_fn)(sqlite3_stmt *row, void *arg);
int __must_check db_query(
        struct db *db, db_row_fn fn, void *arg, const char *sql, const char *format, ...);
int __must_check db_query_list(
        struct db *db, db_row_fn fn, void *arg, const char *sql, const char *format, va_list *args);
/* A query of one integer. */
int __must_check db_query_int(
        struct db *db, int64_t *ret_value, const char *sql, const char *format, ...);

/* Copies a text or blob column; what is too long is cut, what is missing zeroed. */
void db_column_text(sqlite3_stmt *row, int column, char *ret_text, size_t size);
void db_column_blob(sqlite3_stmt *row, int column, void *ret_bytes, size_t size);
/* A fresh copy of a blob; the caller frees it. NULL when the column is empty. */
uint8_t *db_column_blob_new(sqlite3_stmt *row, int column, size_t *ret_size);
