#pragma once
/*
 * What an attacker still has to guess: bits left for one piece after one pointer to another has
 * leaked. He knows the release (every piece, size and alignment) and nothing of the seed. Bits are
 * in units of the alignment of what he looks for.
 *
 * Measured over a sample of layouts, and, beside it, what the recipe's draws should give. Heap,
 * stack and gate page are drawn by the machine: for these there is theory only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "forge/effect/layouts.h"

/* Classes of addresses: those of pieces, and what the machine draws. */
enum entropy_class {
	ENTROPY_TEXT,
	ENTROPY_CONST,
	ENTROPY_DATA,
	ENTROPY_ZERO,
	ENTROPY_HEAP,
	ENTROPY_STACK,
	ENTROPY_GATE,
	_ENTROPY_CLASS_N
};
_Static_assert((int)ENTROPY_ZERO == (int)FLAT_ZERO, "classes of pieces come first, in their order");

/* Aims, in bits: for every piece. */
#define ENTROPY_AIM_SEGMENT 10.0 /* given a pointer into its own segment */
#define ENTROPY_AIM_ACROSS 24.0  /* given any other */

/* Pieces of a class that leak a pointer, at most: spread evenly over the class. */
#define ENTROPY_LEAKS 8u

/* One cell of the conditional table. */
struct entropy_row {
	enum entropy_class of, given;
	double theory;        /* mean over the pieces of the class */
	bool is_measured;     /* else the rest is not there */
	bool is_bound;        /* worst is what so many layouts can show at most */
	double mean, worst;   /* over pairs of pieces */
	uint32_t piece, leak; /* of the worst pair */
	uint32_t n_below;     /* pieces below the aim for some leak */
	double aim;
};

struct entropy_table {
	struct entropy_row rows[_ENTROPY_CLASS_N * _ENTROPY_CLASS_N];
	uint32_t n;
	double payload_ratio, memory_ratio; /* to a linking without pads */
};

/* A service's room in the machine: bytes, from its manifest. */
struct entropy_room {
	uint64_t heap_limit, stack_size;
};

/* Fill the table: a row for each two classes that the kit has, but for a piece given itself. */
void entropy_measure(const struct layouts *sample, const struct entropy_room *room,
        struct entropy_table *ret_table);

/* theory.c: bits left of a class given another, mean over its pieces. */
double entropy_theory(const struct flat_view *kit, const struct entropy_room *room,
        enum entropy_class of, enum entropy_class given);

const char *entropy_class_name(enum entropy_class class);

/*
 * Collision entropy of n values: -log2 of the share of pairs that agree. When none does, that of
 * one pair, and *ret_is_bound. n >= 2.
 */
double entropy_collision(const uint32_t *values, uint32_t n, bool *ret_is_bound);
