#pragma once
/*
 * Inside db: the open file, and what its parts need of one another. health.c is the ground,
 * prepared.c and statement.c stand on it, durable.c on both, txn.c on those, open.c on all.
 */
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include "orchestrator/db/db.h"
#include "orchestrator/db/thread.h"

#define DB_APPLICATION_ID 0x53414d53 /* "SAMS": tells our files from others */
#define DB_PREPARED_MAX 64           /* statements that are kept */
#define DB_BUSY_MSEC 5000 /* that a writer waits for another process, a backup for instance */

/* A number as text. */
#define DB_TEXT_OF(number) #number
#define DB_TEXT(number) DB_TEXT_OF(number)

struct event;

/* Which file a name stood for when it was looked at first. */
struct db_file {
	bool known;
	dev_t dev;
	ino_t ino;
};

/* durable.c: what is on disk, and who waits for that. */
struct db_durable {
	struct db *db;
	struct db_thread *thread;
	sqlite3 *pin;        /* reads while the log is copied */
	sqlite3 *copier;     /* the thread's while it runs */
	int log_fd, news_fd; /* the log; an eventfd, readable when the thread has news */
	struct event *news;
	struct event *slow; /* runs while the disk is at work */
	int64_t busy_since; /* monotonic; since then it has not answered; 0: it is not at work */
	struct event *due;  /* calls who waits for nothing */
	TAILQ_HEAD(, db_waiter) waiters;
	uint64_t committed; /* transactions so far */
	uint64_t synced;    /* of them, on disk */
	uint64_t turn;
	int error;       /* the disk failed; for good */
	bool is_slow;    /* it does not answer */
	bool fresh;      /* the log was emptied, and nothing came since */
	bool copying;    /* the thread copies the log, and it is pinned */
	int n_frames;    /* of the log */
	int copy_at;     /* so long it is copied */
	uint64_t copied; /* what was committed when the thread was asked to */
	uint64_t n_copied;
};

/* progress.c: how far opening is. */
struct db_progress {
	char what[64];
	uint64_t done, all; /* jobs; all 0: it is not those that take long */
	int64_t told;       /* when somebody was told last, s; monotonic */
};

struct db {
	sqlite3 *sqlite;
	char *path;
	sqlite3_stmt *prepared[DB_PREPARED_MAX]; /* prepared.c */
	size_t n_prepared;
	struct db_progress progress; /* while it is opened */
	/* txn.c */
	struct db_file file, log; /* the database, and its write-ahead log */
	bool in_txn;
	db_txn_fn along; /* goes along with the next effect; NULL: nothing does */
	void *along_arg;
	bool along_taken;
	time_t tried;               /* when db_try_write() last succeeded */
	struct db_durable *durable; /* owned; NULL: each commit waits for the disk */
	/* health.c; db_set_health() alone writes health and ill_since */
	enum db_health health;
	int64_t ill_since;
	bool moved;         /* file or log is not where it was: why it is unwritable */
	bool lost;          /* the disk failed to take what was written: why it is damaged */
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

/* How long a statement waits for another process, by the health. */
void db_set_patience(struct db *db);

/*
 * durable.c, called by db_txn(): before a transaction begins, when -ETIMEDOUT says that the disk does
 * not answer; and when it is over, in any case once it has begun.
 */
int __must_check db_durable_begin(struct db *db);
void db_durable_end(struct db *db, bool committed);
/* Nobody is called. What was committed is brought to disk first, or is said to be missing after some seconds. */
struct db_durable *db_durable_free(struct db_durable *durable);

/*
 * prepared.c: a statement of this text, which the caller binds and runs, and gives back. Before the database is closed, those that
 * were kept are dropped.
 */
int __must_check db_prepared_take(struct db *db, const char *sql, sqlite3_stmt **ret);
void db_prepared_give(struct db *db, sqlite3_stmt *statement);
void db_prepared_drop(struct db *db);

/* progress.c: between these whoever waits is told what goes on; of a migration at once. */
void db_progress_begin(struct db *db);
void db_progress_step(struct db *db, int64_t from, size_t to);
void db_progress_end(struct db *db);

/* statement.c: statements without parameters and rows, such as pragmas; also outside db_txn() */
int __must_check db_exec(struct db *db, const char *sql);

/*
 * txn.c: whether the file and its log are still the ones that were opened; learns them at the
 * first call. -ESTALE makes the database unwritable.
 */
int __must_check db_check_place(struct db *db);
