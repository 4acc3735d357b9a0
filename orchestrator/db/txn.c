/*
 * The one way to write. What is committed must stay committed, and what could not be written
 * must not be taken for done: every write is inside db_txn(), which does not nest.
 *
 * A file that was removed or replaced while it is open takes writes that nobody will ever read.
 * SQLite does not notice; so the names of database and log are compared with what is open
 * before a transaction begins and again before its commit. Between the last look and the commit
 * there is a moment in which the file can still go; nothing here closes it.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "orchestrator/db/priv.h"

#define DB_PROBE_SEC 2 /* how old db_health() may be after db_probe() */

/* Whether the name stands for another file than it did, or for none; learns it at first. */
static bool db_file_moved(struct db_file *file, const char *path)
{
	struct stat status;
	bool there = stat(path, &status) == 0;

	if (!file->known) {
		*file = (struct db_file){there, status.st_dev, status.st_ino};
		return false;
	}
	return !there || status.st_dev != file->dev || status.st_ino != file->ino;
}

/*
 * A file that was removed or replaced is still open here, and takes writes that nobody will
 * ever read: they must not be taken for done.
 */
int db_check_place(struct db *db)
{
	_cleanup_(freep) char *log = text_format("%s-wal", db->path);
	const char *gone = db_file_moved(&db->file, db->path) ? db->path
	                   : db_file_moved(&db->log, log)     ? log
	                                                      : NULL;
	char trouble[sizeof(db->trouble)];

	db->moved = gone != NULL;
	if (!gone) {
		return 0;
	}
	snprintf(trouble, sizeof(trouble), "%.120s was removed or replaced", gone);
	db_set_health(db, DB_UNWRITABLE, trouble);
	return err_raise(-ESTALE);
}

/*
 * IMMEDIATE takes the lock for writing at the start: a transaction that began as a reader could
 * fail in the middle. A COMMIT that fails leaves the transaction open, hence the look at
 * autocommit.
 */
int db_txn(struct db *db, db_txn_fn fn, void *arg)
{
	int r;

	assert(!db->in_txn);
	if (db->health == DB_DAMAGED) {
		return err_raise(-EBADMSG);
	}
	r = db_check_place(db);
	if (!r) {
		r = db_durable_begin(db);
	}
	if (r < 0) {
		return err_up(r);
	}
	r = db_exec(db, "BEGIN IMMEDIATE");
	if (r < 0) {
		db_durable_end(db, false);
		return err_up(r);
	}
	db->in_txn = true;
	r = fn(db, arg);
	db->in_txn = false;
	if (!r) {
		r = db_check_place(db);
	}
	if (!r) {
		r = db_exec(db, "COMMIT");
	}
	if (r && !sqlite3_get_autocommit(db->sqlite)) {
		(void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	db_durable_end(db, !r);
	return err_up(r);
}

void db_along(struct db *db, db_txn_fn fn, void *arg)
{
	db->along = fn;
	db->along_arg = arg;
	db->along_taken = false;
}

bool db_along_is_taken(const struct db *db)
{
	return db->along_taken;
}

struct db_effect {
	db_txn_fn fn;
	void *arg;
	bool taken;
};

static int db_effect_txn(struct db *db, void *arg)
{
	struct db_effect *effect = arg;
	int r = effect->fn(db, effect->arg);

	if (r || !db->along) {
		return r;
	}
	r = db->along(db, db->along_arg);
	effect->taken = !r;
	return r == DB_E_NONE ? 0 : err_up(r);
}

int db_effect(struct db *db, db_txn_fn fn, void *arg)
{
	struct db_effect effect = {fn, arg, false};
	int r = db_txn(db, db_effect_txn, &effect);

	if (!r && effect.taken) {
		db_along(db, NULL, NULL);
		db->along_taken = true;
	}
	return r;
}

/* Writes the first page as it is. */
static int db_write_page(struct db *db, void *arg)
{
	char sql[64];
	int64_t version;
	int r = db_query_int(db, &version, "PRAGMA user_version", "");

	if (r) {
		return err_fold(r);
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)version);
	return err_up(db_exec(db, sql));
}

/*
 * Only this makes a database well again: a transaction that changes no byte, such as
 * an update to what is there already, succeeds on a full disk too.
 */
int db_try_write(struct db *db)
{
	int r = db_txn(db, db_write_page, NULL);

	if (r) {
		return err_up(r);
	}
	db->tried = time(NULL);
	db_set_health(db, DB_WELL, "");
	return 0;
}

/* A clock that was set back is noticed as well: the next probe then writes at once. */
void db_probe(struct db *db)
{
	time_t now = time(NULL);

	if (db->health == DB_WELL && (now < db->tried || now - db->tried >= DB_PROBE_SEC) &&
	        db_try_write(db) < 0) {
		err_forget();
	}
}
