/*
 * Places: where handlers said that parts of old values live now. The engine pairs values one to one
 * by type; a handler that turns an array into a list, or moves a member into an object of its own,
 * has to say where the pieces went, or pointers into them would be refused.
 *
 * The table is sorted by old address, and no two places share a byte: which piece an address means
 * is one binary search, and never a choice. Places are added while handlers run and asked for when
 * all have run (settle.c), so that it does not matter in which order values are visited.
 */
#include <string.h>

#include "osd/lib/state/pointer/priv.h"

#define PLACES_MIN 64

/* The first place that does not end before an old address. */
static uint32_t place_first(const struct state_mapper *map, uint64_t old)
{
	uint32_t first = 0;
	uint32_t n = map->n_places;

	while (n > 0) {
		uint32_t middle = first + n / 2;

		if (map->places[middle].start + map->places[middle].size <= old) {
			n -= n / 2 + 1;
			first = middle + 1;
		} else {
			n /= 2;
		}
	}
	return first;
}

const struct state_place *state_place_find(const struct state_mapper *map, uint64_t old)
{
	uint32_t i = place_first(map, old);

	if (i < map->n_places && map->places[i].start <= old) {
		return &map->places[i];
	}
	/* One past the end, where nothing else begins. */
	return i > 0 && map->places[i - 1].start + map->places[i - 1].size == old
	               ? &map->places[i - 1]
	               : NULL;
}

bool state_place_is_taken(const struct state_mapper *map, uint64_t start, uint64_t size)
{
	uint32_t at = place_first(map, start);

	return at < map->n_places && map->places[at].start < start + size;
}

/* Room for one more at the end. The table that is outgrown stays in scratch memory: half of the
 * new one at most. */
static bool place_grow(struct state_mapper *map)
{
	uint32_t capacity = map->n_places > 0 ? map->n_places * 2 : PLACES_MIN;
	struct state_place *places;

	if (map->n_places < map->places_capacity) {
		return true;
	}
	places = state_keep(map->report, (uint64_t)capacity * sizeof(*places));
	if (places == NULL) {
		return false;
	}
	if (map->n_places > 0) {
		memcpy(places, map->places, map->n_places * sizeof(*places));
	}
	map->places = places;
	map->places_capacity = capacity;
	return true;
}

bool state_place_add(struct state_mapper *map, const struct state_place *place)
{
	uint32_t at = place_first(map, place->start);

	if (!place_grow(map)) {
		return false;
	}
	memmove(map->places + at + 1, map->places + at,
	        (map->n_places - at) * sizeof(*map->places));
	map->places[at] = *place;
	map->n_places++;
	return true;
}
