#pragma once
/* Rows of releases and variants. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"
#include "proto/control/control.pb-c.h"

/* Positive outcomes, besides those of db.h. */
enum {
	STORE_E_AMBIGUOUS = 16, /* several rows fit */
	STORE_E_USED,           /* a number that was used, or is below one that was */
};

/*
 * Adds it. A known one stays as it is, but for the path (the store may have moved). Fills
 * *row with what the record has.
 */
int __must_check store_release_put(struct db *db, struct release_row *row);
int __must_check store_release_by_id(struct db *db, int64_t id, struct release_row *ret);
int __must_check store_release_by_hash(
        struct db *db, const uint8_t release_id[64], struct release_row *ret);
/* The newest release of a service that has its kit: highest counter, then added last. */
int __must_check store_release_newest(struct db *db, const char *service, struct release_row *ret);
/* Does a come after b in that order? Both are of one service. */
bool store_release_is_later(const struct release_row *a, const struct release_row *b);
/* The newest one that is not blocked. */
int __must_check store_release_newest_free(
        struct db *db, const char *service, struct release_row *ret);
/* Whether it was a person who blocked it, or who went back from it; and not what became of an update. */
int __must_check store_release_by_hand(
        struct db *db, const struct release_row *release, bool *ret_is_by_hand);
/* Blocks a release for plain updates; why NULL: lets them take it again. */
int __must_check store_release_block(struct db *db, int64_t id, int64_t job, const char *why);
/*
 * As a person names it: "newest" or "", by its number, or by the beginning of its id in hex. Up to
 * seven decimal digits are a number. DB_E_NONE, STORE_E_AMBIGUOUS.
 */
int __must_check store_release_named(
        struct db *db, const char *service, const char *name, struct release_row *ret);
/* The one before: the newest with a lower number that has its kit. DB_E_NONE. */
int __must_check store_release_before(
        struct db *db, const struct release_row *release, struct release_row *ret);
/* Whether an open job or rollout is about it. */
int __must_check store_release_is_wanted(struct db *db, int64_t id, bool *ret_is_wanted);
/* Its kit is given up: ->path is empty until it is added again. */
int __must_check store_release_forget_kit(struct db *db, int64_t id);
/* Notes of a release; the caller frees, NULL: none. */
int __must_check store_release_notes_put(struct db *db, int64_t id, const char *notes);
int __must_check store_release_notes(
        struct db *db, int64_t id, uint8_t **ret_notes, size_t *ret_size);

/* Whether a number was ever given out for the service. DB_E_NONE. */
int __must_check store_number_known(struct db *db, const char *service);
/*
 * Gives out a number above every release of the service that is recorded, every one that was given
 * before, and those that are in `ask`. STORE_E_USED: ret_number is the highest so far, and nothing was given;
 * also where the numbers end, at STORE_NUMBER_MAX, and for one that is more than STORE_NUMBER_JUMP above the
 * highest: numbers are never given back, so nobody may skip most of them at once.
 */
#define STORE_NUMBER_MAX 9999999
#define STORE_NUMBER_JUMP 1000
struct number_ask {
	const char *service;
	int64_t kits;   /* the highest of signed kits */
	int64_t above;  /* the highest that was used, as the client says */
	int64_t wanted; /* 0: the next */
};
int __must_check store_number_give(
        struct db *db, const struct number_ask *ask, int64_t *ret_number);
typedef int (*store_release_fn)(const struct release_row *row, void *arg);
/*
 * By service and number, those of one service or ("") of all: at most `limit`, that come after the
 * one with this id (0: from the first on).
 */
int __must_check store_release_each(struct db *db, const char *service, int64_t after,
        int64_t limit, store_release_fn fn, void *arg);

/* What its layouts protect, in place of an older measurement. Its release is the one that is named. */
int __must_check store_protection_put(
        struct db *db, int64_t release, const Control__Entropy *measured);
/* The caller's, of the allocator. DB_E_NONE: not measured. */
int __must_check store_protection_get(struct db *db, int64_t release, ProtobufCAllocator *allocator,
        Control__Entropy **ret_measured);

/* Fills row->id. */
int __must_check store_variant_insert(struct db *db, struct variant_row *row);
/* Records what forging made of it. */
int __must_check store_variant_forged(struct db *db, const struct variant_row *row);
/* What the machine says of a layout that it made; it is committed to. */
int __must_check store_variant_committed(struct db *db, int64_t id, const struct store_seed *seed);
int __must_check store_variant_by_id(struct db *db, int64_t id, struct variant_row *ret);

/* Variants of a service whose payload file may go: all but the newest `kept` files. */
typedef void (*store_variant_fn)(int64_t id, const char *path, void *arg);
int __must_check store_variant_each_stale(
        struct db *db, int64_t service, int64_t kept, store_variant_fn fn, void *arg);
int __must_check store_variant_forget_file(struct db *db, int64_t id);
