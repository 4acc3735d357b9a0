#pragma once
/*
 * Inside db: the open file, and what its parts need of one another. health.c is the ground,
 * statement.c and txn.c stand on it, open.c on all three.
 */
#include <sys/types.h>
#include <time.h>

#include "orchestrator/db/db.h"

#define DB_BUSY_MSEC 5000 /* that a writer waits for another process, a backup for instance */

/* Which file a name stood for when it was looked at first. */
struct db_file {
	bool known;
	dev_t dev;
	ino_t ino;
};

struct db {
	sqlite3 *sqlite;
	char *path;
	/* txn.c */
	struct db_file file, log; /* the database, and its write-ahead log */
	bool in_txn;
	time_t tried; /* when db_try_write() last succeeded */
	/* health.c; db_set_health() alone writes health and ill_since */
	enum db_health health;
	int64_t ill_since;
	bool moved;         /* file or log is not where it was: why it is unwritable */
	char trouble[160];  /* SQLite's words, or ours; while it is checked, what was found */
	db_health_fn watch; /* NULL: nobody */
	void *watch_arg;
};

/*
 * health.c: the only writer of the health. A move out of DB_DAMAGED, and one to the health
 * that it has, do nothing. The watcher is called from inside.
 */
void db_set_health(struct db *db, enum db_health health, const char *trouble);
/* The errno for SQLite's last error, once the health has learnt from it. */
int __must_check db_error(struct db *db);

/* statement.c: statements without parameters and rows, such as pragmas; also outside db_txn() */
int __must_check db_exec(struct db *db, const char *sql);

/*
 * txn.c: whether the file and its log are still the ones that were opened; learns them at the
 * first call. -ESTALE makes the database unwritable.
 */
int __must_check db_check_place(struct db *db);
