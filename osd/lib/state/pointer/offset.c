/*
 * Where an offset inside an old value lies in the new value. The types are descended side by
 * side, and everything that starts or ends at the offset is a candidate:
 *
 *  - A typed pointer leads to what starts there and has its type, or to one past the end of
 *    an array of its type. If both are there and part in the new layout, it is ambiguous.
 *  - A character pointer does the same with characters; if there are none it leads to the largest
 *    value that starts there, or to the same byte of a number that kept its size.
 *  - A void pointer leads to the largest value that starts there, else one past an array.
 */
#include "osd/lib/state/pointer/priv.h"

#define OFFSET_STEPS 100000 /* types that one look-up may visit */

struct candidate {
	bool found;
	bool is_ambiguous; /* found more than once, in different places */
	uint64_t off;
};

struct search {
	struct state_mapper *map;
	const struct state_pointer *pointer;
	struct candidate start; /* of the pointer's type */
	struct candidate end;   /* of an array of the pointer's type */
	struct candidate outer; /* the largest value that starts there */
	struct candidate byte;  /* inside a number */
	uint32_t n_steps;
	bool no_room;
};

static void offset_add(struct candidate *candidate, uint64_t off)
{
	candidate->is_ambiguous |= candidate->found && candidate->off != off;
	if (!candidate->found) {
		candidate->found = true;
		candidate->off = off;
	}
}

/* May a pointer of this type mean any kind of thing: void, or one-byte integers? */
static bool offset_type_is_loose(const struct state_desc *desc, uint32_t id)
{
	return id == 0 ||
	       (state_type_kind(desc, id) == STATE_BTF_INT && state_type_size(desc, id) == 1);
}

/* Asked of both releases: a pointer that meant this value before must be able to mean it now. */
bool state_pointer_fits(
        const struct state_sides *s, const struct state_pointer *pointer, const uint32_t type[2])
{
	const struct state_desc *desc = &s->desc[STATE_NEW];

	if (pointer->target == STATE_TARGET_FUNCTION) {
		return false;
	}
	if (pointer->target != STATE_TARGET_ANY &&
	        !state_type_same(
	                &s->desc[STATE_OLD], type[STATE_OLD], pointer->type[STATE_OLD], 4)) {
		return false;
	}
	/*
	 * What were characters must still be some, or a step of the
	 * pointer means something else.
	 */
	if (pointer->type[STATE_NEW] == 0 ||
	        (pointer->target != STATE_TARGET_BYTES &&
	                offset_type_is_loose(desc, pointer->type[STATE_NEW]))) {
		return true;
	}
	return state_type_same(desc, type[STATE_NEW], pointer->type[STATE_NEW], 4);
}

static void offset_search_value(
        struct search *s, const uint32_t type[2], uint64_t off, uint64_t new_base, unsigned depth);

/* What an array of arrays is made of; another type is itself. */
static uint32_t offset_type_element(const struct state_desc *desc, uint32_t id)
{
	id = state_type_strip(desc, id);
	for (unsigned i = 0; i < STATE_DEPTH && state_type_kind(desc, id) == STATE_BTF_ARRAY; i++) {
		id = state_type_strip(desc, state_type_array(desc, id)->type);
	}
	return id;
}

/* Does the pointer lead to characters that are wider numbers now? */
static bool offset_parts_bytes(const struct search *s, const uint32_t any_type[2])
{
	const struct state_desc *a = &s->map->sides->desc[STATE_OLD];
	const struct state_desc *b = &s->map->sides->desc[STATE_NEW];
	uint32_t old = offset_type_element(a, any_type[STATE_OLD]);
	uint32_t new = offset_type_element(b, any_type[STATE_NEW]);

	return s->pointer->target == STATE_TARGET_BYTES && state_type_is_number(a, old) &&
	       state_type_is_number(b, new) && state_type_size(a, old) == 1 &&
	       state_type_size(b, new) != 1;
}

