/* Where an old pointer leads now, for the rooms that move values. */
#pragma once

#include "osd/lib/state/heap/old_heap.h"

#define STATE_CACHE_SLOTS 512

/* A part of an old value that lives elsewhere now, as a handler said. */
struct state_place {
	uint64_t start;
	uint64_t size;
	uint64_t new_addr;
	uint64_t count; /* values of these types side by side */
	uint32_t type[_STATE_AGE_N];
};

/* What offset.c found once: for the same pointer, types and offset the answer is the same. */
struct state_cache {
	const struct state_pointer *pointer;
	uint32_t type[_STATE_AGE_N];
	uint64_t old_off;
	uint64_t new_off;
};

/*
 * What it takes to say where an old pointer leads: the walked heap, the pairing's items, what
 * handlers said, and what was found before.
 */
struct state_mapper {
	const struct state_sides *sides;
	struct state_report *report;
	const struct state_heap *heap;
	const struct state_items *items;
	bool has_handlers; /* else no old object without a new site can be placed */

	struct state_place *places; /* sorted by start, disjoint */
	uint32_t n_places;
	uint32_t places_capacity;

	struct state_rows *rows; /* of constant tables, as far as they were asked for */
	uint32_t n_unsettled;    /* pointers that wait for places */
	bool is_settled;         /* no handler will run any more, or one runs: nothing can wait */
	struct state_cache cache[STATE_CACHE_SLOTS];
};

/* pointer.c: where an old pointer, not NULL, leads; `at` is its own old place. */
enum state_code state_pointer_map(struct state_mapper *map, struct state_pointer *pointer,
        uint64_t value, const uint8_t *at, uint64_t *ret);

/* pointer.c: what a pointer holds while it waits for state_settle(); leads nowhere. */
uint64_t state_unsettled(const struct state_mapper *map);

/* pointer.c: the live old object at an address, if the new release has no site for it and only a
 * handler can place it: one element, and how far behind its start. */
struct state_orphan {
	uint32_t type;
	uint64_t off;
	uint64_t bytes; /* of an element */
};
bool state_orphan_find(const struct state_mapper *map, uint64_t value, struct state_orphan *ret);

/* place.c: the place that a handler gave to what lies at an old address; NULL: none. */
const struct state_place *state_place_find(const struct state_mapper *map, uint64_t old);
/* Does a place begin before these old bytes end, and end behind their start? */
bool state_place_is_taken(const struct state_mapper *map, uint64_t start, uint64_t size);
/* One more, of bytes that are not taken. False: STATE_E_SCRATCH is reported. */
bool state_place_add(struct state_mapper *map, const struct state_place *place);
