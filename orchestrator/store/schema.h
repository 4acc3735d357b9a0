#pragma once
/*
 * The schema of lud's record, as a list of migrations. A released migration never
 * changes; what comes next is appended.
 */
#include "orchestrator/db/recover.h"

extern const struct db_migration store_migrations[];
extern const size_t store_migrations_n;

/* Opens the record and brings its schema up to date. */
int __must_check store_open(const char *path, struct db **ret_db, struct failure *ret_failure);

/* As db_recover(). */
int __must_check store_recover(
        const char *path, db_saved_fn fn, void *arg, char **ret_kept, struct failure *ret_failure);

/* Now, in microseconds of unix time. */
int64_t store_now_usec(void);
