/*
 * The thread that waits for the disk, so that the event loop does not. Two things make it wait, and
 * both are done here alone: fdatasync() of the log, after which every transaction that was in it is
 * durable, however many (group commit); and a checkpoint, which copies the log into the database
 * between two such calls.
 *
 *   loop:    db_thread_want(7) .. want(8) .. want(9)          db_thread_look(): synced 9
 *   thread:        `-- fdatasync: 7 --' `-- fdatasync: 8, 9 --'^ eventfd
 *
 * A number is taken before the call and told after it, so what was committed while the disk was at
 * work counts for the next call. Transactions are committed by one thread, in the order of their
 * numbers, and all of a commit is written when its number is asked for.
 *
 * A call that fails is never made again: the system may have dropped the pages that it could not
 * write, and would report success for what is lost. The error stays, and nothing more is done. A
 * checkpoint that fails otherwise (no room) has lost nothing, since the log still has all.
 *
 * At the end it may hang in a call that never returns. Then it is left behind, with all that it uses, to
 * end with the process.
 *
 * Signals are the loop's. The thread logs nothing and forks nothing (an error's trace is its own), and
 * a child that the loop forks has none of it.
 */
#include "orchestrator/db/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"

#define DB_THREAD_STACK (256u << 10)

/* A file that goes along. */
struct thread_file {
	STAILQ_ENTRY(thread_file) link;
	char *path;
};
STAILQ_HEAD(thread_files, thread_file);

struct db_thread {
	pthread_t id;
	/* the thread's, from its start to its end */
	sqlite3 *copier;
	int log_fd;
	int news_fd;
	pthread_mutex_t lock;
	pthread_cond_t wanted, ended; /* ->ended by the clock that nobody sets */
	/* behind the lock */
	uint64_t serial;
	struct thread_files files;
	bool copy;
	bool end, is_over;
	struct db_thread_news news;
};

bool db_thread_has_lost(int code)
{
	return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC ||
	       code == SQLITE_IOERR_TRUNCATE;
}

/* Moves as much of the log into the database as nobody reads; it goes on being written meanwhile. */
static void thread_copy(struct db_thread *thread, struct db_thread_news *news)
{
	int n_log = 0, n_copied = 0, code;

	code = sqlite3_wal_checkpoint_v2(
	        thread->copier, "main", SQLITE_CHECKPOINT_PASSIVE, &n_log, &n_copied);
	news->whole = code == SQLITE_OK && n_log == n_copied;
	if (code != SQLITE_OK && db_thread_has_lost(sqlite3_extended_errcode(thread->copier))) {
		news->error = -EIO;
		snprintf(
		        news->trouble, sizeof(news->trouble), "%s", sqlite3_errmsg(thread->copier));
	}
	news->n_copied++;
}

/* Files first: a row that names one is not on disk before it. Frees them in any case. */
static int thread_sync(struct db_thread *thread, struct thread_files *files)
{
	struct thread_file *file;
	int r = 0;

	while ((file = STAILQ_FIRST(files))) {
		STAILQ_REMOVE_HEAD(files, link);
		r = r ? r : file_sync(file->path);
		r = r == -ENOENT ? 0 : r;
		free(file->path);
		free(file);
	}
	if (!r && fdatasync(thread->log_fd) < 0) {
		r = -errno;
	}
	return r;
}

/* Without the lock. */
static void thread_work(struct db_thread *thread, struct thread_files *files, uint64_t serial,
        bool copy, struct db_thread_news *news)
{
	uint64_t one = 1;

	if (serial > news->synced) {
		news->error = thread_sync(thread, files);
		if (news->error) {
			snprintf(news->trouble, sizeof(news->trouble),
			        "what was written did not reach the disk: %s",
			        strerror(-news->error));
		} else {
			news->synced = serial;
		}
	}
	if (copy && !news->error) {
		thread_copy(thread, news);
	}
	pthread_mutex_lock(&thread->lock);
	thread->news = *news;
	pthread_mutex_unlock(&thread->lock);
	/* Full only after 2^64 of them. */
	(void)!write(thread->news_fd, &one, sizeof(one));
}

static void *thread_main(void *arg)
{
	struct db_thread *thread = arg;
	struct db_thread_news news = {0};

	pthread_mutex_lock(&thread->lock);
	while (!news.error) {
		uint64_t serial = thread->serial;
		bool copy = thread->copy;

		if (serial > news.synced || copy) {
			struct thread_files files = STAILQ_HEAD_INITIALIZER(files);

			thread->copy = false;
			if (serial > news.synced) {
				STAILQ_CONCAT(&files, &thread->files);
			}
			pthread_mutex_unlock(&thread->lock);
			thread_work(thread, &files, serial, copy, &news);
			pthread_mutex_lock(&thread->lock);
		} else if (thread->end) {
			break;
		} else {
			pthread_cond_wait(&thread->wanted, &thread->lock);
		}
	}
	thread->is_over = true;
	pthread_cond_signal(&thread->ended);
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

int db_thread_new(sqlite3 *copier, int log_fd, int news_fd, struct db_thread **ret_thread)
{
	struct db_thread *thread = mem_zero(sizeof(*thread));
	pthread_condattr_t by_clock;
	pthread_attr_t attributes;
	sigset_t all, before;
	int r;

	STAILQ_INIT(&thread->files);
	thread->copier = copier;
	thread->log_fd = log_fd;
	thread->news_fd = news_fd;
	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->wanted, NULL);
	pthread_condattr_init(&by_clock);
	pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->ended, &by_clock);
	pthread_condattr_destroy(&by_clock);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, DB_THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread->id, &attributes, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (r) {
		free(thread);
		return err_raise(-r);
	}
	*ret_thread = thread;
	return 0;
}

/* A join with a limit would be shorter, but no race detector knows one by the monotonic clock. */
bool db_thread_end(struct db_thread *thread, unsigned int sec)
{
	struct timespec until;
	bool is_over;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += sec;
	pthread_mutex_lock(&thread->lock);
	thread->end = true;
	pthread_cond_signal(&thread->wanted);
	while (!thread->is_over && !r) {
		r = pthread_cond_timedwait(&thread->ended, &thread->lock, &until);
	}
	is_over = thread->is_over;
	pthread_mutex_unlock(&thread->lock);
	return is_over && pthread_join(thread->id, NULL) == 0;
}

struct db_thread *db_thread_free(struct db_thread *thread)
{
	while (!STAILQ_EMPTY(&thread->files)) {
		struct thread_file *file = STAILQ_FIRST(&thread->files);

		STAILQ_REMOVE_HEAD(&thread->files, link);
		free(file->path);
		free(file);
	}
	pthread_cond_destroy(&thread->wanted);
	pthread_cond_destroy(&thread->ended);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
	return NULL;
}

void db_thread_want(struct db_thread *thread, uint64_t serial, bool copy)
{
	pthread_mutex_lock(&thread->lock);
	thread->serial = serial;
	thread->copy = thread->copy || copy;
	pthread_cond_signal(&thread->wanted);
	pthread_mutex_unlock(&thread->lock);
}

void db_thread_take_along(struct db_thread *thread, const char *path)
{
	struct thread_file *file = mem_zero(sizeof(*file));

	file->path = text_copy(path);
	pthread_mutex_lock(&thread->lock);
	STAILQ_INSERT_TAIL(&thread->files, file, link);
	pthread_mutex_unlock(&thread->lock);
}

void db_thread_look(struct db_thread *thread, struct db_thread_news *ret_news)
{
	pthread_mutex_lock(&thread->lock);
	*ret_news = thread->news;
	pthread_mutex_unlock(&thread->lock);
}
