/*
 * Places: where handlers said that parts of old values live now. Sorted by old address, disjoint.
 */
#include <string.h>

#include "osd/lib/state/pointer/priv.h"

#define PLACES_MIN 64

/* The first place that does not end before an old address. */
uint32_t state_place_first(const struct state_transfer *t, uint64_t old)
{
	uint32_t first = 0;
	uint32_t n = t->n_places;

	while (n > 0) {
		uint32_t middle = first + n / 2;

		if (t->places[middle].start + t->places[middle].size <= old) {
			n -= n / 2 + 1;
			first = middle + 1;
		} else {
			n /= 2;
		}
	}
	return first;
}

const struct state_place *state_place_find(const struct state_transfer *t, uint64_t old)
{
	uint32_t i = state_place_first(t, old);

	if (i < t->n_places && t->places[i].start <= old) {
		return &t->places[i];
	}
	/* One past the end, where nothing else begins. */
	return i > 0 && t->places[i - 1].start + t->places[i - 1].size == old ? &t->places[i - 1]
	                                                                      : NULL;
}

/* Room for one more place before place `at`. */
bool state_places_open(struct state_transfer *t, uint32_t at)
{
	if (t->n_places == t->places_capacity) {
		uint32_t capacity = t->n_places > 0 ? t->n_places * 2 : PLACES_MIN;
		struct state_place *places = state_keep(t, (uint64_t)capacity * sizeof(*places));

		if (places == NULL) {
			return false;
		}
		if (t->n_places > 0) {
			memcpy(places, t->places, t->n_places * sizeof(*places));
		}
		t->places = places;
		t->places_capacity = capacity;
	}
	memmove(t->places + at + 1, t->places + at, (t->n_places - at) * sizeof(*t->places));
	t->n_places++;
	return true;
}
