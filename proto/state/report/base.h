/*
 * What all files of the engine share: the two releases, and where numbers lie in records.
 */
#pragma once

#include "proto/state/state_pair.h"
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

/*
 * The two releases of a transfer: fixed once their descriptions are checked and, as far as
 * has_renamed_types goes, once state_names_prepare() has looked at them. What needs no more than
 * this asks a question of the releases, and has no effect.
 */
struct state_sides {
	struct state_desc desc[_STATE_AGE_N];
	const uint64_t *addr[_STATE_AGE_N]; /* of each entry in its variant; 0: not in it */
	bool has_renamed_types;             /* else names of types are compared as they stand */
	bool is_same;                       /* one release follows itself: see pair.c */
};

static inline enum state_btf_kind state_kind(const struct state_desc *desc, uint32_t id)
{
	return state_type_kind(desc, state_type_strip(desc, id));
}
