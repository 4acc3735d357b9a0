/*
 * What handlers can ask of the engine, and tell it. A handler takes over where types cannot say
 * how a value changes: it gets the old value, read-only, and the new one to fill, and may call the
 * engine back for the rest: for what a plan would have done, for the new address of anything old,
 * for an old variable by its name, and to say that a part of the old value has a *place* elsewhere
 * now.
 *
 * A handler is trusted code of the new release; the values that it gets are not trusted. Therefore
 * what it says of places is checked as if it were wrong: the old bytes must be whole values, its
 * own or ones without a place, and not placed yet; at the new address there must be an object or a
 * variable with room for as many values of that type. Then a pointer into them is mapped by types
 * like any other (pointer.c).
 */
#include "osd/lib/heap/heap.h"
#include "osd/lib/state/move/priv.h"

/*
 * The default was made when pairing, without the handler's annotation. What it would lose is
 * reported now, as only now is it known that the handler relies on it.
 */
enum state_code state_view_default(const struct state_view *view)
{
	const struct state_handler *handler = view->step;
	enum state_code code;

	if (handler->plan == NULL) {
		return STATE_E_TYPE;
	}
	code = state_lose_default(view->transfer->report, handler->losses);
	return code != STATE_OK
	               ? code
	               : state_plan_run(view->transfer, handler->plan, view->old, view->new);
}

enum state_code state_view_pointer(const struct state_view *view, const void *old, void **ret_new)
{
	struct state_pointer pointer = {.target = STATE_TARGET_ANY};
	uint64_t value = (uint64_t)(uintptr_t)old;
	enum state_code code;

	if (old == NULL) {
		*ret_new = NULL;
		return STATE_OK;
	}
	code = state_pointer_map(&view->transfer->map, &pointer, value, view->old, &value);
	if (code == STATE_OK) {
		*ret_new = (void *)(uintptr_t)value;
	}
	return code;
}

const void *state_view_find(
        const struct state_view *view, const char *file, const char *function, const char *name)
{
	const struct state_sides *s = view->transfer->map.sides;
	uint32_t i = state_desc_find(&s->desc[STATE_OLD], STATE_VARIABLE, file, function, name);

	return i == UINT32_MAX ? NULL : (const void *)(uintptr_t)s->addr[STATE_OLD][i];
}

/* Values of one type side by side, somewhere in a larger one. */
struct extent {
	uint32_t type;
	uint64_t count;
};

/*
 * The values that fill `size` bytes at `off` of an old value: the largest single value that does,
 * or elements of an array. Goes down one level at a time. False: the bytes are no whole values.
 */
static bool view_extent_find(const struct state_desc *desc, uint32_t type, uint64_t off,
        uint64_t size, struct extent *ret)
{
	do {
		uint32_t id = state_type_strip(desc, type);
		uint64_t element;

		if (state_type_kind(desc, id) == STATE_BTF_ARRAY) {
			ret->type = state_type_strip(desc, state_type_array(desc, id)->type);
			element = state_type_size(desc, ret->type);
			if (element > 0 && off % element == 0 && size % element == 0 &&
			        off + size <= state_type_size(desc, id)) {
				ret->count = size / element;
				return true;
			}
		} else if (off == 0 && state_type_size(desc, id) == size) {
			ret->type = id;
			ret->count = 1;
			return true;
		}
	} while (state_type_step(desc, &type, &off));
	return false;
}

/* May a pointer to the old type lead to the new one? Records by name, numbers among each other. */
static bool view_types_meet(const struct state_sides *s, uint32_t old, uint32_t new)
{
	enum state_btf_kind kind = state_type_kind(&s->desc[STATE_OLD], old);

	if (kind != state_type_kind(&s->desc[STATE_NEW], new)) {
		return state_type_is_number(&s->desc[STATE_OLD], old) &&
		       state_type_is_number(&s->desc[STATE_NEW], new);
	}
	return (kind != STATE_BTF_STRUCT && kind != STATE_BTF_UNION) ||
	       state_names_match(s, old, new);
}

/* A new value: where it lies in an object or a variable. */
struct home {
	uint32_t type;
	uint64_t off;
	uint64_t bytes; /* from there to the object's end */
};

/* The live object that holds a new address, and the type of its site. */
static bool view_home_in_heap(const struct state_sides *s, uint64_t new, struct home *ret)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];
	struct heap_object object;
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, STATE_SITE, &n);

	if (!heap_find((const void *)(uintptr_t)new, &object)) {
		return false;
	}
	for (uint32_t k = first; k < first + n; k++) {
		if (s->addr[STATE_NEW][k] == object.site) {
			ret->type = desc->entries[k].type;
			ret->off = (new - object.start) % object.element_bytes;
			ret->bytes = object.start + object.count * object.element_bytes - new;
			return true;
		}
	}
	return false;
}

