#pragma once
/*
 * What an update from one release to another would carry over, lose and leave as it is: pairing
 * (proto/state/pair) of two kits on the host. Both are linked once, in a fixed layout, so that
 * symbols are as alive as they are in any variant, and their initial values can be compared.
 */
#include "forge/kit/kit.h"
#include "proto/image/image.h"
#include "proto/state/state_pair.h"
#include "proto/state/state_desc.h"

struct pair_side {
	struct kit kit;
	struct buf payload;       /* the kit in a fixed layout */
	struct image_view linked; /* of the payload; its symbols are those of desc's entries */
	struct state_desc desc;   /* of kit.state */
};

/* A variable that keeps its running value although the new release starts with another one; or a
 * constant table that says something else now. */
struct pair_initial {
	uint32_t entry[2]; /* old, new */
	char *member;      /* path to the first difference, "" for the variable itself; owned */
	bool is_number;
	int64_t value[2];
};

struct pair {
	const struct pair_side *side[2];
	uint8_t id[64];
	struct state_result result; /* code STATE_OK: it is possible */
	struct state_pairing *pairing;
	void *scratch;
	struct pair_initial *initial;
	size_t n_initial, initial_capacity;
	struct pair_initial *tables;
	size_t n_tables, table_capacity;
};

void pair_side_fini(struct pair_side *side);
void pair_fini(struct pair *pair);

/* Load and link a kit. */
int pair_side_read(struct pair_side *ret_side, const char *path);
/* Pair two of them; what is impossible is a result, not a failure. */
int pair_make(struct pair *ret_pair, const struct pair_side *old, const struct pair_side *new);
/* May a release be followed by itself? Refuses, naming what could not be carried over. */
int pair_check_self(const char *where, const struct buf *state);

/* initial.c: fill the lists of changed initial values and of changed constant tables. */
void pair_compare_initial(struct pair *pair);
