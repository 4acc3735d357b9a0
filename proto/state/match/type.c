/*
 * What types have to do with each other. In one release: is a pointer to x also one to y
 * (state_type_same)? Across the two: may a value of the old type become one of the new type, as
 * far as names and kinds tell (state_types_alike)? Whether it really can is known when its plan is
 * made.
 */
#include <string.h>

#include "proto/state/match/field.h"

bool state_type_is_number(const struct state_desc *desc, uint32_t id)
{
	enum state_btf_kind kind = state_kind(desc, id);

	return kind == STATE_BTF_INT || kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64;
}

bool state_type_is_enum(const struct state_desc *desc, uint32_t id)
{
	enum state_btf_kind kind = state_kind(desc, id);

	return kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64;
}

/* Text is what the source calls char: a signed or unsigned byte of its own name is a number. */
bool state_type_is_char(const struct state_desc *desc, uint32_t id)
{
	return strcmp(state_type_name(desc, state_type_strip(desc, id)), "char") == 0;
}

/*
 * The same record may be described several times, once for each unit, and be incomplete in some:
 * name, size and the members' names and places decide.
 */
static bool type_records_same(const struct state_desc *desc, uint32_t x, uint32_t y)
{
	if (strcmp(state_type_name(desc, x), state_type_name(desc, y)) != 0) {
		return false;
	}
	if (state_type_kind(desc, x) == STATE_BTF_FWD ||
	        state_type_kind(desc, y) == STATE_BTF_FWD) {
		return state_type_name(desc, x)[0] != 0;
	}
	if (state_type_kind(desc, x) != state_type_kind(desc, y) ||
	        state_type_size(desc, x) != state_type_size(desc, y) ||
	        state_type_count(desc, x) != state_type_count(desc, y)) {
		return false;
	}
	for (uint32_t i = 0; i < state_type_count(desc, x); i++) {
		struct state_member a = state_type_member(desc, x, i);
		struct state_member b = state_type_member(desc, y, i);

		if (a.bit_off != b.bit_off || strcmp(a.name, b.name) != 0) {
			return false;
		}
	}
	return true;
}

/* void * is a pointer to everything. The depth bounds types that contain themselves. */
static bool type_pointers_same(
        const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth)
{
	x = state_type_strip(desc, state_type(desc, x)->size_or_type);
	y = state_type_strip(desc, state_type(desc, y)->size_or_type);
	return x == 0 || y == 0 || depth == 0 || state_type_same(desc, x, y, depth - 1);
}

/* An array of no length is one of any. */
static bool type_arrays_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth)
{
	const struct state_btf_array *a = state_type_array(desc, x);
	const struct state_btf_array *b = state_type_array(desc, y);

	return (a->nelems == b->nelems || a->nelems == 0 || b->nelems == 0) && depth > 0 &&
	       state_type_same(desc, a->type, b->type, depth - 1);
}

/* A record that is only announced counts: which of the three it is depends on the unit. */
static bool type_is_record(enum state_btf_kind kind)
{
	return kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION || kind == STATE_BTF_FWD;
}

/*
 * x and y in one release. Numbers of one size count as the same, whatever their sign or name: what
 * a pointer may see through is decided, not what a value means. Pointers deeper than `depth` are
 * taken to lead to the same, arrays are not.
 */
bool state_type_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth)
{
	enum state_btf_kind kind;

	x = state_type_strip(desc, x);
	y = state_type_strip(desc, y);
	if (x == y) {
		return true;
	}
	kind = state_type_kind(desc, x);
	if (state_type_is_number(desc, x) && state_type_is_number(desc, y)) {
		return state_type_size(desc, x) == state_type_size(desc, y);
	}
	if (type_is_record(kind) && type_is_record(state_type_kind(desc, y))) {
		return type_records_same(desc, x, y);
	}
	if (kind != state_type_kind(desc, y)) {
		return false;
	}
	if (kind == STATE_BTF_PTR) {
		return type_pointers_same(desc, x, y, depth);
	}
	if (kind == STATE_BTF_ARRAY) {
		return type_arrays_same(desc, x, y, depth);
	}
	if (kind == STATE_BTF_FUNC_PROTO) {
		return state_type_count(desc, x) == state_type_count(desc, y);
	}
	return kind == STATE_BTF_FLOAT && state_type_size(desc, x) == state_type_size(desc, y);
}

/* Element types of arrays of arrays are compared, whatever the lengths. */
bool state_types_alike(const struct state_sides *s, uint32_t x, uint32_t y, bool exact)
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];
	enum state_btf_kind kind;

	for (unsigned depth = 0; depth < STATE_DEPTH; depth++) {
		x = state_type_strip(a, x);
		y = state_type_strip(b, y);
		kind = state_type_kind(a, x);
		if (kind != STATE_BTF_ARRAY || state_type_kind(b, y) != STATE_BTF_ARRAY) {
			break;
		}
		x = state_type_array(a, x)->type;
		y = state_type_array(b, y)->type;
	}
	if (state_type_is_number(a, x) && state_type_is_number(b, y)) {
		return !exact || strcmp(state_type_name(a, x), state_type_name(b, y)) == 0;
	}
	if (kind != state_type_kind(b, y)) {
		return false;
	}
	if (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) {
		return state_names_match(s, x, y);
	}
	if (kind == STATE_BTF_PTR && exact) {
		x = state_type_strip(a, state_type(a, x)->size_or_type);
		y = state_type_strip(b, state_type(b, y)->size_or_type);
		return strcmp(state_type_name(a, x), state_type_name(b, y)) == 0;
	}
	return true;
}

/*
 * The number that a type of this kind holds at bit_off, as seen from from_bit. Without a bit size
 * it is a whole number of the type's width.
 */
struct state_bits state_bits_of(const struct state_desc *desc, uint32_t type, uint64_t bit_off,
        uint32_t bit_size, uint64_t from_bit)
{
	uint32_t id = state_type_strip(desc, type);
	struct state_bits bits;

	bits.bit_off = (int64_t)(bit_off - from_bit);
	bits.n_bits = (uint8_t)(bit_size != 0 ? bit_size : state_type_size(desc, id) * 8);
	bits.width = bit_size == 0 ? (uint8_t)state_type_size(desc, id) : 0;
	bits.is_signed = (state_type_encoding(desc, id) & STATE_BTF_SIGNED) != 0;
	return bits;
}
