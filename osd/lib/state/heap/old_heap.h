/*
 * The old heap and the new one. A *run* is a stretch of old heap pages with objects of one site, a
 * *batch* the new places of objects of one class, a *forecast* what a page held before the switch.
 */
#pragma once

#include "osd/lib/heap/heap_fill.h"
#include "proto/state/pair/pairing.h"

#define STATE_COUNT_IN_PAGE UINT64_MAX

/* New objects of one class, and the places that are left for them. */
struct state_batch {
	struct state_batch *next; /* of the site */
	struct heap_class class;
	uint64_t n; /* objects that need a place; once they are taken: places */
	uint64_t *places;
	uint64_t n_spare; /* places of objects that were foreseen and did not come */
	uint64_t *spare;
};

/* What a page held before the switch, and the places dealt out for it. */
struct state_forecast {
	struct state_forecast *next;
	struct state_batch *batch;
	uint64_t live[HEAP_SLOTS_MAX / 64];
	uint64_t *place; /* by slot */
	uint16_t *count; /* as at the end of the page, last slot first: elements; the new heap knows
	                  */
	uint64_t n_elements;
	uint32_t page;
	uint32_t stride;
	uint32_t n_slots;
	bool is_met;  /* the page holds such objects still */
	bool is_less; /* but some are gone */
};

struct state_run {
	uint64_t start;
	uint64_t *place;      /* new address of each slot's object, 0: none */
	const uint64_t *live; /* checked bitmap, one bit per slot */
	struct state_site *site;
	struct state_batch *batch;             /* NULL: its objects are allocated one by one */
	const struct state_forecast *forecast; /* NULL: nothing was foreseen */
	uint32_t stride;
	uint32_t n_slots;
	uint32_t n_live;
	uint64_t count; /* elements of every object, or STATE_COUNT_IN_PAGE */
};

/*
 * The old heap: where it lies, as the new instance's creator says, never as old memory says; what
 * was foreseen of it; and, once it is walked, what is where.
 */
struct state_heap {
	uint64_t base; /* of the old heap */
	uint64_t size; /* bytes, all of them readable */
	/* Once it is walked. Read for every pointer: they lie together. */
	uint64_t n_bytes; /* of the pages that run_of_page covers */
	uint32_t n_pages;
	uint32_t n_runs;       /* run 0 has no slots, and stride 1 */
	uint32_t *run_of_page; /* 0: no objects */
	struct state_run *runs;
	uint64_t n_bytes_placed; /* in the new heap */
	uint64_t n_objects;

	struct state_forecast *forecasts;
	struct state_forecast **forecast_of_page;
	uint32_t n_foreseen; /* pages */

	uint64_t root;   /* old address of the heap's root, 0: the old release has no heap */
	uint64_t random; /* state of the generator that deals places */
	struct state_sites *sites;
	struct state_report *report;
};

/*
 * walk.c: check the old heap and give every live object a new place. Refuses with STATE_E_HEAP,
 * STATE_E_ARENA, STATE_E_SIZE, STATE_E_SCRATCH, or STATE_E_LOSS if objects have no place.
 */
enum state_code state_walk(struct state_heap *h);

/* forecast.c: look at the old heap before the switch, and take new places for what is there. */
void state_heap_foresee(struct state_heap *h);

/* Elements of the object in a slot, checked against the slot's size when the heap was walked. */
static inline uint64_t state_slot_count(const struct state_run *run, uint32_t slot)
{
	if (run->count != STATE_COUNT_IN_PAGE) {
		return run->count;
	}
	return *(const uint16_t *)(uintptr_t)(run->start + heap_count_offset(slot));
}

/* How many slots of a word of a live bitmap exist, as a mask. */
static inline uint64_t state_slots_mask(uint32_t n_slots, unsigned w)
{
	if (n_slots <= w * 64) {
		return 0;
	}
	return n_slots >= w * 64 + 64 ? UINT64_MAX : (UINT64_C(1) << (n_slots - w * 64)) - 1;
}
