/*
 * Do a row of an old constant table and a row of the new one say the same? Compared is what the
 * rows mean, member by member, as the types of both releases pair:
 *
 * - numbers by value, enumerators by name;
 * - pointers by what they lead to: partners, literals of the same text, rows that say the same;
 * - unions, where nobody says which member is alive, word by word;
 * - members that one of the releases lacks not at all: such an answer is partial, and a caller must
 *   not choose by it between two rows.
 *
 * Both tables are constants of signed binaries, so nothing here is hostile; but rows may lead to
 * rows of other tables in circles, so no more than LEADS_FOLLOWED of them are followed, and behind
 * that index decides, partially.
 */
#include <string.h>

#include "osd/lib/state/pointer/priv.h"

#define LEADS_FOLLOWED 2 /* from row to row */

/* Two values, one of each release. */
struct twins {
	uint32_t type[_STATE_AGE_N];
	const uint8_t *at[_STATE_AGE_N];
};

/* Its address is a key of what offset.c remembers. */
static const struct state_pointer to_anything = {.target = STATE_TARGET_ANY};

static bool equal_values(struct state_table *c, const struct twins *any, unsigned depth);

/*
 * Does the new pointer lead to a literal that says what is left of the old one? The linker may
 * have put a text at the end of a longer one.
 */
static bool equal_literal(const struct state_table *c, const struct state_entry *old, uint64_t off,
        uint64_t new_value)
{
	const struct state_desc *a = &c->map->sides->desc[STATE_OLD];
	const struct state_desc *b = &c->map->sides->desc[STATE_NEW];
	uint32_t n;
	uint32_t first = state_desc_kind_first(b, STATE_STRING, &n);

	for (uint32_t k = first; k < first + n; k++) {
		const struct state_entry *new = &b->entries[k];
		uint64_t from = new_value - c->map->sides->addr[STATE_NEW][k];

		if (from < new->size &&new->size - from == old->size - off &&
		        memcmp(state_desc_string(a, old->name) + off,
		                state_desc_string(b, new->name) + from, old->size - off) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * Into an old constant table: does the new value lead to the same place in a row that says the
 * same? Two starts may mean the tables, whatever their first rows say. Far from the row that
 * was asked about, index decides. False: no such table.
 */
static bool equal_rows_led_to(struct state_table *c, const struct state_item *item, uint64_t off,
        uint64_t new_value, bool *ret_equal)
{
	struct state_part_at part = {.off = off};
	struct state_table to;
	uint64_t from;
	uint64_t in_row;
	uint64_t i;
	uint64_t k;

	if (!state_table_get(c->map, &to_anything, item, &part, &to) || state_table_is_text(&to)) {
		return false;
	}
	from = new_value - (uint64_t)(uintptr_t)to.at[STATE_NEW];
	i = part.off / to.size[STATE_OLD];
	k = from / to.size[STATE_NEW];
	if (i >= to.n[STATE_OLD]) {
		return false;
	}
	*ret_equal = k < to.n[STATE_NEW] &&
	             state_offset_map(c->map, &to_anything, to.row, 1,
	                     part.off % to.size[STATE_OLD], &in_row) == STATE_OK &&
	             in_row == from % to.size[STATE_NEW];
	if (*ret_equal && c->n_leads < LEADS_FOLLOWED) {
		to.n_leads = c->n_leads + 1;
		if (!state_rows_equal(&to, (uint32_t)i, (uint32_t)k)) {
			*ret_equal = part.off == 0 && from == 0;
			to.is_partial = true;
		}
		c->has_no_room = c->has_no_room || to.has_no_room;
	} else if (*ret_equal) {
		to.is_partial = i != k;
	}
	c->is_partial = c->is_partial || (*ret_equal && to.is_partial);
	return true;
}

/*
 * The same thing, and the same place in it. Tables are asked first: their rows may be somewhere
 * else, where the address alone would say that nothing moved.
 */
static bool equal_pointers(struct state_table *c, uint64_t old_value, uint64_t new_value)
{
	const struct state_desc *a = &c->map->sides->desc[STATE_OLD];
	const struct state_item *item = state_item_find(c->map->items, old_value);
	const struct state_entry *entry;
	uint32_t type[_STATE_AGE_N];
	uint64_t off;
	bool is_equal;

	if (old_value == 0 || new_value == 0 || item == NULL) {
		return old_value == new_value;
	}
	entry = &a->entries[item->entry[STATE_OLD]];
	off = old_value - item->start;
	if (item->new_addr != 0 && equal_rows_led_to(c, item, off, new_value, &is_equal)) {
		return is_equal;
	}
	if (item->new_addr != 0 && item->new_addr + off == new_value) {
		return true;
	}
	if (entry->kind == STATE_STRING) {
		return off < entry->size && equal_literal(c, entry, off, new_value);
	}
	if (item->new_addr == 0 || entry->kind != STATE_VARIABLE) {
		return false;
	}
	type[STATE_OLD] = entry->type;
	type[STATE_NEW] = c->map->sides->desc[STATE_NEW].entries[item->entry[STATE_NEW]].type;
	return state_offset_map(c->map, &to_anything, type, 1, off, &off) == STATE_OK &&
	       item->new_addr + off == new_value;
}

/* Unions: nobody says which member is alive, so words that are equal or lead to the same. */
static bool equal_words(struct state_table *c, const struct twins *v, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += 8) {
		uint64_t word[_STATE_AGE_N] = {0, 0};
		uint64_t n = size - i < 8 ? size - i : 8;

		memcpy(&word[STATE_OLD], v->at[STATE_OLD] + i, n);
		memcpy(&word[STATE_NEW], v->at[STATE_NEW] + i, n);
		if (word[STATE_OLD] != word[STATE_NEW] &&
		        (n < 8 || !equal_pointers(c, word[STATE_OLD], word[STATE_NEW]))) {
			return false;
		}
	}
	return true;
}

/*
 * Enumerators are equal by name, if any of the names that the old value has belongs to the new
 * value too; what has no name, or is no enum on both sides, by value.
 */
static bool equal_numbers(
        const struct state_sides *s, const uint32_t type[2], const int64_t value[2])
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];
	bool is_named = false;

	if (!state_type_is_enum(a, type[STATE_OLD]) || !state_type_is_enum(b, type[STATE_NEW])) {
		return value[STATE_OLD] == value[STATE_NEW];
	}
	for (uint32_t i = 0; i < state_type_count(a, type[STATE_OLD]); i++) {
		int64_t was;
		const char *name = state_type_enumerator(a, type[STATE_OLD], i, &was);

		for (uint32_t k = 0;
		        was == value[STATE_OLD] && k < state_type_count(b, type[STATE_NEW]); k++) {
			int64_t now;

			if (strcmp(state_type_enumerator(b, type[STATE_NEW], k, &now), name) == 0 &&
			        now == value[STATE_NEW]) {
				return true;
			}
		}
		is_named = is_named || was == value[STATE_OLD];
	}
	return !is_named && value[STATE_OLD] == value[STATE_NEW];
}

