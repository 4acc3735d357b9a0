/*
 * Where an old pointer leads now. The value is an address of the old instance, perhaps a forged
 * one. It is never followed before it was found in what the new side knows of the old:
 *
 *	value                      found by                     leads now to
 *	in the old heap            page -> run -> slot          the object's new place + offset.c
 *	variable, constant         items, by address            its partner + offset.c, constant.c
 *	function                   items                        its partner's entry; only its start
 *	string literal             items                        its partner, or a copy on the heap
 *	library symbol             items                        the same symbol
 *	value of a handler         place.c                      where the handler put it
 *	anything else              -                            refused
 *
 * Types are checked as well: the pointer's old type must be that of something that begins, or
 * ends, at the offset. A well-typed pointer to a wrong object of the right type cannot be told
 * from a right one; only the service can, in its state_check.
 *
 * What is remembered: `near`, the site whose objects a pointer of this plan was found to fit, for
 * the quick way in run.c; and answers of offset.c. Neither depends on values of old memory.
 */
#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/state/pointer/priv.h"

/*
 * Words for what has no more to say. Addresses of a layout that still runs are never told: the
 * thing is named, and how far the pointer leads into it.
 */
static enum state_code pointer_fail(
        struct state_report *r, enum state_code code, const struct state_spot *spot, const void *at)
{
	return state_fail_pointer(r, code,
	        code == STATE_E_AMBIGUOUS ? "pointer may mean several things"
	                                  : "pointer leads to no value of its type",
	        spot, at);
}

/*
 * STATE_LENGTH: so many elements must lie between the pointer and the end of the object, `bytes`
 * away. A pointer to bytes or to nothing known counts in bytes.
 */
static enum state_code pointer_check_length(struct state_report *r,
        const struct state_pointer *pointer, const struct state_spot *spot, const uint8_t *at,
        uint64_t bytes)
{
	uint64_t size = pointer->old_size > 0 ? pointer->old_size : 1;
	int64_t n = state_bits_get(at, &pointer->length);

	if ((pointer->length.is_signed && n < 0) || (uint64_t)n > bytes / size) {
		return state_fail_pointer(r, STATE_E_POINTER,
		        "pointer leads to fewer elements than are counted", spot, at);
	}
	return STATE_OK;
}

/*
 * Into a live heap object of `count` elements, `off` bytes behind its start; *ret is from the
 * start of the new one. The start of an element of a fitting site needs no search; it is
 * remembered unless handlers are involved, whose values must be asked for each time.
 */
static enum state_code pointer_into_object(struct state_mapper *map, struct state_pointer *pointer,
        struct state_site *site, uint64_t count, uint64_t off, uint64_t *ret)
{
	uint64_t size = site->size[STATE_OLD];

	if (off > count * size) {
		return STATE_E_POINTER;
	}
	if (pointer->near == site || state_pointer_fits(map->sides, pointer, site->type)) {
		pointer->near = site->plan->has_handler ? NULL : site;
		if (off % size == 0) {
			*ret = off / size * site->size[STATE_NEW];
			return STATE_OK;
		}
	}
	return state_offset_map(map, pointer, site->type, count, off, ret);
}

uint64_t state_unsettled(const struct state_mapper *map)
{
	return (uint64_t)(uintptr_t)&map->n_unsettled;
}

/* An old value that a pointer leads into, and how far. */
struct old_value {
	uint64_t addr; /* of the pointer */
	struct state_spot spot;
	uint32_t type;
	uint64_t off; /* from a value of the type */
};

/*
 * Does something that the pointer may lead to begin at this old place? Asked of the one address
 * that is both the end of what was placed and perhaps the start of what follows.
 */
static bool pointer_begins_value(
        const struct state_sides *s, const struct state_pointer *pointer, struct old_value value)
{
	const struct state_desc *desc = &s->desc[STATE_OLD];
	bool inside = value.off < state_type_size(desc, value.type);

	while (inside) {
		uint32_t id = state_type_strip(desc, value.type);

		if (value.off == 0 &&
		        (pointer->target != STATE_TARGET_OBJECT ||
		                state_type_same(desc, id, pointer->type[STATE_OLD], 4))) {
			return true;
		}
		inside = state_type_step(desc, &value.type, &value.off);
	}
	return false;
}

