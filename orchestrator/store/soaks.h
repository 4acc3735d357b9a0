#pragma once
/* Updates that are watched before they count as well, in the record. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* Of a job. DB_E_NONE. */
int __must_check store_soak_find(struct db *db, int64_t job, struct soak_row *ret);
/* Writes the row, or makes it where its id is 0. */
int __must_check store_soak_put(struct db *db, struct soak_row *row);
