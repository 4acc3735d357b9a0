#pragma once
/* The types of assist's state, a header of their own so that a test release can change them. */
#include "osd/abi/types.h"
#include "osd/lib/state/annotate.h"

enum zoo_kind { ZOO_NUMBER, ZOO_TEXT, ZOO_NODE, ZOO_NOTHING, ZOO_KIND_N };
typedef uint64_t (*zoo_mix_t)(uint64_t sum, uint64_t value);

/* Rows of a constant table, which every node leads to one of. */
struct zoo_species {
	const char *name;
	uint32_t n_legs;
};
#define ZOO_SPECIES {"ape", 2}, {"bear", 4}, {"crane, the grey one", 2}

struct zoo_pair {
	uint16_t small;
	uint32_t large;
};

struct zoo_node {
	struct zoo_node *next;
	struct zoo_node *other; /* any node, itself too */
	uint32_t number;
	uint32_t n_pairs;
	struct zoo_pair *pairs STATE_LENGTH(n_pairs);
	struct zoo_pair *inner; /* into pairs, or one past its end */
	enum zoo_kind kind;
	union {
		uint64_t number STATE_WHEN(ZOO_NUMBER);
		char *text STATE_WHEN(ZOO_TEXT);
		struct zoo_node *node STATE_WHEN(ZOO_NODE);
	} value STATE_TAG(kind) STATE_EMPTY(ZOO_NOTHING);
	zoo_mix_t mix;
	const char *label; /* a string literal */
	const struct zoo_species *species;
	void *anything; /* a node, a pair, a global, a function of the table, or NULL */
	uint8_t bytes[24];
};