/*
 * What lies at a new address: an object, else a variable. Linear in the variables: handlers place
 * few values, and the pairing keeps no table by new address.
 */
static bool view_home_find(const struct state_sides *s, uint64_t new, struct home *ret)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, STATE_VARIABLE, &n);

	if (view_home_in_heap(s, new, ret)) {
		return true;
	}
	for (uint32_t k = first; k < first + n; k++) {
		uint64_t off = new - s->addr[STATE_NEW][k];

		if (s->addr[STATE_NEW][k] != 0 && off < desc->entries[k].size) {
			ret->type = desc->entries[k].type;
			ret->off = off;
			ret->bytes = desc->entries[k].size - off;
			return true;
		}
	}
	return false;
}

/*
 * The new type for `count` old values at a new address: from the outermost value down, the first
 * that starts there, meets the old type and has room for all of them until its object ends.
 */
static bool view_home_type(
        const struct state_sides *s, uint64_t new, const struct extent *old, uint32_t *ret)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];
	struct home home;

	if (!view_home_find(s, new, &home)) {
		return false;
	}
	do {
		uint32_t id = state_type_strip(desc, home.type);

		if (home.off == 0 && view_types_meet(s, old->type, id) &&
		        state_type_size(desc, id) > 0 &&
		        old->count <= home.bytes / state_type_size(desc, id)) {
			*ret = id;
			return true;
		}
	} while (state_type_step(desc, &home.type, &home.off));
	return false;
}

/*
 * The old value that the range is in: the handler's own, or what has no new place otherwise, be it
 * a variable or an object. Anything else has its place by the plans, and two would contradict.
 */
static bool view_range_root(const struct state_view *view, uint64_t start, uint64_t size,
        uint32_t *ret_type, uint64_t *ret_off)
{
	const struct state_mapper *map = &view->transfer->map;
	const struct state_desc *desc = &map->sides->desc[STATE_OLD];
	const struct state_handler *handler = view->step;
	const struct state_item *item;
	struct state_orphan orphan;
	uint64_t off = start - (uint64_t)(uintptr_t)view->old;

	if (size == 0) {
		return false;
	}
	if (off < view->old_size && size <= view->old_size - off) {
		*ret_type = handler->type[STATE_OLD];
		*ret_off = off;
		return true;
	}
	if (state_orphan_find(map, start, &orphan)) {
		*ret_type = orphan.type;
		*ret_off = orphan.off;
		return size <= orphan.bytes - orphan.off;
	}
	item = state_item_find(map->items, start);
	if (item == NULL || item->entry[STATE_NEW] != STATE_NONE ||
	        desc->entries[item->entry[STATE_OLD]].kind != STATE_VARIABLE ||
	        start - item->start >= item->size || size > item->size - (start - item->start)) {
		return false;
	}
	*ret_type = desc->entries[item->entry[STATE_OLD]].type;
	*ret_off = start - item->start;
	return true;
}

static enum state_code view_place_fail(
        const struct state_view *view, const char *what, const void *old)
{
	return state_fail_place(view->transfer->report, STATE_E_HANDLER, what, old);
}

enum state_code state_view_place(
        const struct state_view *view, const void *old, uint64_t old_bytes, void *new)
{
	struct state_mapper *map = &view->transfer->map;
	struct state_place place = {
	        .start = (uint64_t)(uintptr_t)old,
	        .size = old_bytes,
	        .new_addr = (uint64_t)(uintptr_t)new,
	};
	struct extent extent;
	uint32_t type;
	uint64_t off;

	if (!view_range_root(view, place.start, old_bytes, &type, &off)) {
		return view_place_fail(view, "handler places what is not its old value", view->old);
	}
	if (state_place_is_taken(map, place.start, old_bytes)) {
		return view_place_fail(view, "handler places a part of the old value twice", old);
	}
	if (!view_extent_find(&map->sides->desc[STATE_OLD], type, off, old_bytes, &extent)) {
		return view_place_fail(view, "handler places what is no whole value", old);
	}
	place.count = extent.count;
	place.type[STATE_OLD] = extent.type;
	if (!view_home_type(map->sides, place.new_addr, &extent, &place.type[STATE_NEW])) {
		return view_place_fail(
		        view, "handler places a value where there is none of its type", old);
	}
	return state_place_add(map, &place) ? STATE_OK : STATE_E_SCRATCH;
}
