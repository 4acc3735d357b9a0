/*
 * The old heap and the new one. A *run* is a stretch of old heap pages with objects of one site, a
 * *batch* the new places of objects of one class, a *forecast* what a page held before the switch.
 */
#pragma once

#include "osd/lib/heap/heap_fill.h"
#include "proto/state/plan/transfer.h"

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

/* batch.c */
/* The class of a site's objects in old slots of this stride; *ret is NULL if it is not known
 * before each object is. False: STATE_E_SCRATCH. */
bool state_batch_get(struct state_transfer *t, struct state_site *site, uint32_t old_stride,
        bool is_array, struct state_batch **ret);
/* Take batch->n places into an array of as many; NULL: there is no memory for it. */
enum state_code state_batch_fill(
        struct state_transfer *t, struct state_batch *batch, uint64_t places[]);
/* One of the places. There is one. */
uint64_t state_batch_deal(struct state_transfer *t, struct state_batch *batch);

/* forecast.c */
/* Take over what was foreseen of a page whose run is checked; its batch counts what was not. False:
 * nothing was. */
bool state_forecast_meet(const struct state_transfer *t, uint64_t page, struct state_run *run);
/* All pages have been met: what is left was in vain. */
void state_forecast_end(struct state_transfer *t);

/* walk.c */
enum state_code state_walk(struct state_transfer *t);

/* run.c */
enum state_code state_plan_run(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new);

/* number.c: one operation on numbers, state_run_bits() on one, the others on op->count of them. */
enum state_code state_run_int(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new);
enum state_code state_run_bool(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new);
enum state_code state_run_enum(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new);
enum state_code state_run_bits(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new);
void state_run_float(const struct state_op *op, const uint8_t *old, uint8_t *new);

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

/* run.c: the case of a union that is alive, by the tag in the new record, or NULL. */
const struct state_case *state_union_case(const struct state_union *u, const uint8_t *new);

/* settle.c: the pointers that waited, when all handlers have run. */
enum state_code state_settle(struct state_transfer *t);

/* view.c: the place that a handler gave to what lies at an old address; NULL: none. */
const struct state_place *state_place_find(const struct state_transfer *t, uint64_t old);

/* view.c: what one level further down lies at an offset of a value. False: nothing that can be
 * told, as in unions. */
bool state_type_step(const struct state_desc *desc, uint32_t *type, uint64_t *off);

/* constant.c: of a constant table that is not as it was: *ret is where `off` bytes into its old
 * rows lead now, from the new table's start, or refuses. *ret_done is false of anything else. */
enum state_code state_constant_map(struct state_transfer *t, const struct state_pointer *pointer,
        struct state_item *item, uint64_t off, const uint8_t *at, bool *ret_done, uint64_t *ret);

/* offset.c: does a value of these types satisfy the pointer, before and after? */
bool state_pointer_fits(const struct state_transfer *t, const struct state_pointer *pointer,
        const uint32_t type[2]);
/* The new byte offset of an old one inside `count` values side by side. */
enum state_code state_offset_map(struct state_transfer *t, const struct state_pointer *pointer,
        const uint32_t type[2], uint64_t count, uint64_t off, uint64_t *ret);

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
