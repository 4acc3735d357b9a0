#pragma once
/* Release 2 of assist's state: members reordered, widened, renamed, added; an array grown. */
#include "osd/abi/types.h"
#include "osd/lib/state/annotate.h"

enum zoo_kind { ZOO_NUMBER, ZOO_TEXT, ZOO_NODE, ZOO_NOTHING, ZOO_KIND_N };
typedef uint64_t (*zoo_mix_t)(uint64_t sum, uint64_t value);

/* Rows of a constant table, which every node leads to one of. */
struct zoo_species {
	const char *name;
	uint32_t n_legs;
};
#define ZOO_SPECIES                                                                                \
	{"ape", 2}, {"dodo", 2}, {"crane, the grey one", 2},                                       \
	        {"bear", 4} /* one inserted, two moved */

struct zoo_pair {
	uint64_t large; /* widened */
	uint64_t small; /* widened, and after its sibling */
	uint8_t is_new; /* added */
};

struct zoo_node {
	uint8_t bytes[24];
	void *anything;
	zoo_mix_t mix;
	const struct zoo_species *species;
	const char *label;
	uint64_t age; /* added */
	enum zoo_kind kind;
	union {
		struct zoo_node *node STATE_WHEN(ZOO_NODE);
		uint64_t number STATE_WHEN(ZOO_NUMBER);
		char *text STATE_WHEN(ZOO_TEXT);
	} value STATE_TAG(kind) STATE_EMPTY(ZOO_NOTHING);
	struct zoo_pair *pairs STATE_LENGTH(n_pairs);
	struct zoo_pair *inner;
	uint64_t n_pairs; /* widened */
	uint64_t number;  /* widened */
	struct zoo_node *other;
	struct zoo_node *next;
};
