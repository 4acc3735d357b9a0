#pragma once
/*
 * The schema of lud's record: opening it at its newest version, with the rows of tables.def as
 * the only list of what is in it.
 */
#include "orchestrator/db/recover.h"

/* The newest version: the highest `since` of any row. */
unsigned store_schema_version(void);

/*
 * Opens the record, brings its schema up to date, and compares it with the tables that this
 * program has: -EBADMSG when one was changed by another hand. Errors fill ret_failure.
 */
int __must_check store_open(const char *path, struct db **ret_db, struct failure *ret_failure);

/* As db_recover(). */
int __must_check store_recover(const char *path, db_saved_fn fn, void *arg,
        struct db_recovered *ret, struct failure *ret_failure);

/* Takes out bytes of earlier versions that are no message, of which store_check() speaks. Nobody may have the file open. */
int __must_check store_tidy(const char *path, int64_t *ret_n, struct failure *ret_failure);

/* Now, in microseconds of unix time: of lud's, see clock.h. */
int64_t store_now_usec(void);