/*
 * The element at the offset, and the one that ends there: a pointer may be one past it. The end of
 * the array is a candidate of its own, ambiguous if the array changed its length: then it may have
 * meant the end of all elements, or the element behind the last.
 */
static void offset_search_array(
        struct search *s, const uint32_t type[2], uint64_t off, uint64_t base, unsigned depth)
{
	const struct state_btf_array *a =
	        state_type_array(&s->map->sides->desc[STATE_OLD], type[STATE_OLD]);
	const struct state_btf_array *b =
	        state_type_array(&s->map->sides->desc[STATE_NEW], type[STATE_NEW]);
	uint32_t element[_STATE_AGE_N] = {a->type, b->type};
	uint64_t old_size = state_type_size(&s->map->sides->desc[STATE_OLD], a->type);
	uint64_t new_size = state_type_size(&s->map->sides->desc[STATE_NEW], b->type);
	uint64_t i = old_size > 0 ? off / old_size : UINT64_MAX;

	if (old_size == 0) {
		return;
	}
	if (i < a->nelems && i < b->nelems) {
		offset_search_value(s, element, off % old_size, base + i * new_size, depth + 1);
	}
	if (off % old_size == 0 && i > 0 && i - 1 < b->nelems) {
		offset_search_value(s, element, old_size, base + (i - 1) * new_size, depth + 1);
		/* The end of a row, which was also the end of all or is it now. */
		s->end.is_ambiguous |= s->end.found && a->nelems != b->nelems &&
		                       (i == a->nelems ? state_kind(&s->map->sides->desc[STATE_OLD],
		                                                 a->type) == STATE_BTF_ARRAY
		                                       : i >= b->nelems);
	}
	if (i == a->nelems && off % old_size == 0 &&
	        state_pointer_fits(s->map->sides, s->pointer, element)) {
		offset_add(&s->end, base + b->nelems * new_size);
		s->end.is_ambiguous |= a->nelems != b->nelems;
	}
}

/*
 * All members that the offset is in or at the end of; of a union that may be several. Members
 * without a partner and bitfields are nothing that a pointer can lead to.
 */
static void offset_search_record(
        struct search *s, const uint32_t type[2], uint64_t off, uint64_t base, unsigned depth)
{
	struct state_report *r = s->map->report;
	uint64_t high = r->scratch.high;
	struct state_fields old;
	struct state_fields new;

	if (!state_fields_get(r, STATE_OLD, type[STATE_OLD], &old) ||
	        !state_fields_get(r, STATE_NEW, type[STATE_NEW], &new)) {
		s->no_room = true;
		r->scratch.high = high;
		return;
	}
	(void)state_fields_pair(r->sides, &old, &new);
	for (uint32_t i = 0; i < old.n; i++) {
		const struct state_field *field = &old.field[i];
		uint64_t start = field->bit_off / 8;
		uint64_t size = state_type_size(&r->sides->desc[STATE_OLD], field->type);
		const struct state_field *partner;

		if (field->bit_size != 0 || off < start || off - start > size) {
			continue;
		}
		if (field->partner == STATE_NONE) {
			continue;
		}
		partner = &new.field[field->partner];
		if (partner->bit_size != 0) {
			continue;
		}
		offset_search_value(s, (uint32_t[]){field->type, partner->type}, off - start,
		        base + partner->bit_off / 8, depth + 1);
	}
	r->scratch.high = high;
}

/* A value of these types, its new place known: what starts, ends or lies at old offset `off`? */
static void offset_search_value(
        struct search *s, const uint32_t any_type[2], uint64_t off, uint64_t base, unsigned depth)
{
	const struct state_desc *a = &s->map->sides->desc[STATE_OLD];
	const struct state_desc *b = &s->map->sides->desc[STATE_NEW];
	const uint32_t type[_STATE_AGE_N] = {
	        state_type_strip(a, any_type[STATE_OLD]),
	        state_type_strip(b, any_type[STATE_NEW]),
	};
	enum state_btf_kind kind = state_type_kind(a, type[STATE_OLD]);

