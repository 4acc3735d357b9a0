#pragma once
/*
 * What luforge says of the layouts of a release (luforge(1), entropy --json), as a message that is
 * recorded and shown.
 */
#include "host/base/failure.h"
#include "host/base/pool.h"
#include "orchestrator/store/releases.h"
#include "proto/control/control.pb-c.h"

/* Rows of a table: two classes of seven each. */
#define PROTECTION_ROWS_MAX 49u

/*
 * The table of this release, in the pool. An answer about another release or recipe, or one that
 * makes no sense, is -EBADMSG, and ret_failure says so.
 */
int __must_check protection_read(struct pool *pool, const char *json,
        const struct release_row *release, Control__Entropy **ret_table,
        struct failure *ret_failure);
/* Records the table. Called inside db_txn(). */
int __must_check protection_put(struct db *db, int64_t release, const Control__Entropy *table);
/* What was recorded, in the pool. DB_E_NONE: nothing, or of layouts of another recipe. */
int __must_check protection_get(
        struct db *db, struct pool *pool, int64_t release, Control__Entropy **ret_table);
