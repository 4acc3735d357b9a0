#pragma once
/*
 * When what was written is on disk. The event loop writes and never waits for the disk: a thread of
 * the database's own brings there what was committed, many transactions by one call, and moves the
 * log into the database. What may happen only after that waits here, by a callback in the loop:
 * whatever leaves the process, and whatever a restart must find recorded.
 *
 * A transaction is all or nothing as ever. One that is not on disk yet is seen by every query, and
 * survives the end of this process; only a loss of power takes it back, with all that came after.
 */
#include <stdbool.h>

#include "host/base/err.h"
#include "host/base/failure.h"

struct db;
struct event_base;

/*
 * From now on, until db_close(), db_txn() returns before the disk has what it wrote. Before, and
 * without it, each commit waits. Called once. Errors fill ret_failure.
 */
int __must_check db_follow(struct db *db, struct event_base *base, struct failure *ret_failure);

/* r: 0; or negative: the disk failed, and what was written will never be known to be there. */
typedef void (*db_durable_fn)(int r, void *arg);
/*
 * Calls fn in a later turn of the loop, when all that was committed before this call is on disk;
 * callbacks come in the order of the calls. Only of a database that is followed.
 */
void db_after(struct db *db, db_durable_fn fn, void *arg);
/* No callback with this arg comes any more. */
void db_forget(struct db *db, const void *arg);
/*
 * Whether there is nothing to wait for: all is on disk; or the disk failed, or does not answer, and
 * the database says so and takes no more writes.
 */
bool db_is_settled(const struct db *db);
/* Whether the disk is at work on what was written, however long. */
bool db_waits(const struct db *db);
/* For how long the disk has not answered; 0: not long enough to be worth a word. */
unsigned int db_late_sec(const struct db *db);
/* The file, and its name in its directory, shall be on disk before the next transaction is: it names it. */
void db_take_along(struct db *db, const char *path);
