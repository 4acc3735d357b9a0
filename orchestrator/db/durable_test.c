/*
 * Durability: who makes the calls that wait for the disk, what is called when, and what becomes of a
 * disk that fails or does not answer. fdatasync() is this test's: SQLite and the thread both call it.
 */
#undef NDEBUG
#include "orchestrator/db/durable.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/db/db.h"
#include "orchestrator/db/priv.h"
#include "orchestrator/db/thread.h"

static const struct db_migration steps[] = {
        {.sql = "CREATE TABLE a(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"},
};

/* Of the disk: what the test has it do, and what it did. */
static atomic_int disk_error; /* an errno; 0: it is well */
static atomic_int disk_fails_after;
static atomic_bool disk_is_stuck;
static atomic_int disk_lets;                         /* so many calls go on although it is stuck */
static atomic_int n_asked, n_syncs_in_loop, n_syncs; /* begun; done by whom */

static bool disk_lets_one(void)
{
	int lets = disk_lets;

	return lets > 0 && atomic_compare_exchange_strong(&disk_lets, &lets, lets - 1);
}

int fdatasync(int fd)
{
	n_asked++;
	while (disk_is_stuck && !disk_lets_one()) {
		usleep(1000);
	}
	if (syscall(SYS_gettid) == getpid()) {
		n_syncs_in_loop++;
	}
	n_syncs++;
	if (disk_error && disk_fails_after-- <= 0) {
		errno = disk_error;
		return -1;
	}
	return syscall(SYS_fdatasync, fd);
}

struct world {
	struct event_base *base;
	struct db *db;
	char log[64]; /* its path */
	int told[8];  /* what came, in its order: 100 * r + the number of who waits */
	int n_told;
};

static struct world *world;

static void follow(struct world *w, const char *path)
{
	struct failure failure = {0};

	memset(w, 0, sizeof(*w));
	world = w;
	disk_error = disk_fails_after = disk_lets = 0;
	disk_is_stuck = false;
	w->base = event_base_new();
	snprintf(w->log, sizeof(w->log), "%s-wal", path);
	assert(db_open(path, steps, 1, &w->db, &failure) == 0);
	assert(db_follow(w->db, w->base, &failure) == 0);
	n_asked = n_syncs = n_syncs_in_loop = 0;
}

static void end(struct world *w)
{
	db_close(w->db);
	event_base_free(w->base);
}

static int insert(struct db *db, void *arg)
{
	static const uint8_t bytes[12000];

	return db_run(db, "INSERT INTO a(bytes) VALUES(?)", "b", bytes, sizeof(bytes));
}

static void write_one(struct world *w)
{
	assert(db_txn(w->db, insert, NULL) == 0);
}

static void on_durable(int r, void *arg)
{
	world->told[world->n_told++] = r * 100 + *(int *)arg;
}

/* Runs the loop until it is so, or for a minute and more. */
#define UNTIL(condition)                                                                           \
	for (int tries_ = 0; !(condition); tries_++) {                                             \
		assert(tries_ < 60000);                                                            \
		event_base_loop(world->base, EVLOOP_NONBLOCK);                                     \
		usleep(1000);                                                                      \
	}

static int64_t log_size(const struct world *w)
{
	struct stat status;

	return stat(w->log, &status) == 0 ? status.st_size : -1;
}

