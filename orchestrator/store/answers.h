#pragma once
/*
 * Answers to requests that came with an id: what they asked for, as a digest, and what is needed to answer the same again.
 * An id belongs to whoever gave it. Answers are kept for a week, and the newest thousand of each principal, so that
 * neither time nor anybody's requests make the record grow.
 */
#include "orchestrator/db/db.h"
#include "orchestrator/store/rows.h"

#define STORE_ANSWER_USEC (INT64_C(7) * 86400 * 1000000)
#define STORE_ANSWERS_MAX 1000 /* of a principal */

/* The answer under this id. DB_E_NONE. */
int __must_check store_answer_find(
        struct db *db, const char *principal, const char *request_id, struct answer_row *ret);
/* Inserts it, now, and drops what is kept no longer. Inside db_txn(). DB_E_EXISTS: there is one under this id. */
int __must_check store_answer_put(struct db *db, struct answer_row *row);
