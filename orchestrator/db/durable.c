/*
 * The loop's side of durability: numbers of transactions, who waits for which, and when the log
 * begins anew.
 *
 * SQLite waits for the disk in three places, and each is taken out of the loop:
 *
 *   - after each commit, with synchronous=FULL. The loop has NORMAL; the thread brings the log to
 *     disk, and db_after() is how to wait for that.
 *   - in a checkpoint. The loop makes none that has anything to copy: beyond DB_LOG_FRAMES pages of
 *     log the thread is asked to.
 *   - before the first frame of a log that is begun anew in place, since the log's header has to be
 *     on disk before frames of before are overwritten: else a loss of power could leave the old
 *     header with a part of the old frames, which would be played back over newer pages. So the log
 *     is never begun anew in place: it is emptied first, and the first commit after that needs no
 *     such order (synchronous=OFF for this one): what the disk has of it then either begins
 *     with a header that it has, or is no log.
 *
 *      log is long               thread: all copied, nothing came since
 *   WRITES ---------> COPIES (pinned) --------------------------------------> emptied, WRITES
 *     ^                  |
 *     `------------------'  something came since: again, at once; somebody reads: again, later
 *
 * So it is emptied in the first pause between two transactions that is as long as the disk needs for the little
 * that came last. Until there is one the log grows, which costs room and nothing else.
 *
 * SQLite would begin it anew by itself at the first commit after all was copied, and nobody reads
 * the log. A second connection of the loop therefore reads all the while ("pinned"), and lets go in
 * the same turn in which the log is emptied. Should another process do what only lud does (write,
 * and checkpoint), SQLite's own rule holds, and the loop waits once.
 *
 * Emptying relies on the file system not showing old bytes in a file that was cut to nothing and
 * written again; see docs/adr/0018.
 */
#include "orchestrator/db/durable.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/db/priv.h"

#define DB_LOG_FRAMES 1000 /* pages, 4 MiB: SQLite's own measure */
/* The disk has not answered for so long: that is told, and nothing more is written meanwhile. */
#define DB_SLOW_SEC 5
#define DB_LATE_SEC 2 /* so long: that is told to who asks */
#define DB_END_SEC 5  /* that the end waits for the disk */

struct db_waiter {
	TAILQ_ENTRY(db_waiter) link;
	uint64_t serial; /* of the last transaction before */
	uint64_t turn;   /* of durable_run() in which it came: called in a later one */
	db_durable_fn fn;
	void *arg;
};