/* Runs the loop for a while, in which nothing is to happen. */
static void run_idle(struct world *w)
{
	for (int i = 0; i < 50; i++) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* Calls come in their order, none before the disk has what was written, and none that was forgotten. */
static void test_after(const char *path)
{
	static int numbers[] = {1, 2, 3, 4};
	struct world w;

	follow(&w, path);
	assert(db_is_settled(w.db));
	db_after(w.db, on_durable, &numbers[0]);
	assert(!w.n_told);
	UNTIL(w.n_told == 1);
	disk_is_stuck = true;
	write_one(&w);
	assert(!db_is_settled(w.db));
	db_after(w.db, on_durable, &numbers[1]);
	db_after(w.db, on_durable, &numbers[2]);
	write_one(&w);
	db_after(w.db, on_durable, &numbers[3]);
	db_forget(w.db, &numbers[2]);
	run_idle(&w);
	assert(w.n_told == 1);
	disk_is_stuck = false;
	UNTIL(w.n_told == 3 && db_is_settled(w.db));
	assert(w.told[0] == 1 && w.told[1] == 2 && w.told[2] == 4);
	assert(!n_syncs_in_loop && n_syncs);
	end(&w);
}

/* What the disk has of one transaction says nothing of the next. */
static void test_after_next(const char *path)
{
	static int numbers[] = {1, 2};
	struct world w;

	follow(&w, path);
	disk_is_stuck = true;
	write_one(&w);
	db_after(w.db, on_durable, &numbers[0]);
	UNTIL(n_asked == 1);
	write_one(&w);
	db_after(w.db, on_durable, &numbers[1]);
	disk_lets = 1;
	UNTIL(w.n_told == 1);
	run_idle(&w);
	assert(w.n_told == 1 && n_syncs == 1);
	disk_is_stuck = false;
	UNTIL(w.n_told == 2);
	assert(w.told[0] == 1 && w.told[1] == 2);
	end(&w);
}

/*
 * One call of the disk covers many transactions; and a log that is written for long stays short, without a call
 * in the loop.
 */
static void test_log(const char *path)
{
	struct world w;
	int64_t longest = 0;

	follow(&w, path);
	for (int i = 0; i < 100; i++) {
		write_one(&w);
	}
	UNTIL(db_is_settled(w.db));
	assert(n_syncs < 100);
	for (int i = 0; i < 3000; i++) {
		write_one(&w);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		longest = log_size(&w) > longest ? log_size(&w) : longest;
		/* It is emptied in a pause: whenever the disk is through before the next one comes. */
		if (i % 500 == 499) {
			UNTIL(!log_size(&w));
		}
	}
	UNTIL(db_is_settled(w.db));
	/* They wrote more than 48 MiB. */
	assert(longest > 4 << 20 && longest < 16 << 20);
	assert(!n_syncs_in_loop);
	end(&w);
	assert(log_size(&w) < 0);
}

/* All of the log is copied, and the loop has not heard of it: what it writes then does not begin the log anew. */
static void test_log_pinned(const char *path)
{
	struct world w;
	struct db_thread_news news = {0};
	int64_t size;

	follow(&w, path);
	while (!w.db->durable->copying) {
		write_one(&w);
	}
	while (news.n_copied == w.db->durable->n_copied) {
		usleep(1000);
		db_thread_look(w.db->durable->thread, &news);
	}
	size = log_size(&w);
	write_one(&w);
	assert(log_size(&w) > size && !n_syncs_in_loop);
	end(&w);
}

static int count(struct db *db)
{
	int64_t n;

	assert(db_query_int(db, &n, "SELECT count(*) FROM a", "") == 0);
	return (int)n;
}

/* A disk that fails is never asked again: who waits hears of it, and nothing is written any more. */
static void test_failed(const char *path, int fails_after)
{
	static int number = 1;
	struct failure failure;
	struct world w;
	int n;

	follow(&w, path);
	disk_fails_after = fails_after;
	disk_error = EIO;
	for (int i = 0; i < 2000 && db_health(w.db) == DB_WELL; i++) {
		write_one(&w);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		usleep(fails_after ? 1000 : 0);
	}
	UNTIL(db_health(w.db) == DB_DAMAGED);
	db_failure(w.db, &failure);
	assert(strstr(failure.remedy, "disk") && strstr(failure.cause, "damaged"));
	disk_error = 0;
	n = n_syncs;
	assert(db_txn(w.db, insert, NULL) == -EBADMSG && db_try_write(w.db) == -EBADMSG);
	db_after(w.db, on_durable, &number);
	UNTIL(w.n_told == 1);
	assert(db_is_settled(w.db) && count(w.db));
	end(&w);
	/* Nor at the end: the log stays as it was. */
	assert(n_syncs == n && !n_syncs_in_loop);
}

static void test_failed_waits(const char *path)
{
	static int number = 1;
	struct world w;

	follow(&w, path);
	disk_error = ENOSPC;
	write_one(&w);
	db_after(w.db, on_durable, &number);
	UNTIL(w.n_told == 1);
	assert(w.told[0] == -ENOSPC * 100 + 1);
	end(&w);
}

/* A disk that does not answer: that is told, nothing more is written, and all goes on when it does. */
static void test_stuck(const char *path)
{
	static int number = 1;
	struct failure failure;
	struct world w;

	follow(&w, path);
	disk_is_stuck = true;
	write_one(&w);
	db_after(w.db, on_durable, &number);
	UNTIL(db_health(w.db) == DB_UNWRITABLE);
	db_failure(w.db, &failure);
	assert(strstr(failure.cause, "not finished") && !w.n_told && db_is_settled(w.db));
	assert(db_waits(w.db) && db_late_sec(w.db) >= 4);
	assert(db_txn(w.db, insert, NULL) == -ETIMEDOUT && db_try_write(w.db) < 0);
	disk_is_stuck = false;
	UNTIL(w.n_told == 1 && w.told[0] == 1);
	assert(db_try_write(w.db) == 0 && db_health(w.db) == DB_WELL && !n_syncs_in_loop);
	end(&w);
}

/* The end does not wait for ever; the log is left to the next start, which has all of it. */
static void test_stuck_at_end(const char *path)
{
	struct world w;
	int64_t size;
	int n;

	follow(&w, path);
	n = count(w.db);
	disk_is_stuck = true;
	write_one(&w);
	size = log_size(&w);
	end(&w);
	assert(log_size(&w) == size && size && !n_syncs_in_loop);
	disk_is_stuck = false;
	follow(&w, path);
	assert(count(w.db) == n + 1 && !db_waits(w.db));
	end(&w);
}

/* A disk that fails at the very end is not asked again either. */
static void test_failed_at_end(const char *path)
{
	struct world w;
	int64_t size;

	follow(&w, path);
	disk_is_stuck = true;
	disk_error = EIO;
	write_one(&w);
	size = log_size(&w);
	disk_is_stuck = false;
	end(&w);
	assert(log_size(&w) == size && size && n_syncs == 1 && !n_syncs_in_loop);
}

/* Somebody else who reads, and has seen what is there now, until it is closed. */
static sqlite3 *reader(const char *path)
{
	sqlite3 *other;

	assert(sqlite3_open(path, &other) == SQLITE_OK);
	assert(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM a", NULL, NULL, NULL) == SQLITE_OK);
	return other;
}

/* Another process that reads keeps the log from being emptied, and nobody waits for it. */
static void test_reader(const char *path)
{
	sqlite3 *other;
	struct world w;

	follow(&w, path);
	write_one(&w);
	other = reader(path);
	for (int i = 0; i < 1500; i++) {
		write_one(&w);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	UNTIL(db_is_settled(w.db));
	assert(log_size(&w) > 12 << 20);
	sqlite3_close_v2(other);
	assert(!n_syncs_in_loop);
	end(&w);
}

/* One that reads from before the start keeps the log as well: the loop's commits wait for nothing all the same. */
static void test_reader_before(const char *path)
{
	sqlite3 *other;
	struct world w;

	follow(&w, path);
	write_one(&w);
	other = reader(path);
	end(&w);
	follow(&w, path);
	write_one(&w);
	UNTIL(db_is_settled(w.db));
	assert(n_syncs && !n_syncs_in_loop);
	sqlite3_close_v2(other);
	end(&w);
}

/* A file goes along with the transaction that names it; one that is gone is no error. */
static void test_along(const char *path)
{
	static int number = 1;
	_cleanup_(freep) char *file = text_format("%s.file", path);
	struct world w;

	follow(&w, path);
	assert(file_write_unsynced(file, "bytes", 5) == 0);
	db_take_along(w.db, file);
	db_take_along(w.db, "/nonexistent/file");
	write_one(&w);
	db_after(w.db, on_durable, &number);
	UNTIL(w.n_told == 1 && w.told[0] == 1);
	end(&w);
}

int main(void)
{
	char dir[] = "/tmp/durable_test.XXXXXX";
	_cleanup_(freep) char *path = NULL;

	assert(mkdtemp(dir));
	path = text_format("%s/a.db", dir);
	test_after(path);
	test_after_next(path);
	test_log(path);
	test_log_pinned(path);
	test_failed_waits(path);
	/* In the copy of the log, too: after so many calls that went well. */
	test_failed(path, 0);
	test_failed(path, 40);
	test_stuck(path);
	test_stuck_at_end(path);
	test_failed_at_end(path);
	test_reader(path);
	test_reader_before(path);
	test_along(path);
	assert(dir_remove(dir) == 0);
	return 0;
}
