#pragma once
/* Policies in the record, in numbered versions, and holds. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* Finds or makes the source with this digest; body: what policies are made of again. */
int __must_check store_policy_source(struct db *db, const uint8_t digest[64], const void *body,
        size_t body_size, int64_t *ret_id);
/* The newest version from now on. Fills row->id and its time. */
int __must_check store_policy_version(struct db *db, struct policy_version_row *row);
int __must_check store_policy_member(struct db *db, int64_t version, int64_t source);
/* One version; 0: the newest. DB_E_NONE. */
int __must_check store_policy_find(struct db *db, int64_t version, struct policy_version_row *ret);
/* Calls fn with the body of each policy of a version, in the order in which they were first applied. */
typedef int (*store_policy_fn)(const uint8_t *body, size_t size, void *arg);
int __must_check store_policy_each(struct db *db, int64_t version, store_policy_fn fn, void *arg);
/* Versions, newest first; before 0: from the newest on. */
typedef int (*store_policy_version_fn)(const struct policy_version_row *row, void *arg);
int __must_check store_policy_versions(
        struct db *db, int64_t before, int64_t limit, store_policy_version_fn fn, void *arg);

/* Fills row->id and its time. */
int __must_check store_hold_insert(struct db *db, struct hold_row *row);
/* It was taken away: writes the row's end. */
int __must_check store_hold_set(struct db *db, const struct hold_row *row);
/* Those that were not taken away, oldest first, whatever their time is. */
typedef int (*store_hold_fn)(const struct hold_row *row, void *arg);
int __must_check store_hold_each(struct db *db, store_hold_fn fn, void *arg);
