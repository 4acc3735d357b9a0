#pragma once
/*
 * Inside db: the thread that waits for the disk. It shares with the loop one queue, behind one mutex,
 * and says that there is news by an eventfd. It calls nobody.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/err.h"

struct db_thread;

/* What is so far; numbers are those of db_thread_want(). */
struct db_thread_news {
	uint64_t synced;   /* transactions that are on disk */
	uint64_t n_copied; /* times that it was through with a copy of the log */
	bool whole;        /* the last one moved all of the log */
	int error;         /* negative: the disk failed, and nothing more is done; for good */
	char trouble[160]; /* of what, in words */
};

/*
 * Starts it. It brings the file behind log_fd to disk, copies by `copier`, a connection that nobody
 * else uses from now on, and writes to news_fd; all are the caller's, and outlive it.
 */
int __must_check db_thread_new(
        sqlite3 *copier, int log_fd, int news_fd, struct db_thread **ret_thread);
/* It does what is asked for already, and ends. False: not within so many seconds, and it is left behind. */
bool __must_check db_thread_end(struct db_thread *thread, unsigned int sec);
/* Of one that has ended. */
struct db_thread *db_thread_free(struct db_thread *thread);
/* So many transactions shall be on disk; and the log shall be copied into the database, too. */
void db_thread_want(struct db_thread *thread, uint64_t serial, bool copy);
/* With the next of them this file, too. One that is gone by then is no error. */
void db_thread_take_along(struct db_thread *thread, const char *path);
void db_thread_look(struct db_thread *thread, struct db_thread_news *ret_news);
/* Whether an extended code of SQLite is that of a call that may have dropped what was to be written. */
bool db_thread_has_lost(int code);