/*
 * Into what a handler has moved or may yet move. *ret_done: *ret or the code is the answer. Before
 * all handlers have run the answer is to wait. One past the end of a place is in it, unless the
 * rest of the old value goes on there.
 */
static enum state_code pointer_to_place(struct state_mapper *map,
        const struct state_pointer *pointer, const struct old_value *inside, const uint8_t *at,
        bool *ret_done, uint64_t *ret)
{
	const struct state_place *place;
	uint64_t off;
	enum state_code code;

	*ret_done = !map->is_settled;
	if (!map->is_settled) {
		map->n_unsettled++;
		*ret = state_unsettled(map);
		return STATE_OK;
	}
	place = state_place_find(map, inside->addr);
	off = place != NULL ? inside->addr - place->start : 0;
	if (place == NULL ||
	        (off == place->size && pointer_begins_value(map->sides, pointer, *inside))) {
		return STATE_OK;
	}
	*ret_done = true;
	code = state_offset_map(map, pointer, place->type, place->count, off, ret);
	if (code != STATE_OK) {
		return pointer_fail(map->report, code, &inside->spot, at);
	}
	*ret += place->new_addr;
	return !pointer->has_length ? STATE_OK
	                            : pointer_check_length(map->report, pointer, &inside->spot, at,
	                                      place->size - off);
}

/* Is it live, and of a type that the new release does not allocate? */
static bool pointer_slot_is_orphan(
        const struct state_mapper *map, const struct state_run *run, uint64_t slot)
{
	return slot < run->n_slots && run->site->new_addr == 0 && map->has_handlers &&
	       (run->live[slot / 64] >> slot % 64 & 1) != 0;
}

/* Only the bytes of its elements count: neither the end of the object nor the rest of its slot. */
bool state_orphan_find(const struct state_mapper *map, uint64_t value, struct state_orphan *ret)
{
	uint64_t page = (value - map->heap->base) / HEAP_PAGE_BYTES;
	const struct state_run *run;
	uint64_t in_run;
	uint64_t slot;

	if (page >= map->heap->n_pages || map->heap->run_of_page[page] == 0) {
		return false;
	}
	run = &map->heap->runs[map->heap->run_of_page[page]];
	in_run = value - run->start;
	slot = in_run < run->stride ? 0 : in_run / run->stride;
	if (!pointer_slot_is_orphan(map, run, slot)) {
		return false;
	}
	in_run -= slot * run->stride;
	ret->type = run->site->type[STATE_OLD];
	ret->bytes = state_slot_count(run, (uint32_t)slot) * run->site->size[STATE_OLD];
	if (in_run >= ret->bytes) {
		return false;
	}
	ret->bytes = run->site->size[STATE_OLD];
	ret->off = in_run % ret->bytes;
	return true;
}

/*
 * A pointer into the old heap's range. The page's run was checked by the walk; the slot must be
 * live (it has a place then) or an orphan that handlers may have placed. Interior pointers and one
 * past the end are mapped by types, and a stated length must be inside the object.
 */
