/*
 * What all files of the engine share: the two sides, numbers in memory, scratch memory, words.
 */
#pragma once

#include "osd/lib/state/state_transfer.h"
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

/* scratch.c: zeroed memory, or NULL with STATE_E_SCRATCH reported. */
void *state_keep(struct state_transfer *t, uint64_t size);
void *state_stack(struct state_transfer *t, uint64_t size);

/* report.c: all return `code`. */
enum state_code state_fail(
        struct state_transfer *t, enum state_code code, const char *what, uint64_t value);
enum state_code state_fail_at(struct state_transfer *t, enum state_code code, const char *what,
        uint64_t value, const void *old);
/* For what is no member of an entry. */
enum state_code state_fail_named(
        struct state_transfer *t, enum state_code code, const char *what, const char *name);
enum state_code state_removed(
        struct state_transfer *t, const char *what, uint32_t type, const char *member, uint64_t n);
enum state_code state_removed_entry(struct state_transfer *t, uint32_t entry);
void state_copied(struct state_transfer *t, uint32_t entry);

/* run.c */
/* The number `shift` (0 to 7) bits behind `at`, extended to 64 bits as its sign says. */
uint64_t state_bits_read(const uint8_t *at, unsigned shift, const struct state_bits *bits);

static inline enum state_btf_kind state_kind(const struct state_desc *desc, uint32_t id)
{
	return state_type_kind(desc, state_type_strip(desc, id));
}

/* A whole number of 1, 2, 4 or 8 bytes, extended to 64 bits as its sign says. */
static inline int64_t state_number_load(const uint8_t *at, unsigned width, bool is_signed)
{
	int8_t n1 = (int8_t)at[0];
	int16_t n2;
	int32_t n4;
	int64_t n8;

	switch (width) {
	case 1:
		return is_signed ? n1 : (uint8_t)n1;
	case 2:
		__builtin_memcpy(&n2, at, sizeof(n2));
		return is_signed ? n2 : (uint16_t)n2;
	case 4:
		__builtin_memcpy(&n4, at, sizeof(n4));
		return is_signed ? (int64_t)n4 : (int64_t)(uint32_t)n4;
	default:
		__builtin_memcpy(&n8, at, sizeof(n8));
		return n8;
	}
}

/* The number that `bits` means for what lies at `at`. */
static inline int64_t state_bits_get(const uint8_t *at, const struct state_bits *bits)
{
	at += bits->bit_off >> 3;
	return bits->width != 0 ? state_number_load(at, bits->width, bits->is_signed)
	                        : (int64_t)state_bits_read(at, (unsigned)(bits->bit_off & 7), bits);
}