	if (s->n_steps++ > OFFSET_STEPS || depth > STATE_DEPTH ||
	        off > state_type_size(a, type[STATE_OLD])) {
		return;
	}
	if (off == 0 && state_type_size(a, type[STATE_OLD]) > 0) {
		if (!s->outer.found && !offset_parts_bytes(s, type)) {
			offset_add(&s->outer, base);
		}
		if (state_pointer_fits(s->map->sides, s->pointer, type)) {
			offset_add(&s->start, base);
		}
	}
	if (kind != state_type_kind(b, type[STATE_NEW])) {
		return;
	}
	if (kind == STATE_BTF_ARRAY) {
		offset_search_array(s, type, off, base, depth);
	} else if (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) {
		offset_search_record(s, type, off, base, depth);
	} else if (off < state_type_size(a, type[STATE_OLD]) &&
	           state_type_size(a, type[STATE_OLD]) == state_type_size(b, type[STATE_NEW])) {
		offset_add(&s->byte, base + off);
	}
}

/* Two candidates that must not part. */
static enum state_code offset_agree(
        const struct candidate *x, const struct candidate *y, uint64_t *ret)
{
	const struct candidate *one = x->found ? x : y;

	if (one->is_ambiguous || (x->found && y->found && (y->is_ambiguous || x->off != y->off))) {
		return STATE_E_AMBIGUOUS;
	}
	*ret = one->off;
	return STATE_OK;
}

/*
 * Choose among the candidates by the kind of pointer, as the list on top says. Two candidates of
 * one kind at different places are ambiguous, and so are a start and an end that part.
 */
static enum state_code offset_result(const struct search *s, uint64_t *ret)
{
	bool is_loose =
	        s->pointer->target != STATE_TARGET_OBJECT &&
	        offset_type_is_loose(&s->map->sides->desc[STATE_NEW], s->pointer->type[STATE_NEW]);
	static const struct candidate none;

	if (s->no_room) {
		return STATE_E_SCRATCH;
	}
	if (s->pointer->target == STATE_TARGET_ANY) {
		/* With a typed new pointer only values of that type will do. */
		const struct candidate *start = is_loose ? &s->outer : &s->start;

		if (start->found) {
			return offset_agree(start, &none, ret);
		}
	} else if (s->start.found) {
		return offset_agree(&s->start, &s->end, ret);
	}
	if (s->end.found) {
		return offset_agree(&s->end, &none, ret);
	}
	if (is_loose && s->outer.found) {
		return offset_agree(&s->outer, &none, ret);
	}
	return is_loose && s->byte.found ? offset_agree(&s->byte, &none, ret) : STATE_E_POINTER;
}

/*
 * Direct-mapped: a collision costs a search. Plans of pointers stay where they are, so their
 * address is a key.
 */
static struct state_cache *offset_cache_slot(struct state_mapper *map,
        const struct state_pointer *pointer, const uint32_t type[2], uint64_t off)
{
	uint64_t hash =
	        ((uintptr_t)pointer >> 4) + off * 31 + type[STATE_OLD] * UINT64_C(2654435761);

	return &map->cache[(hash ^ hash >> 17) % STATE_CACHE_SLOTS];
}

static bool offset_cache_hits(const struct state_cache *cache, const struct state_pointer *pointer,
        const uint32_t type[2], uint64_t off)
{
	return cache->pointer == pointer && cache->old_off == off &&
	       cache->type[STATE_OLD] == type[STATE_OLD] &&
	       cache->type[STATE_NEW] == type[STATE_NEW];
}

/* Inside an element, or at its start or end: what is there, from the new element's place. */
static void offset_search_element(
        struct search *s, const uint32_t type[2], uint64_t off, bool is_first, bool is_behind)
{
	uint64_t old_size = state_type_size(&s->map->sides->desc[STATE_OLD], type[STATE_OLD]);
	uint64_t new_size = state_type_size(&s->map->sides->desc[STATE_NEW], type[STATE_NEW]);

