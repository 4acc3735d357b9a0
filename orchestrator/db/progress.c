/*
 * Opening a large record takes a while, in which nobody is served: to read all of it, to bring it up to date, to write it anew.
 * Whoever waits is told every few seconds how far that is: a person by the log, and a service manager, that it goes on
 * (sd_notify(3)), so that it does not take lud for hung. SQLite calls back in the middle of long statements, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "host/base/log.h"
#include "orchestrator/db/priv.h"

#define PROGRESS_STEPS 200000 /* of SQLite's machine, some milliseconds */
#define PROGRESS_SEC 2
#define PROGRESS_MORE "60000000" /* us, in which the manager hears of it again */

static int64_t progress_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void progress_tell(struct db *db)
{
	struct db_progress *progress = &db->progress;
	char far[64] = "";

	if (progress->all) {
		snprintf(far, sizeof(far), ": %" PRIu64 " of %" PRIu64 " jobs", progress->done,
		        progress->all);
	}
	progress->told = progress_now();
	log_info("%s%s; nobody is served until that is done", progress->what, far);
	(void)sd_notify(0, "EXTEND_TIMEOUT_USEC=" PROGRESS_MORE);
}

/* Never ends a statement. */
static int progress_on_steps(void *arg)
{
	struct db *db = arg;

	if (progress_now() - db->progress.told >= PROGRESS_SEC) {
		progress_tell(db);
	}
	return 0;
}

void db_progress_begin(struct db *db)
{
	db->progress =
	        (struct db_progress){.what = "the record is checked", .told = progress_now()};
	sqlite3_progress_handler(db->sqlite, PROGRESS_STEPS, progress_on_steps, db);
}

void db_progress_step(struct db *db, int64_t from, size_t to)
{
	struct db_progress *progress = &db->progress;

	snprintf(progress->what, sizeof(progress->what),
	        "the record is brought from version %" PRId64 " to %zu", from, to);
	progress_tell(db);
}

void db_progress_end(struct db *db)
{
	sqlite3_progress_handler(db->sqlite, 0, NULL, NULL);
}

void db_progress(struct db *db, uint64_t done, uint64_t all)
{
	db->progress.done = done;
	db->progress.all = done < all ? all : 0;
	(void)progress_on_steps(db);
}
