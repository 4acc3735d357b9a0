/*
 * One SQLite file under a program that acts on what it has recorded: what is committed must
 * stay committed, and what could not be written must not be taken for done. So it is WAL with
 * synchronous=FULL, all of it is checked when it is opened, and every write is inside
 * db_txn(), which does not nest. A file that was removed or replaced while it is open takes
 * writes that nobody will ever read; so the names are compared with what is open before a
 * transaction and before its commit.
 *
 *   WELL --a write fails, or a name stands for another file--> UNWRITABLE --db_try_write()--> WELL
 *   WELL, UNWRITABLE --damage is met--> DAMAGED, until it is opened again
 *
 * db_set_health() is the only writer of the health. Errors of SQLite are looked at once, where
 * they are met (db_learn()); a caller's mistake says nothing of the file.
 */
#include "orchestrator/db/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"

#define DB_APPLICATION_ID 0x53414d53 /* "SAMS": tells our files from others */
#define DB_BUSY_MSEC 5000
#define DB_PROBE_SEC 2
#define DB_CHECK_LINES 3 /* so many findings of the check are told */

/* Which file a name stood for. */
struct db_file {
	bool known;
	dev_t dev;
	ino_t ino;
};

struct db {
	sqlite3 *sqlite;
	char *path;
	struct db_file file, log; /* the database, and its write-ahead log */
	bool moved;               /* one of them is not where it was: why it is unwritable */
	bool in_txn;
	enum db_health health;
	int64_t ill_since;
	char trouble[160];
	time_t tried;       /* when a write was tried last, and done */
	db_health_fn watch; /* NULL: nobody */
	void *watch_arg;
};

static void db_set_health(struct db *db, enum db_health health, const char *trouble)
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
	/* While it cannot be written nobody is kept waiting to learn so again. */
	sqlite3_busy_timeout(db->sqlite, health == DB_WELL ? DB_BUSY_MSEC : 0);
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

static int db_error(struct db *db)
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

static void db_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

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
static int db_check_place(struct db *db)
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

static int db_exec(struct db *db, const char *sql)
{
	if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK) {
		return err_raise(db_error(db));
	}
	return 0;
}

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

static int db_prepare(struct db *db, const char *sql, const char *format, va_list *args,
        sqlite3_stmt **ret_statement)
{
	_cleanup_(db_finalize) sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL) != SQLITE_OK) {
		return err_raise(db_error(db));
	}
	assert(sqlite3_bind_parameter_count(statement) == (int)strlen(format));
	for (int i = 0; format[i]; i++) {
		if (db_bind_one(statement, i + 1, format[i], args) != SQLITE_OK) {
			return err_raise(db_error(db));
		}
	}
	*ret_statement = steal(&statement);
	return 0;
}

int db_run(struct db *db, const char *sql, const char *format, ...)
{
	_cleanup_(db_finalize) sqlite3_stmt *statement = NULL;
	va_list args;
	int code;
	int r;

	assert(db->in_txn);
	va_start(args, format);
	r = db_prepare(db, sql, format, &args, &statement);
	va_end(args);
	if (r < 0) {
		return err_up(r);
	}
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

int db_query(struct db *db, db_row_fn fn, void *arg, const char *sql, const char *format, ...)
{
	_cleanup_(db_finalize) sqlite3_stmt *statement = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = db_prepare(db, sql, format, &args, &statement);
	va_end(args);
	if (r < 0) {
		return err_up(r);
	}
	return db_query_rows(db, statement, fn, arg);
}

static int db_row_int(sqlite3_stmt *row, void *arg)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

int db_query_int(struct db *db, int64_t *ret_value, const char *sql, const char *format, ...)
{
	_cleanup_(db_finalize) sqlite3_stmt *statement = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = db_prepare(db, sql, format, &args, &statement);
	va_end(args);
	if (r < 0) {
		return err_up(r);
	}
	return db_query_rows(db, statement, db_row_int, ret_value);
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
		        "end lud, then restore a backup of the file, or save what can be read "
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

int db_txn(struct db *db, db_txn_fn fn, void *arg)
{
	int r;

	assert(!db->in_txn);
	if (db->health == DB_DAMAGED) {
		return err_raise(-EBADMSG);
	}
	r = db_check_place(db);
	if (!r) {
		r = db_exec(db, "BEGIN IMMEDIATE");
	}
	if (r < 0) {
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
	return err_up(r);
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

void db_probe(struct db *db)
{
	time_t now = time(NULL);

	if (db->health == DB_WELL && (now < db->tried || now - db->tried >= DB_PROBE_SEC) &&
	        db_try_write(db) < 0) {
		err_forget();
	}
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

struct db_migrate {
	const struct db_migration *migrations;
	size_t n_migrations;
	int64_t version;
};

static int db_migrate_txn(struct db *db, void *arg)
{
	struct db_migrate *plan = arg;
	char sql[96];
	int r;

	for (size_t i = plan->version; i < plan->n_migrations; i++) {
		r = db_exec(db, plan->migrations[i].sql);
		if (r < 0) {
			return err_up(r);
		}
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %zu; PRAGMA application_id = %d",
	        plan->n_migrations, DB_APPLICATION_ID);
	return err_up(db_exec(db, sql));
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
	return err_up(db_txn(db, db_migrate_txn, plan));
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
		r = db_prepare_file(db, &plan);
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
