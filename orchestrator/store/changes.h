#pragma once
/* What befell services of machines outside of jobs. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* Fills seen_us. DB_E_EXISTS when it was recorded before: a machine repeats what was not acknowledged. */
int __must_check store_change_insert(struct db *db, const struct change_row *row);
/* Forgets all but the newest `kept` of a machine. */
int __must_check store_change_trim(struct db *db, int64_t machine, int64_t kept);

/* Which crashes; zero members do not choose. */
struct crash_filter {
	int64_t machine;     /* needed */
	const char *service; /* "": of all */
	int64_t before;      /* only older ones than that with this id */
	int64_t limit;       /* needed */
};

/* Crashes, and services that were given up, newest first. fn ends it by not returning 0. */
typedef int (*store_change_fn)(const struct change_row *row, void *arg);
int __must_check store_crash_each(
        struct db *db, const struct crash_filter *filter, store_change_fn fn, void *arg);
