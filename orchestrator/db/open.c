/*
 * Opening: from a path to a database that can be relied on. Nothing is written to a file before
 * it is known to be ours (application id), no newer than this program (user_version) and whole
 * (each page, row and index entry is read). Then it gets WAL with synchronous=FULL, under which a
 * commit that returned survives a loss of power (until db_follow(): then db_after() says when), and the migrations that it lacks, all of them
 * in one transaction, or two where the file is written anew in between: a file has one schema version or the next, never
 * half of one, and what a crash has interrupted goes on where it was.
 *
 * A file that is refused stays as it was, its log included: no checkpoint is made on the way
 * out, so that a backup program or db_recover() finds what lud found.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/db/priv.h"

#define DB_CHECK_LINES 3 /* so many findings of the check are reported */

/* From the file's version to the program's. */
struct db_migrate {
	const struct db_migration *migrations;
	size_t n_migrations;
	int64_t version;
	size_t upto; /* of a transaction */
};

/* The version is written in the transaction that makes it true. */
static int db_migrate_txn(struct db *db, void *arg)
{
	struct db_migrate *plan = arg;
	char sql[96];
	int r;

	for (size_t i = plan->version; i < plan->upto; i++) {
		r = db_exec(db, plan->migrations[i].sql);
		if (!r && plan->migrations[i].fn) {
			r = plan->migrations[i].fn(db);
		}
		if (r < 0) {
			return err_up(r);
		}
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %zu; PRAGMA application_id = %d",
	        plan->upto, DB_APPLICATION_ID);
	return err_up(db_exec(db, sql));
}

/*
 * A file that is new has nothing to write anew. Where there is no room for that, the file stays as large as it was:
 * it is as good as a small one.
 */
static int db_migrate_all(struct db *db, struct db_migrate *plan)
{
	bool is_new = !plan->version;
	int r = 0;

	if (!is_new) {
		db_progress_step(db, plan->version, plan->n_migrations);
	}
	while (!r && (size_t)plan->version < plan->n_migrations) {
		if (!is_new && plan->migrations[plan->version].rewrites) {
			(void)sqlite3_exec(db->sqlite, "VACUUM", NULL, NULL, NULL);
		}
		plan->upto = (size_t)plan->version + 1;
		while (plan->upto < plan->n_migrations &&
		        (is_new || !plan->migrations[plan->upto].rewrites)) {
			plan->upto++;
		}
		r = db_txn(db, db_migrate_txn, plan);
		plan->version = (int64_t)plan->upto;
	}
	return err_up(r);
}

/* Whether the file is ours or still empty; ret_version is its schema version. */
static int db_identify(struct db *db, int64_t *ret_version)
{
	int64_t application, version, n_tables;
	int r;

	r = db_query_int(db, &application, "PRAGMA application_id", "");
	if (!r) {
		r = db_query_int(db, &version, "PRAGMA user_version", "");
	}
	if (!r) {
		r = db_query_int(db, &n_tables, "SELECT count(*) FROM sqlite_schema", "");
	}
	if (r) {
		return err_fold(r);
	}
	if (application != DB_APPLICATION_ID && n_tables) {
		return err_raise(-EMEDIUMTYPE);
	}
	*ret_version = version;
	return 0;
}

/* Findings of the check go to ->trouble, for a person; SQLite says "ok" when there are none. */
static int db_check_row(sqlite3_stmt *row, void *arg)
{
	struct db *db = arg;
	const char *text = (const char *)sqlite3_column_text(row, 0);
	size_t used = strlen(db->trouble);

	if (text && strcmp(text, "ok")) {
		snprintf(db->trouble + used, sizeof(db->trouble) - used, "%s%.100s",
		        used ? "; " : "", text);
	}
	return 0;
}

/* Reads every page, row and index entry of the file. Findings go to ->trouble. */
static int db_check(struct db *db)
{
	char sql[48];
	int r;

	snprintf(sql, sizeof(sql), "PRAGMA integrity_check(%d)", DB_CHECK_LINES);
	r = db_query(db, db_check_row, db, sql, "");
	if (r) {
		return err_fold(r);
	}
	/* What it read would hide from this process what becomes of the file. */
	sqlite3_db_release_memory(db->sqlite);
	if (*db->trouble) {
		for (char *at = db->trouble; *at; at++) {
			*at = *at == '\n' ? ' ' : *at;
		}
		return err_raise(-EBADMSG);
	}
	return 0;
}

