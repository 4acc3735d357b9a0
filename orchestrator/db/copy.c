/*
 * Copies are made by VACUUM INTO: one read transaction, so a writer neither waits nor is seen half, and
 * the copy has no log beside it that could be forgotten. What was copied is known to be whole, since each
 * row was read.
 */
#include "orchestrator/db/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/db/priv.h"

static void copy_explain(
        const struct db *db, const char *path, const char *what, struct failure *ret_failure)
{
	int error = db->sqlite ? sqlite3_system_errno(db->sqlite) : 0;

	failure_set(ret_failure, "database", path,
	        "see that it is there, that it is a record of lud, and that there is room",
	        "%s: %s%s%s", what, db->sqlite ? sqlite3_errmsg(db->sqlite) : "out of memory",
	        error ? ": " : "", error ? strerror(error) : "");
}

int db_open_read(
        const char *path, struct db **ret_db, int64_t *ret_version, struct failure *ret_failure)
{
	_cleanup_(db_closep) struct db *db = mem_zero(sizeof(*db));
	int64_t application = 0;
	int r = 0;

	db->path = text_copy(path);
	if (sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		r = err_raise(db_error(db));
	}
	if (!r) {
		sqlite3_busy_timeout(db->sqlite, DB_BUSY_MSEC);
		r = db_query_int(db, &application, "PRAGMA application_id", "");
	}
	if (!r) {
		r = db_query_int(db, ret_version, "PRAGMA user_version", "");
	}
	if (!r && application != DB_APPLICATION_ID) {
		failure_set(ret_failure, "database", path,
		        "name a record of lud, or a backup of one", "the file is no record of lud");
		return err_raise(-EMEDIUMTYPE);
	}
	if (r) {
		copy_explain(db, path, "it cannot be read", ret_failure);
		return err_fold(r);
	}
	*ret_db = steal(&db);
	return 0;
}

struct db_finding {
	db_finding_fn fn;
	void *arg;
};

static int db_finding_page(sqlite3_stmt *row, void *arg)
{
	struct db_finding *finding = arg;
	const char *text = (const char *)sqlite3_column_text(row, 0);

	if (text && strcmp(text, "ok") != 0) {
		finding->fn(text, finding->arg);
	}
	return 0;
}

/* Table, row and the table that it refers to. */
static int db_finding_key(sqlite3_stmt *row, void *arg)
{
	struct db_finding *finding = arg;
	char text[192];

	snprintf(text, sizeof(text), "row %lld of %.60s refers to a row of %.60s that is missing",
	        (long long)sqlite3_column_int64(row, 1), (const char *)sqlite3_column_text(row, 0),
	        (const char *)sqlite3_column_text(row, 2));
	finding->fn(text, finding->arg);
	return 0;
}

int db_check_all(struct db *db, db_finding_fn fn, void *arg)
{
	struct db_finding finding = {fn, arg};
	int r = db_query(db, db_finding_page, &finding, "PRAGMA integrity_check(20)", "");

	if (!r || r == DB_E_NONE) {
		r = db_query(db, db_finding_key, &finding, "PRAGMA foreign_key_check", "");
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

/* The file, and its name in the directory. */
static int copy_to_disk(const char *path)
{
	_cleanup_(freep) char *copy = text_copy(path);
	_cleanup_(fd_closep) int file = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_closep) int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (file < 0 || dir < 0 || fchmod(file, 0600) < 0 || fsync(file) < 0 || fsync(dir) < 0) {
		return err_raise(-errno);
	}
	return 0;
}

/* It has the name when all of it is on the disk, and only if nothing else has. */
static int copy_place(const char *made, const char *to)
{
	int r = copy_to_disk(made);

	if (!r && link(made, to) < 0) {
		r = err_raise(-errno);
	}
	return r ? err_up(r) : err_up(copy_to_disk(to));
}

int db_copy(const char *from, const char *to, struct failure *ret_failure)
{
	_cleanup_(db_closep) struct db *db = NULL;
	_cleanup_(freep) char *made = text_format("%s.XXXXXX", to);
	_cleanup_(fd_closep) int fd = -1;
	int64_t version;
	int r = db_open_read(from, &db, &version, ret_failure);

	if (r) {
		return err_up(r);
	}
	/* SQLite takes an empty file; nobody else reads what goes into this one. */
	fd = access(to, F_OK) == 0 ? -1 : mkostemp(made, O_CLOEXEC);
	if (fd < 0) {
		failure_set(ret_failure, "backup", to,
		        "name a file that is not there yet, in a directory that can be written",
		        "the file cannot be made%s", "");
		return err_raise(-EEXIST);
	}
	r = db_query(db, NULL, NULL, "VACUUM INTO ?", "t", made);
	if (r == DB_E_NONE) {
		r = copy_place(made, to);
	}
	if (r) {
		copy_explain(db, to, "the copy cannot be made", ret_failure);
	}
	(void)unlink(made);
	return err_fold(r);
}

int db_remove(const char *path)
{
	static const char *const parts[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		_cleanup_(freep) char *part = text_format("%s%s", path, parts[i]);

		if (unlink(part) < 0 && errno != ENOENT) {
			return err_raise(-errno);
		}
	}
	return 0;
}

int db_replace(const char *path, const char *fresh, const char *kept)
{
	_cleanup_(freep) char *log = text_format("%s-wal", path);
	_cleanup_(freep) char *index = text_format("%s-shm", path);
	_cleanup_(freep) char *kept_log = text_format("%s-wal", kept);
	_cleanup_(freep) char *fresh_log = text_format("%s-wal", fresh);

	if (access(fresh_log, F_OK) == 0) {
		return err_raise(-ENOSPC);
	}
	if ((link(path, kept) < 0 && errno != ENOENT) ||
	        (rename(log, kept_log) < 0 && errno != ENOENT) ||
	        (unlink(index) < 0 && errno != ENOENT) || rename(fresh, path) < 0) {
		return err_raise(-errno);
	}
	return err_up(copy_to_disk(path));
}

char *db_kept_name(const char *path, const char *what)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	for (unsigned int n = 1;; n++) {
		_cleanup_(freep) char *again = n > 1 ? text_format("-%u", n) : text_copy("");
		_cleanup_(freep) char *name = text_format("%s.%s-%s%s", path, what, when, again);

		if (access(name, F_OK) < 0) {
			return steal(&name);
		}
	}
}
