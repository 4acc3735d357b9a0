#pragma once
/* Rows of generations. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/* Which generations store_generation_each() visits, newest first. */
struct generation_filter {
	int64_t machine;
	const char *service; /* NULL or "": all */
	int64_t before;      /* rows older than this id; 0: all */
	int64_t limit;       /* at most so many */
};

/* Fills row->id. */
int __must_check store_generation_insert(struct db *db, struct generation_row *row);
int __must_check store_generation_sign(struct db *db, const struct generation_row *row,
        const void *envelope, size_t envelope_size);
/* The epoch of an order that names it. */
int __must_check store_generation_set_epoch(struct db *db, int64_t id, uint64_t epoch);
int __must_check store_generation_set_state(struct db *db, int64_t id, enum generation_state state);
/* The machine runs this number: it becomes RUNNING and the one before PAST. */
int __must_check store_generation_runs(struct db *db, int64_t service, uint64_t number);
/*
 * The machine runs this number in the layout that it made by itself as the `made`th since the order,
 * 0: in the one that was ordered; and what it tells of its seed. Of an ordered one that is kept where
 * no result has told it.
 */
int __must_check store_generation_layout(struct db *db, int64_t service, uint64_t number,
        uint64_t made, const struct store_seed *seed);
/*
 * 0: store_generation_runs() and store_generation_layout() of these would change something. DB_E_NONE:
 * the record has it all, or has no such generation.
 */
int __must_check store_generation_news(struct db *db, int64_t service, uint64_t number,
        uint64_t made, const struct store_seed *seed);

/* Of the layouts that the machine made by itself in it. DB_E_NONE: it made none, or nothing is recorded of them. */
int __must_check store_generation_run_get(struct db *db, int64_t id, struct folded_run_row *ret);

int __must_check store_generation_find(struct db *db, int64_t machine, const char *service,
        uint64_t number, struct generation_row *ret);
/* 0: one of a later number runs, ran, or may have run. DB_E_NONE: none. */
int __must_check store_generation_later(
        struct db *db, int64_t machine, const char *service, uint64_t number);
/* The newest generation of another release that ran before `number`. */
int __must_check store_generation_earlier(struct db *db, int64_t service, uint64_t number,
        int64_t release, struct generation_row *ret);
/* The generation that ran last before this one did, or does. DB_E_NONE: none that is known of. */
int __must_check store_generation_before(
        struct db *db, const struct generation_row *row, struct generation_row *ret);
/*
 * The newest generation, of those with ids below `before`, that ran in a layout whose payload is kept,
 * and of which it is not recorded what it has in common with the one before. DB_E_NONE.
 */
int __must_check store_effect_next(struct db *db, int64_t before, struct generation_row *ret);
/* Records it, in place of what was recorded. */
int __must_check store_effect_put(struct db *db, const struct effect_row *row);
/* DB_E_NONE: nothing is recorded. */
int __must_check store_effect_get(struct db *db, int64_t generation, struct effect_row *ret);

/* The caller frees *ret_envelope. DB_E_NONE when it was never signed. */
int __must_check store_generation_envelope(
        struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size);
typedef int (*store_generation_fn)(const struct generation_row *row, void *arg);
int __must_check store_generation_each(
        struct db *db, const struct generation_filter *filter, store_generation_fn fn, void *arg);
/* Those that a job drew, oldest first. */
int __must_check store_generation_each_of(
        struct db *db, int64_t job, store_generation_fn fn, void *arg);

const char *generation_state_name(enum generation_state state);