/* Made as SQLite wants them: no checkpoints but ours, and none at the end. */
static int durable_connect(const char *path, sqlite3 **ret_sqlite)
{
	if (sqlite3_open_v2(path, ret_sqlite, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	        sqlite3_exec(*ret_sqlite,
	                "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
	                "SELECT 1 FROM sqlite_schema LIMIT 1",
	                NULL, NULL, NULL) != SQLITE_OK) {
		return err_raise(-EIO);
	}
	sqlite3_db_config(*ret_sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

static void durable_run(struct db_durable *durable)
{
	struct db_waiter *waiter;
	int r = durable->error;

	durable->turn++;
	while ((waiter = TAILQ_FIRST(&durable->waiters)) && waiter->turn < durable->turn &&
	        (r || waiter->serial <= durable->synced)) {
		bool there = waiter->serial <= durable->synced;
		db_durable_fn fn = waiter->fn;
		void *arg = waiter->arg;

		TAILQ_REMOVE(&durable->waiters, waiter, link);
		free(waiter);
		fn(there ? 0 : r, arg);
	}
	if (waiter && (r || waiter->serial <= durable->synced)) {
		event_active(durable->due, EV_TIMEOUT, 0);
	}
}

static void durable_on_due(evutil_socket_t fd, short what, void *arg)
{
	durable_run(arg);
}

static bool durable_log_is_empty(const struct db_durable *durable)
{
	struct stat status;

	return fstat(durable->log_fd, &status) == 0 && !status.st_size;
}

static int64_t durable_now_sec(void)
{
	return elapsed_usec() / 1000000;
}

/* Whether the disk is at work is measured from the commit that it began with, or its last answer. */
static void durable_watch(struct db_durable *durable)
{
	static const struct timeval limit = {DB_SLOW_SEC, 0};

	if (durable->synced == durable->committed || durable->error) {
		evtimer_del(durable->slow);
		durable->busy_since = 0;
	} else {
		durable->busy_since = durable_now_sec();
		evtimer_add(durable->slow, &limit);
	}
}

/*
 * A timer that is late says that this process stood still, its thread with it, and nothing of the
 * disk: that is measured anew.
 */
static void durable_on_slow(evutil_socket_t fd, short what, void *arg)
{
	struct db_durable *durable = arg;

	if (durable_now_sec() - durable->busy_since > DB_SLOW_SEC + 2) {
		durable_watch(durable);
		return;
	}
	durable->is_slow = true;
	db_set_health(durable->db, DB_UNWRITABLE,
	        "the disk has not finished a write for " DB_TEXT(DB_SLOW_SEC) " s");
}

/*
 * Has the thread copy the log, and keeps SQLite from beginning it anew meanwhile. Where that cannot
 * be had, later.
 */
static void durable_copy(struct db_durable *durable)
{
	if (sqlite3_exec(durable->pin, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL,
	            NULL) != SQLITE_OK) {
		(void)sqlite3_exec(durable->pin, "ROLLBACK", NULL, NULL, NULL);
		durable->copy_at = durable->n_frames + DB_LOG_FRAMES;
		return;
	}
	durable->copying = true;
	durable->copied = durable->committed;
	db_thread_want(durable->thread, durable->committed, true);
}

/*
 * Where all was copied nothing here waits for the disk. SQLite's code: another process that reads is in
 * the way, for instance.
 */
static int durable_empty(struct db_durable *durable)
{
	sqlite3 *sqlite = durable->db->sqlite;
	int code;

	sqlite3_busy_timeout(sqlite, 0);
	code = sqlite3_wal_checkpoint_v2(sqlite, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	db_set_patience(durable->db);
	durable->fresh = code == SQLITE_OK && durable_log_is_empty(durable);
	durable->n_frames = durable->fresh ? 0 : durable->n_frames;
	durable->copy_at = durable->n_frames + DB_LOG_FRAMES;
	return code == SQLITE_OK ? code : sqlite3_extended_errcode(sqlite);
}

static void durable_copied(struct db_durable *durable, const struct db_thread_news *news)
{
	durable->n_copied = news->n_copied;
	durable->copying = false;
	(void)sqlite3_exec(durable->pin, "ROLLBACK", NULL, NULL, NULL);
	if (durable->committed != durable->copied) {
		durable_copy(durable);
	} else if (news->whole) {
		(void)durable_empty(durable);
	} else {
		durable->copy_at = durable->n_frames + DB_LOG_FRAMES;
	}
}

/* Nothing that SQLite holds of the files may reach them any more: what is there counts. */
static void durable_fail(struct db_durable *durable, const struct db_thread_news *news)
{
	struct db *db = durable->db;

	durable->error = news->error;
	db->lost = true;
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	db_set_health(db, DB_DAMAGED, news->trouble);
}

static void durable_on_news(evutil_socket_t fd, short what, void *arg)
{
	struct db_durable *durable = arg;
	struct db_thread_news news;
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
	db_thread_look(durable->thread, &news);
	durable->is_slow = durable->is_slow && news.synced == durable->synced;
	durable->synced = news.synced;
	if (news.error && !durable->error) {
		durable_fail(durable, &news);
	} else if (durable->copying && news.n_copied != durable->n_copied) {
		durable_copied(durable, &news);
	}
	durable_watch(durable);
	durable_run(durable);
}

/* SQLite's own checkpoints are off by this, too. */
static int durable_on_frames(void *arg, sqlite3 *sqlite, const char *name, int n_frames)
{
	struct db_durable *durable = arg;

	durable->n_frames = n_frames;
	return SQLITE_OK;
}

int db_durable_begin(struct db *db)
{
	struct db_durable *durable = db->durable;

	if (!durable) {
		return 0;
	}
	if (durable->is_slow) {
		return err_raise(-ETIMEDOUT);
	}
	durable->fresh = durable->fresh && durable_log_is_empty(durable);
	return durable->fresh ? err_up(db_exec(db, "PRAGMA synchronous = OFF")) : 0;
}

void db_durable_end(struct db *db, bool committed)
{
	struct db_durable *durable = db->durable;

	if (!durable) {
		return;
	}
	if (durable->fresh) {
		(void)sqlite3_exec(db->sqlite, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	}
	if (!committed) {
		return;
	}
	if (durable->committed++ == durable->synced) {
		durable_watch(durable);
	}
	db_thread_want(durable->thread, durable->committed, false);
	if (!durable->copying && durable->n_frames >= durable->copy_at) {
		durable_copy(durable);
	}
}

/* The names of the files, which are new perhaps, are to be found after a loss of power. */
static int durable_sync_directory(const char *path)
{
	_cleanup_(freep) char *copy = text_copy(path);
	_cleanup_(fd_closep) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? err_raise(-errno) : 0;
}

/* What the log has of an earlier run is copied now, while waiting is no matter, and it is empty. */
static int durable_open(struct db_durable *durable, struct event_base *base)
{
	struct db *db = durable->db;
	_cleanup_(freep) char *log = text_format("%s-wal", db->path);
	int r;

	r = durable_connect(db->path, &durable->pin);
	if (!r) {
		r = durable_connect(db->path, &durable->copier);
	}
	if (!r) {
		r = durable_sync_directory(db->path);
	}
	if (r) {
		return err_up(r);
	}
	durable->log_fd = open(log, O_RDONLY | O_CLOEXEC);
	durable->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (durable->log_fd < 0 || durable->news_fd < 0) {
		return err_raise(-errno);
	}
	durable->news =
	        event_new(base, durable->news_fd, EV_READ | EV_PERSIST, durable_on_news, durable);
	durable->slow = evtimer_new(base, durable_on_slow, durable);
	durable->due = evtimer_new(base, durable_on_due, durable);
	if (!durable->news || !durable->slow || !durable->due ||
	        event_add(durable->news, NULL) < 0) {
		abort();
	}
	if (db_thread_has_lost(durable_empty(durable))) {
		return err_raise(-EIO);
	}
	return err_up(db_thread_new(
	        durable->copier, durable->log_fd, durable->news_fd, &durable->thread));
}

int db_follow(struct db *db, struct event_base *base, struct failure *ret_failure)
{
	struct db_durable *durable = mem_zero(sizeof(*durable));
	int r;

	assert(!db->durable);
	durable->db = db;
	durable->log_fd = durable->news_fd = -1;
	TAILQ_INIT(&durable->waiters);
	r = durable_open(durable, base);
	if (!r) {
		r = db_exec(db, "PRAGMA synchronous = NORMAL");
	}
	if (r) {
		failure_set(ret_failure, "database", db->path,
		        "make the file and its directory writable and make room there, then start "
		        "lud again; machines run on meanwhile",
		        "the thread that writes it to disk cannot be started: %s", strerror(-r));
		db_durable_free(durable);
		return err_up(r);
	}
	sqlite3_wal_hook(db->sqlite, durable_on_frames, durable);
	db->durable = durable;
	return 0;
}

/*
 * A disk that never answers must not keep the process, which is told by then what may be lost. The thread
 * and what it uses are left behind, and the log to the next start. False: so it is.
 */
static bool durable_end_thread(struct db_durable *durable)
{
	struct db_thread_news news;
	bool ended;

	if (!durable->thread) {
		return true;
	}
	ended = db_thread_end(durable->thread, DB_END_SEC);
	db_thread_look(durable->thread, &news);
	if (ended) {
		durable->thread = db_thread_free(durable->thread);
	}
	if (news.error && !durable->error) {
		durable_fail(durable, &news);
	}
	if (news.synced != durable->committed) {
		log_error("%s: %s: the last %" PRIu64
		          " transactions are lost should the power go now; look at the disk "
		          "(dmesg), then start lud again: machines run on, and are asked for the "
		          "rest",
		        durable->db->path,
		        news.error
		                ? news.trouble
		                : "the disk has not finished a write for " DB_TEXT(DB_END_SEC) " s",
		        durable->committed - news.synced);
	}
	return ended;
}

struct db_durable *db_durable_free(struct db_durable *durable)
{
	struct db_waiter *waiter;
	bool ended;

	if (!durable) {
		return NULL;
	}
	ended = durable_end_thread(durable);
	while ((waiter = TAILQ_FIRST(&durable->waiters))) {
		TAILQ_REMOVE(&durable->waiters, waiter, link);
		free(waiter);
	}
	if (durable->news) {
		event_free(durable->news);
		event_free(durable->slow);
		event_free(durable->due);
	}
	sqlite3_close(durable->pin);
	/* A copier that stays open keeps SQLite from emptying the log when the last of the others is closed. */
	if (ended) {
		sqlite3_close(durable->copier);
		fd_closep(&durable->log_fd);
		fd_closep(&durable->news_fd);
	}
	free(durable);
	return NULL;
}

void db_after(struct db *db, db_durable_fn fn, void *arg)
{
	struct db_durable *durable = db->durable;
	struct db_waiter *waiter = mem_zero(sizeof(*waiter));

	assert(durable);
	*waiter = (struct db_waiter){
	        .serial = durable->committed, .turn = durable->turn, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&durable->waiters, waiter, link);
	if (durable->error || waiter->serial <= durable->synced) {
		event_active(durable->due, EV_TIMEOUT, 0);
	}
}

void db_forget(struct db *db, const void *arg)
{
	struct db_waiter *waiter = db->durable ? TAILQ_FIRST(&db->durable->waiters) : NULL;

	while (waiter) {
		struct db_waiter *next = TAILQ_NEXT(waiter, link);

		if (waiter->arg == arg) {
			TAILQ_REMOVE(&db->durable->waiters, waiter, link);
			free(waiter);
		}
		waiter = next;
	}
}

bool db_is_settled(const struct db *db)
{
	const struct db_durable *durable = db->durable;

	return !durable || durable->synced == durable->committed || durable->error ||
	       durable->is_slow;
}

bool db_waits(const struct db *db)
{
	const struct db_durable *durable = db->durable;

	return durable && durable->synced != durable->committed && !durable->error;
}

unsigned int db_late_sec(const struct db *db)
{
	int64_t sec = db_waits(db) ? durable_now_sec() - db->durable->busy_since : 0;

	return sec >= DB_LATE_SEC ? (unsigned int)sec : 0;
}

void db_take_along(struct db *db, const char *path)
{
	db_thread_take_along(db->durable->thread, path);
}
