/*
 * Statements that were prepared, for their next run: to prepare one takes longer than to look up a row. Those that were
 * run last are kept, so that memory has a bound; they are the first of db->prepared, newest first.
 *
 * Whoever runs one has taken it out: a query may be asked again, also the same, while its rows are read. One that is kept is
 * reset, so that it holds no lock and no snapshot, and what was bound is gone. SQLite prepares one anew by itself when the
 * schema has changed, and pragmas each time.
 */
#include <string.h>

#include "orchestrator/db/priv.h"

/* The place of a statement of this text, or ->n_prepared. */
static size_t prepared_find(const struct db *db, const char *sql)
{
	size_t i = 0;

	while (i < db->n_prepared && strcmp(sqlite3_sql(db->prepared[i]), sql) != 0) {
		i++;
	}
	return i;
}

/* Takes one out; those behind it move up. */
static sqlite3_stmt *prepared_remove(struct db *db, size_t i)
{
	sqlite3_stmt *statement = db->prepared[i];

	db->n_prepared--;
	memmove(&db->prepared[i], &db->prepared[i + 1],
	        (db->n_prepared - i) * sizeof(db->prepared[0]));
	return statement;
}

int db_prepared_take(struct db *db, const char *sql, sqlite3_stmt **ret)
{
	size_t i = prepared_find(db, sql);

	if (i < db->n_prepared) {
		*ret = prepared_remove(db, i);
		return 0;
	}
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) !=
	        SQLITE_OK) {
		return err_raise(db_error(db));
	}
	return 0;
}

void db_prepared_give(struct db *db, sqlite3_stmt *statement)
{
	/* Of one that was run inside itself there are two. */
	if (prepared_find(db, sqlite3_sql(statement)) < db->n_prepared) {
		sqlite3_finalize(statement);
		return;
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	if (db->n_prepared == DB_PREPARED_MAX) {
		sqlite3_finalize(prepared_remove(db, DB_PREPARED_MAX - 1));
	}
	memmove(&db->prepared[1], &db->prepared[0], db->n_prepared * sizeof(db->prepared[0]));
	db->prepared[0] = statement;
	db->n_prepared++;
}

void db_prepared_drop(struct db *db)
{
	while (db->n_prepared) {
		sqlite3_finalize(prepared_remove(db, db->n_prepared - 1));
	}
}