static enum state_code pointer_to_heap(struct state_mapper *map, struct state_pointer *pointer,
        uint64_t value, const uint8_t *at, uint64_t *ret)
{
	uint64_t page = (value - map->heap->base) / HEAP_PAGE_BYTES;
	uint32_t r = page < map->heap->n_pages ? map->heap->run_of_page[page] : 0;
	struct old_value inside = {.addr = value};
	const struct state_run *run;
	uint64_t in_run;
	uint64_t slot;
	uint64_t bytes;
	uint64_t off;
	bool is_orphan;
	enum state_code code;

	if (r == 0) {
		return state_fail_place(
		        map->report, STATE_E_POINTER, "pointer into free memory", at);
	}
	run = &map->heap->runs[r];
	in_run = value - run->start;
	slot = in_run < run->stride ? 0 : in_run / run->stride;
	in_run -= slot * run->stride;
	inside.spot = (struct state_spot){run->site->entry[STATE_OLD], in_run};
	is_orphan = pointer_slot_is_orphan(map, run, slot);
	if (slot >= run->n_slots || (run->place[slot] == 0 && !is_orphan)) {
		return state_fail_pointer(map->report, STATE_E_POINTER,
		        run->site->new_addr == 0 ? "pointer to an object of a removed type"
		                                 : "pointer to no live object",
		        &inside.spot, at);
	}
	bytes = state_slot_count(run, (uint32_t)slot) * run->site->size[STATE_OLD];
	if (is_orphan || run->site->plan->has_handler) {
		bool is_done;

		inside.type = run->site->type[STATE_OLD];
		inside.off = in_run < bytes ? in_run % run->site->size[STATE_OLD] : in_run;
		code = pointer_to_place(map, pointer, &inside, at, &is_done, ret);
		if (is_done) {
			return code;
		}
	}
	if (is_orphan) {
		return state_fail_pointer(map->report, STATE_E_POINTER,
		        "pointer to an object of a removed type", &inside.spot, at);
	}
	if (in_run == 0 && pointer->near == run->site && !pointer->has_length) {
		*ret = run->place[slot];
		return STATE_OK;
	}
	code = pointer_into_object(
	        map, pointer, run->site, state_slot_count(run, (uint32_t)slot), in_run, &off);
	if (code != STATE_OK) {
		return pointer_fail(map->report, code, &inside.spot, at);
	}
	*ret = run->place[slot] + off;
	return !pointer->has_length ? STATE_OK
	                            : pointer_check_length(map->report, pointer, &inside.spot, at,
	                                      bytes - in_run);
}

/*
 * A literal that the new release does not have becomes a heap object, once, and the result lists
 * it. The bytes come from the description, not from old memory.
 */
static enum state_code pointer_copy_string(struct state_report *r, struct state_item *item)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];
	const struct state_entry *entry = &desc->entries[item->entry[STATE_OLD]];
	char *copy = heap_new_n(char, entry->size);

	if (copy == NULL) {
		return state_fail(r, STATE_E_ARENA, "new heap is full", entry->size);
	}
	memcpy(copy, state_desc_string(desc, entry->name), entry->size);
	item->new_addr = (uint64_t)(uintptr_t)copy;
	state_copied(r, item->entry[STATE_OLD]);
	return STATE_OK;
}

/* Only pointers to characters, or of no type, may lead to a literal. */
static enum state_code pointer_to_string(struct state_report *r,
        const struct state_pointer *pointer, struct state_item *item, uint64_t off, uint64_t *ret)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];

	if (pointer->target == STATE_TARGET_FUNCTION ||
	        (pointer->target == STATE_TARGET_OBJECT &&
	                !state_type_is_number(desc, pointer->type[STATE_OLD]))) {
		return STATE_E_POINTER;
	}
	if (item->new_addr == 0) {
		enum state_code code = pointer_copy_string(r, item);

		if (code != STATE_OK) {
			return code;
		}
	}
	*ret = item->new_addr + off;
	return STATE_OK;
}

/*
 * A table of constants may have other rows now, which only their contents tell (constant.c);
 * everything else is a matter of types.
 */
static enum state_code pointer_to_variable(struct state_mapper *map,
        const struct state_pointer *pointer, struct state_item *item, uint64_t off,
        const uint8_t *at, uint64_t *ret)
{
	uint32_t type[_STATE_AGE_N] = {
	        map->sides->desc[STATE_OLD].entries[item->entry[STATE_OLD]].type,
	        map->sides->desc[STATE_NEW].entries[item->entry[STATE_NEW]].type,
	};
	bool is_done;
	enum state_code code = state_constant_map(map, pointer, item, off, at, &is_done, ret);

	if (!is_done) {
		code = state_offset_map(map, pointer, type, 1, off, ret);
	}
	if (code == STATE_OK) {
		*ret += item->new_addr;
	}
	return code;
}

/*
 * Library objects have no types. Their start maps to the same symbol; what is inside one only if
 * the object has kept its size.
 */
static enum state_code pointer_to_library(const struct state_sides *s,
        const struct state_pointer *pointer, const struct state_item *item, uint64_t off,
        uint64_t *ret)
{
	if (off != 0 &&
	        (pointer->target == STATE_TARGET_FUNCTION ||
	                s->desc[STATE_NEW].entries[item->entry[STATE_NEW]].size != item->size)) {
		return STATE_E_POINTER;
	}
	*ret = item->new_addr + off;
	return STATE_OK;
}