/*
 * The checks come before the pragmas, of which journal_mode writes to the file. -EMEDIUMTYPE:
 * another program's; -EPROTONOSUPPORT: a newer lud's; -EBADMSG: damaged.
 */
static int db_prepare_file(struct db *db, struct db_migrate *plan)
{
	int r;

	sqlite3_busy_timeout(db->sqlite, DB_BUSY_MSEC);
	r = db_identify(db, &plan->version);
	if (!r) {
		r = db_check(db);
	}
	if (!r) {
		r = db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		                "PRAGMA foreign_keys = ON");
	}
	if (r) {
		return err_up(r);
	}
	if ((size_t)plan->version > plan->n_migrations) {
		return err_raise(-EPROTONOSUPPORT);
	}
	if ((size_t)plan->version == plan->n_migrations) {
		return 0;
	}
	return err_up(db_migrate_all(db, plan));
}

/*
 * SQLite tries once more, only to read, and then knows the errno of that: what is in the way of
 * making a file there is asked of the system again.
 */
static int db_open_errno(const char *path, int known)
{
	_cleanup_(freep) char *beside = text_format("%s.probe", path);
	_cleanup_(fd_closep) int fd = -1;

	if (known != ENOENT) {
		return known;
	}
	fd = open(beside, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		return errno;
	}
	(void)unlink(beside);
	return known;
}

/* Only here is known whether the directory, the disk or the file is what has to be mended. */
static void db_explain(struct db *db, const char *path, int r, const struct db_migrate *plan,
        struct failure *ret_failure)
{
	int error;

	switch (r) {
	case -EMEDIUMTYPE:
		failure_set(ret_failure, "database", path,
		        "point the state directory somewhere else",
		        "the file is a database of another program");
		return;
	case -EPROTONOSUPPORT:
		failure_set(ret_failure, "database", path,
		        "run the newer lud, or restore the backup made before it",
		        "schema version %lld is newer than this lud knows (%zu)",
		        (long long)plan->version, plan->n_migrations);
		return;
	case -EBADMSG:
		failure_set(ret_failure, "record-damaged", path,
		        "restore a backup of the file, or save what can be read with "
		        "`lud --recover`; machines run on meanwhile",
		        "the record is damaged, or no database: %s",
		        *db->trouble ? db->trouble : sqlite3_errmsg(db->sqlite));
		return;
	default:
		error = db_open_errno(path, db->sqlite ? sqlite3_system_errno(db->sqlite) : -r);
		failure_set(ret_failure, "database", path,
		        "make the file and its directory writable and make room there (bytes or "
		        "inodes: df -h, df -i), then start lud again; machines run on meanwhile",
		        "it cannot be opened, or the files beside it cannot be made: %s%s%s",
		        db->sqlite ? sqlite3_errmsg(db->sqlite) : "", error ? ": " : "",
		        error ? strerror(error) : "");
	}
}

int db_open(const char *path, const struct db_migration *migrations, size_t n_migrations,
        struct db **ret_db, struct failure *ret_failure)
{
	struct db_migrate plan = {.migrations = migrations, .n_migrations = n_migrations};
	_cleanup_(db_closep) struct db *db = calloc(1, sizeof(*db));
	int r;

	if (!db) {
		abort();
	}
	db->path = text_copy(path);
	if (sqlite3_open(path, &db->sqlite) != SQLITE_OK) {
		r = err_raise(db_error(db));
	} else {
		/* A file that is refused stays as it was, its log included. */
		sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		db_progress_begin(db);
		r = db_prepare_file(db, &plan);
		db_progress_end(db);
	}
	if (r) {
		db_explain(db, path, r, &plan, ret_failure);
		return err_up(r);
	}
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	r = db_check_place(db);
	if (r) {
		db_failure(db, ret_failure);
		return err_up(r);
	}
	*ret_db = steal(&db);
	return 0;
}

struct db *db_close(struct db *db)
{
	if (db) {
		db->durable = db_durable_free(db->durable);
		/* The last one to close it waits for the disk: nothing else is left to do. */
		(void)sqlite3_exec(db->sqlite, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
		db_prepared_drop(db);
		sqlite3_close(db->sqlite);
		free(db->path);
		free(db);
	}
	return NULL;
}

void db_closep(struct db **db)
{
	*db = db_close(*db);
}