/* A member that is a number: perhaps a bitfield. */
static bool equal_member_numbers(
        const struct state_table *c, const struct twins *v, const struct state_field *field[2])
{
	uint32_t type[_STATE_AGE_N];
	int64_t value[_STATE_AGE_N];

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->map->sides->desc[age];
		struct state_bits bits = state_bits_of(
		        desc, field[age]->type, field[age]->bit_off, field[age]->bit_size, 0);

		type[age] = state_type_strip(desc, field[age]->type);
		value[age] = state_bits_get(v->at[age], &bits);
	}
	return equal_numbers(c->map->sides, type, value);
}

/*
 * A member, which may be a bitfield if it is a number; it is read as its own release's type says.
 */
static bool equal_member(struct state_table *c, const struct twins *v,
        const struct state_field *field[2], unsigned depth)
{
	struct twins member;
	bool is_number = true;

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->map->sides->desc[age];

		is_number = is_number && state_type_is_number(desc, field[age]->type) &&
		            state_type_size(desc, field[age]->type) <= 8;
		member.type[age] = field[age]->type;
		member.at[age] = v->at[age] + field[age]->bit_off / 8;
	}
	if (is_number) {
		return equal_member_numbers(c, v, field);
	}
	return equal_values(c, &member, depth + 1);
}

/*
 * All members that have partners. Pairing them needs the stack of scratch memory; without room the
 * answer is no, and has_no_room says why.
 */
