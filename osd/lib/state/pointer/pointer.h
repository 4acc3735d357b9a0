/* Where an old pointer leads now, for the rooms that move values. */
#pragma once

#include "osd/lib/state/heap/old_heap.h"

/* pointer.c: where an old pointer, not NULL, leads; `at` is its own old place. */
enum state_code state_pointer_map(struct state_transfer *t, struct state_pointer *pointer,
        uint64_t value, const uint8_t *at, uint64_t *ret);

/* pointer.c: what a pointer holds while it waits for state_settle(); leads nowhere. */
uint64_t state_unsettled(const struct state_transfer *t);

/* pointer.c: the live old object at an address, if the new release has no site for it and only a
 * handler can place it: one element, and how far behind its start. */
struct state_orphan {
	uint32_t type;
	uint64_t off;
	uint64_t bytes; /* of an element */
};
bool state_orphan_find(const struct state_transfer *t, uint64_t value, struct state_orphan *ret);

/* place.c: the place that a handler gave to what lies at an old address; NULL: none. */
const struct state_place *state_place_find(const struct state_transfer *t, uint64_t old);
/* The first place that does not end before an old address. */
uint32_t state_place_first(const struct state_transfer *t, uint64_t old);
/* Room for one more place before place `at`. */
bool state_places_open(struct state_transfer *t, uint32_t at);
