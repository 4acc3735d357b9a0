/*
 * What all files of the engine share: the two sides, places of numbers, scratch memory, words.
 */
#pragma once

#include "proto/state/plan/state_pair.h"
#include "proto/state/state_desc.h"

#define STATE_NONE UINT32_MAX
#define STATE_DEPTH 24 /* nesting of records that is followed */

enum state_age { STATE_OLD, STATE_NEW, _STATE_AGE_N };

/* A number inside a record: where it is, from the place of what refers to it, and its kind. */
struct state_bits {
	int64_t bit_off;
	uint8_t n_bits; /* up to 64 */
	uint8_t width;  /* bytes, if it is a whole number of its own; 0: a bitfield */
	bool is_signed;
};

struct state_field;

/* scratch.c: zeroed memory, or NULL with STATE_E_SCRATCH reported. */
void *state_keep(struct state_transfer *t, uint64_t size);
void *state_stack(struct state_transfer *t, uint64_t size);

/* A place inside what an old entry describes. */
struct state_spot {
	uint32_t entry;
	uint64_t off; /* bytes, from the variable's, function's or object's start */
};

/* report.c: all return `code`. */
enum state_code state_fail(
        struct state_transfer *t, enum state_code code, const char *what, uint64_t value);
enum state_code state_fail_at(struct state_transfer *t, enum state_code code, const char *what,
        uint64_t value, const void *old);
/* Without a number. */
enum state_code state_fail_place(
        struct state_transfer *t, enum state_code code, const char *what, const void *old);
/* For a pointer at `old` that leads to the spot: addresses are nobody's business. */
enum state_code state_fail_pointer(struct state_transfer *t, enum state_code code, const char *what,
        const struct state_spot *spot, const void *old);
/* For a pointer at `old` into a row of the constant table `entry`. */
enum state_code state_fail_row(struct state_transfer *t, enum state_code code, uint32_t entry,
        uint32_t row, const void *old);
/* At a member of the value at hand. */
enum state_code state_fail_member(struct state_transfer *t, enum state_code code, const char *what,
        uint64_t value, const char *member);
/* For what is no member of an entry. */
enum state_code state_fail_named(
        struct state_transfer *t, enum state_code code, const char *what, const char *name);
/*
 * State without a place in the new release. Listed; unless an annotation or consent allows it, the
 * next state_loss_check() fails with STATE_E_LOSS, naming the first of them.
 */
void state_lose_entry(struct state_transfer *t, uint32_t entry);
void state_lose_member(struct state_transfer *t, uint32_t old_type, uint32_t new_type,
        const struct state_field *field);
void state_lose_objects(struct state_transfer *t, uint32_t entry, uint64_t n);
void state_lose_elements(struct state_transfer *t, const void *old);
enum state_code state_loss_check(struct state_transfer *t);
/* A default is used that loses this; as state_loss_check(). */
struct state_losses;
enum state_code state_lose_default(struct state_transfer *t, const struct state_losses *losses);
/* The plan in the making contains one that would lose this. */
void state_losses_join(struct state_transfer *t, const struct state_losses *losses);
/* What would be lost if the old instance had any. */
void state_risk(struct state_transfer *t, enum state_thing thing, uint32_t type, const char *name,
        uint64_t from);
/* Somebody's word, in the new release, that what was carried over starts fresh. */
void state_drop(struct state_transfer *t, uint32_t old_type, const char *member);
void state_drop_type(struct state_transfer *t, uint32_t old_type);
void state_moved(struct state_transfer *t, uint32_t i, uint32_t k);
void state_copied(struct state_transfer *t, uint32_t entry);

static inline enum state_btf_kind state_kind(const struct state_desc *desc, uint32_t id)
{
	return state_type_kind(desc, state_type_strip(desc, id));
}
