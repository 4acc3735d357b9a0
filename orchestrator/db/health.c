/*
 * How the database is, besides what each call returns: a program that acts on its record has to
 * know whether it may act at all, and to say why not, long after the call that failed.
 *
 *   WELL --a write fails, or a name stands for another file--> UNWRITABLE --db_try_write()--> WELL
 *   WELL, UNWRITABLE --damage is met--> DAMAGED, until it is opened again
 *
 * db_set_health() is the only writer. Errors of SQLite are looked at once, where they are met
 * (db_error()); a caller's mistake, such as a constraint that a row breaks, says nothing of the
 * file. DAMAGED keeps the words of the first error: what follows from damage only obscures it.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "orchestrator/db/priv.h"

/* While it cannot be written nobody is kept waiting to learn so again. */
void db_set_patience(struct db *db)
{
	sqlite3_busy_timeout(db->sqlite, db->health == DB_WELL ? DB_BUSY_MSEC : 0);
}

void db_set_health(struct db *db, enum db_health health, const char *trouble)
{
	struct timespec now;

	/* What was damaged does not heal, and its first words say most. */
	if (db->health == health || db->health == DB_DAMAGED) {
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	db->health = health;
	db->ill_since = health == DB_WELL ? 0 : now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
	snprintf(db->trouble, sizeof(db->trouble), "%s", trouble);
	db_set_patience(db);
	if (db->watch) {
		db->watch(health, db->watch_arg);
	}
}

/* Learns from an error what it says of the database. A caller's mistake says nothing. */
static void db_learn(struct db *db)
{
	switch (sqlite3_errcode(db->sqlite)) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		db_set_health(db, DB_DAMAGED, sqlite3_errmsg(db->sqlite));
		return;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_NOMEM:
	case SQLITE_NOLFS:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		db_set_health(db, DB_UNWRITABLE, sqlite3_errmsg(db->sqlite));
		return;
	default:
		return;
	}
}

/*
 * Called with SQLite's error still set, so before any other call on the connection. What is left
 * over is -EIO: to a caller it matters only that the operation failed, and db_failure() has the
 * words.
 */
int db_error(struct db *db)
{
	db_learn(db);
	switch (sqlite3_errcode(db->sqlite)) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

const char *db_path(const struct db *db)
{
	return db->path;
}

enum db_health db_health(const struct db *db)
{
	return db->health;
}

int64_t db_ill_since(const struct db *db)
{
	return db->ill_since;
}

void db_watch(struct db *db, db_health_fn fn, void *arg)
{
	db->watch = fn;
	db->watch_arg = arg;
}

/*
 * For whoever asked for something that the database could not do. While it is well there is
 * nothing to tell.
 */
void db_failure(const struct db *db, struct failure *ret_failure)
{
	char remedy[240];

	switch (db->health) {
	case DB_UNWRITABLE:
		snprintf(remedy, sizeof(remedy),
		        db->moved ? "put back %.120s as it was, and lud goes on by itself; or end "
		                    "lud, restore a backup and start it"
		                  : "make %.160s writable (space, permissions, locks); lud goes on "
		                    "by itself",
		        db->path);
		failure_set(ret_failure, "record-unwritable", db->path, remedy,
		        "the record cannot be written: %s", db->trouble);
		return;
	case DB_DAMAGED:
		failure_set(ret_failure, "record-damaged", db->path,
		        db->lost ? "look at the disk (dmesg), then start lud again: what the disk "
		                   "has counts, and machines are asked for the rest"
		                 : "end lud, then restore a backup of the file, or save what can "
		                   "be read "
		                   "with `lud --recover`",
		        "the record is damaged: %s", db->trouble);
		return;
	case DB_WELL:
	case _DB_HEALTH_N:
		break;
	}
	failure_set(ret_failure, "record", db->path, "see the log of lud",
	        "the record did not do what was asked");
}