	if (!is_behind) {
		offset_search_value(s, type, off, 0, 0);
	}
	if (off == 0 && !is_first) {
		/* Wraps below zero: the element before. */
		offset_search_value(s, type, old_size, -new_size, 0);
	}
	if (is_behind && (state_pointer_fits(s->map->sides, s->pointer, type) ||
	                         s->pointer->target == STATE_TARGET_BYTES)) {
		offset_add(&s->end, 0);
	}
}

/*
 * The answer is the same for all elements but the first and the one behind the last, so
 * it is remembered; those two have keys of their own.
 */
static enum state_code offset_in_element(struct state_mapper *map,
        const struct state_pointer *pointer, const uint32_t type[2], uint64_t off, bool is_first,
        bool is_behind, uint64_t *ret)
{
	uint64_t key = off != 0 ? off : UINT64_MAX - is_first - 2 * is_behind;
	struct state_cache *cache = offset_cache_slot(map, pointer, type, key);
	struct search s = {.map = map, .pointer = pointer};
	enum state_code code;

	if (offset_cache_hits(cache, pointer, type, key)) {
		*ret = cache->new_off;
		return STATE_OK;
	}
	offset_search_element(&s, type, off, is_first, is_behind);
	code = offset_result(&s, ret);
	if (code == STATE_OK) {
		*cache = (struct state_cache){
		        .pointer = pointer,
		        .type = {type[STATE_OLD], type[STATE_NEW]},
		        .old_off = key,
		        .new_off = *ret,
		};
	}
	return code;
}

/*
 * Arrays that kept their length are so many more elements: a table in a variable is searched like
 * objects of an array on the heap. A pointer to whole arrays must not be unwrapped.
 */
static uint64_t offset_unwrap(const struct state_sides *s, const struct state_pointer *pointer,
        uint32_t type[2], uint64_t count)
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];

	if (state_type_kind(a, pointer->type[STATE_OLD]) == STATE_BTF_ARRAY) {
		return count;
	}
	while (state_type_kind(a, type[STATE_OLD]) == STATE_BTF_ARRAY &&
	        state_type_kind(b, type[STATE_NEW]) == STATE_BTF_ARRAY &&
	        state_type_array(a, type[STATE_OLD])->nelems ==
	                state_type_array(b, type[STATE_NEW])->nelems) {
		count *= state_type_array(a, type[STATE_OLD])->nelems;
		type[STATE_OLD] = state_type_strip(a, state_type_array(a, type[STATE_OLD])->type);
		type[STATE_NEW] = state_type_strip(b, state_type_array(b, type[STATE_NEW])->type);
	}
	return count;
}

/*
 * Searches inside one element only, whatever the count. Refuses with STATE_E_POINTER,
 * STATE_E_AMBIGUOUS or STATE_E_SCRATCH, without words: the caller knows the place.
 */
enum state_code state_offset_map(struct state_mapper *map, const struct state_pointer *pointer,
        const uint32_t any_type[2], uint64_t count, uint64_t off, uint64_t *ret)
{
	uint32_t type[_STATE_AGE_N] = {
	        state_type_strip(&map->sides->desc[STATE_OLD], any_type[STATE_OLD]),
	        state_type_strip(&map->sides->desc[STATE_NEW], any_type[STATE_NEW]),
	};
	uint64_t old_size;
	uint64_t inside;
	uint64_t i;
	enum state_code code;

	count = offset_unwrap(map->sides, pointer, type, count);
	old_size = state_type_size(&map->sides->desc[STATE_OLD], type[STATE_OLD]);
	if (old_size == 0 || off > count * old_size) {
		return STATE_E_POINTER;
	}
	i = off / old_size;
	code = offset_in_element(map, pointer, type, off % old_size, i == 0, i == count, &inside);
	if (code == STATE_OK) {
		*ret = i * state_type_size(&map->sides->desc[STATE_NEW], type[STATE_NEW]) + inside;
	}
	return code;
}