static bool equal_records(struct state_table *c, const struct twins *v, unsigned depth)
{
	uint64_t high = c->map->report->scratch.high;
	struct state_fields old;
	struct state_fields new;
	bool is_equal = true;

	if (!state_fields_get(c->map->report, STATE_OLD, v->type[STATE_OLD], &old) ||
	        !state_fields_get(c->map->report, STATE_NEW, v->type[STATE_NEW], &new)) {
		c->has_no_room = true;
		c->map->report->scratch.high = high;
		return false;
	}
	(void)state_fields_pair(c->map->sides, &old, &new);
	for (uint32_t i = 0; is_equal && i < new.n; i++) {
		const struct state_field *field[_STATE_AGE_N] = {NULL, &new.field[i]};

		if (new.field[i].partner == STATE_NONE) {
			c->is_partial = true;
			continue;
		}
		field[STATE_OLD] = &old.field[new.field[i].partner];
		is_equal = equal_member(c, v, field, depth);
	}
	for (uint32_t i = 0; i < old.n; i++) {
		c->is_partial = c->is_partial || old.field[i].partner == STATE_NONE;
	}
	c->map->report->scratch.high = high;
	return is_equal;
}

/*
 * As many elements as both have. What the longer of two arrays has more must be zeros, as of a
 * name that got more room.
 */
static bool equal_arrays(struct state_table *c, const struct twins *v, unsigned depth)
{
	const struct state_btf_array *array[_STATE_AGE_N];
	uint64_t size[_STATE_AGE_N];
	struct twins element;
	uint32_t n;

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		array[age] = state_type_array(&c->map->sides->desc[age], v->type[age]);
		size[age] = state_type_size(&c->map->sides->desc[age], array[age]->type);
		element.type[age] = array[age]->type;
	}
	n = array[0]->nelems < array[1]->nelems ? array[0]->nelems : array[1]->nelems;
	for (uint32_t i = 0; i < n; i++) {
		element.at[STATE_OLD] = v->at[STATE_OLD] + i * size[STATE_OLD];
		element.at[STATE_NEW] = v->at[STATE_NEW] + i * size[STATE_NEW];
		if (!equal_values(c, &element, depth + 1)) {
			return false;
		}
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		for (uint64_t i = n * size[age]; i < array[age]->nelems * size[age]; i++) {
			if (v->at[age][i] != 0) {
				return false;
			}
		}
	}
	return true;
}

static bool equal_plain_numbers(const struct state_table *c, const struct twins *v)
{
	int64_t value[_STATE_AGE_N];

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->map->sides->desc[age];
		struct state_bits bits = state_bits_of(desc, v->type[age], 0, 0, 0);

		value[age] = state_bits_get(v->at[age], &bits);
	}
	return equal_numbers(c->map->sides, v->type, value);
}

/*
 * By kind: numbers first, then what is of one kind on both sides. Values of other kinds are not
 * compared, which makes the answer partial, and equal as far as it goes.
 */
static bool equal_values(struct state_table *c, const struct twins *any, unsigned depth)
{
	struct twins v = *any;
	uint64_t size[_STATE_AGE_N];
	enum state_btf_kind kind[_STATE_AGE_N];
	bool is_number = true;

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->map->sides->desc[age];

		v.type[age] = state_type_strip(desc, v.type[age]);
		kind[age] = state_type_kind(desc, v.type[age]);
		size[age] = state_type_size(desc, v.type[age]);
		is_number = is_number && state_type_is_number(desc, v.type[age]) && size[age] <= 8;
	}
	if (is_number) {
		return equal_plain_numbers(c, &v);
	}
	if (kind[STATE_OLD] == kind[STATE_NEW] && depth < STATE_DEPTH) {
		if (kind[STATE_OLD] == STATE_BTF_STRUCT) {
			return equal_records(c, &v, depth);
		}
		if (kind[STATE_OLD] == STATE_BTF_ARRAY) {
			return equal_arrays(c, &v, depth);
		}
		if (size[STATE_OLD] == size[STATE_NEW]) {
			return equal_words(c, &v, size[STATE_OLD]);
		}
	}
	c->is_partial = true;
	return true;
}

bool state_rows_equal(struct state_table *c, uint32_t i, uint32_t k)
{
	struct twins row = {
	        .type = {c->row[STATE_OLD], c->row[STATE_NEW]},
	        .at = {c->at[STATE_OLD] + i * c->size[STATE_OLD],
	                c->at[STATE_NEW] + k * c->size[STATE_NEW]},
	};

	return !c->has_no_room && equal_values(c, &row, 0);
}
