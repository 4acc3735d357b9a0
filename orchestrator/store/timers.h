#pragma once
/* What policies do on machines by themselves, and when. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* DB_E_NONE. */
int __must_check store_timer_find(
        struct db *db, int64_t machine, const char *policy, uint32_t action, struct timer_row *ret);
int __must_check store_timer_by_id(struct db *db, int64_t id, struct timer_row *ret);
/* Writes the row, or makes it where its id is 0. */
int __must_check store_timer_put(struct db *db, struct timer_row *row);
int __must_check store_timer_remove(struct db *db, int64_t id);
/* Those of a machine, by policy and action. fn may change the one that it is given. */
typedef int (*store_timer_fn)(const struct timer_row *row, void *arg);
int __must_check store_timer_each(struct db *db, int64_t machine, store_timer_fn fn, void *arg);
/* The first that is to be looked at. DB_E_NONE: none is, at any time. */
int __must_check store_timer_first(struct db *db, struct timer_row *ret);
/* In the order in which they are looked at, after one of these (0, 0: from the first on). */
int __must_check store_timer_list(struct db *db, int64_t after_us, int64_t after_id, int64_t limit,
        store_timer_fn fn, void *arg);
/* Those that are looked at at no time of their own, after this one (0: from the first on). */
int __must_check store_timer_idle(
        struct db *db, int64_t after_id, int64_t limit, store_timer_fn fn, void *arg);
/* Those whose alarm is on, the oldest first. */
int __must_check store_timer_alarms(struct db *db, store_timer_fn fn, void *arg);
/* All of an action are looked at from a time on, those of removed machines aside. */
int __must_check store_timer_poke(struct db *db, uint32_t action, int64_t look_us);
/* All are looked at from a time on. */
int __must_check store_timer_look(struct db *db, int64_t look_us);