/* Functions pair by name across files, whatever they are called with: let it be seen, once each. */
static void pointer_note_moved(struct state_report *r, struct state_item *item)
{
	const struct state_desc *a = &r->sides->desc[STATE_OLD];
	const struct state_desc *b = &r->sides->desc[STATE_NEW];
	uint32_t i = item->entry[STATE_OLD];
	uint32_t k = item->entry[STATE_NEW];

	if (!item->is_noted && strcmp(state_desc_string(a, a->entries[i].unit),
	                               state_desc_string(b, b->entries[k].unit)) != 0) {
		item->is_noted = true;
		state_moved(r, i, k);
	}
}

/*
 * By kind of item; *ret is the new address. STATE_E_POINTER and STATE_E_AMBIGUOUS are left for the
 * caller to put into words.
 */
static enum state_code pointer_into_item(struct state_mapper *map,
        const struct state_pointer *pointer, struct state_item *item, uint64_t off,
        const uint8_t *at, uint64_t *ret)
{
	const struct state_entry *entry =
	        &map->sides->desc[STATE_OLD].entries[item->entry[STATE_OLD]];

	switch ((enum state_entry_kind)entry->kind) {
	case STATE_VARIABLE:
		return pointer_to_variable(map, pointer, item, off, at, ret);
	case STATE_FUNCTION:
		*ret = item->new_addr;
		pointer_note_moved(map->report, item);
		return off == 0 && (pointer->target == STATE_TARGET_FUNCTION ||
		                           pointer->target == STATE_TARGET_ANY)
		               ? STATE_OK
		               : STATE_E_POINTER;
	case STATE_STRING:
		return pointer_to_string(map->report, pointer, item, off, ret);
	case STATE_LIBRARY:
		return pointer_to_library(map->sides, pointer, item, off, ret);
	case STATE_SITE:
	case _STATE_KIND_N:
		break;
	}
	return STATE_E_POINTER;
}

/*
 * A pointer to what has a fixed address. What has a handler may have moved, so that comes first;
 * then there must be a partner (a literal can do without), and a function must still be called the
 * same way.
 */
static enum state_code pointer_to_item(struct state_mapper *map, struct state_pointer *pointer,
        uint64_t value, const uint8_t *at, uint64_t *ret)
{
	struct state_item *item = state_item_find(map->items, value);
	struct old_value inside = {.addr = value};
	const struct state_entry *entry;
	enum state_code code;

	if (item == NULL) {
		return state_fail_place(map->report, STATE_E_POINTER, "pointer leads nowhere", at);
	}
	entry = &map->sides->desc[STATE_OLD].entries[item->entry[STATE_OLD]];
	inside.type = entry->type;
	inside.off = value - item->start;
	inside.spot = (struct state_spot){item->entry[STATE_OLD], inside.off};
	if (item->is_handled) {
		bool is_done;

		code = pointer_to_place(map, pointer, &inside, at, &is_done, ret);
		if (is_done) {
			return code;
		}
	}
	if (item->new_addr == 0 && entry->kind != STATE_STRING) {
		return state_fail_pointer(map->report, STATE_E_POINTER,
		        "pointer to what the new release lacks", &inside.spot, at);
	}
	if (item->is_changed) {
		return state_fail_pointer(map->report, STATE_E_POINTER,
		        "pointer to a function that is called in another way now", &inside.spot,
		        at);
	}
	code = pointer_into_item(map, pointer, item, inside.off, at, ret);
	if (code != STATE_OK) {
		return pointer_fail(map->report, code, &inside.spot, at);
	}
	return !pointer->has_length ? STATE_OK
	                            : pointer_check_length(map->report, pointer, &inside.spot, at,
	                                      item->size - inside.off);
}

/* The heap's range belongs to the heap alone: what else RS had put there would be overlapping. */
enum state_code state_pointer_map(struct state_mapper *map, struct state_pointer *pointer,
        uint64_t value, const uint8_t *at, uint64_t *ret)
{
	return value - map->heap->base < map->heap->size
	               ? pointer_to_heap(map, pointer, value, at, ret)
	               : pointer_to_item(map, pointer, value, at, ret);
}
