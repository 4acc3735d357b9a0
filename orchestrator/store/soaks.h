#pragma once
/* Updates that are watched before they count as well, in the record. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* Of a job. DB_E_NONE. */
int __must_check store_soak_find(struct db *db, int64_t job, struct soak_row *ret);
/* Of open jobs whose soak would be over by now, those of which it is not known whether they are well. */
typedef int (*store_soak_fn)(const struct soak_row *row, void *arg);
int __must_check store_soak_late(struct db *db, int64_t now_us, store_soak_fn fn, void *arg);
/* Writes the row, or makes it where its id is 0. */
int __must_check store_soak_put(struct db *db, struct soak_row *row);
