/*
 * Which constant table of both releases an old pointer leads into: a constant that is an array, or
 * a member of a constant, found by descending both types side by side until there is an array on
 * both.
 *
 * A pointer to the start of something larger that it may also mean, as to a struct whose first
 * member is a table, does not lead into the table: types decide then (offset.c). Nor does one
 * whose table is annotated with STATE_RAW: its author says that rows are known by their index.
 */
#include "osd/lib/state/pointer/priv.h"

/*
 * From a struct to its member there. False: none that both releases have, or one to be read by
 * index, or no room on the scratch stack.
 */
static bool table_enter_member(struct state_report *r, struct state_part_at *part)
{
	uint64_t high = r->scratch.high;
	struct state_fields old;
	struct state_fields new;
	bool is_found = false;

	if (!state_fields_get(r, STATE_OLD, part->type[STATE_OLD], &old) ||
	        !state_fields_get(r, STATE_NEW, part->type[STATE_NEW], &new)) {
		r->scratch.high = high;
		return false;
	}
	(void)state_fields_pair(r->sides, &old, &new);
	for (uint32_t i = 0; i < new.n && !is_found; i++) {
		const struct state_field *x;
		uint64_t start;

		if (new.field[i].partner == STATE_NONE) {
			continue;
		}
		x = &old.field[new.field[i].partner];
		start = x->bit_off / 8;
		is_found = x->bit_size == 0 && part->off >= start &&
		           part->off - start < state_type_size(&r->sides->desc[STATE_OLD], x->type);
		if (is_found &&
		        state_notes_of_field(&r->sides->desc[STATE_NEW], &new.field[i]).raw) {
			r->scratch.high = high;
			return false; /* by index, as its author says */
		}
		if (is_found) {
			part->type[STATE_OLD] = x->type;
			part->type[STATE_NEW] = new.field[i].type;
			part->start[STATE_OLD] += start;
			part->start[STATE_NEW] += new.field[i].bit_off / 8;
			part->off -= start;
		}
	}
	r->scratch.high = high;
	return is_found;
}

/*
 * Descend to the table that the pointer leads into. False: there is none, or the pointer means
 * what is around it.
 */
static bool table_find(
        struct state_report *r, const struct state_pointer *pointer, struct state_part_at *part)
{
	for (unsigned depth = 0; depth < STATE_DEPTH; depth++) {
		enum state_btf_kind kind[_STATE_AGE_N];

		for (unsigned age = 0; age < _STATE_AGE_N; age++) {
			part->type[age] = state_type_strip(&r->sides->desc[age], part->type[age]);
			kind[age] = state_type_kind(&r->sides->desc[age], part->type[age]);
		}
		if (kind[STATE_OLD] != kind[STATE_NEW] ||
		        (part->off == 0 && pointer->target == STATE_TARGET_OBJECT &&
		                state_pointer_fits(r->sides, pointer, part->type))) {
			return false;
		}
		if (kind[STATE_OLD] == STATE_BTF_ARRAY) {
			return true;
		}
		if (kind[STATE_OLD] != STATE_BTF_STRUCT ||
		        (part->off == 0 && pointer->target == STATE_TARGET_ANY) ||
		        !table_enter_member(r, part)) {
			return false;
		}
	}
	return false;
}

/*
 * Only constants have tables in this sense: what the old instance could write is state, and its
 * rows are its own. The old release's flag counts.
 */
bool state_table_get(struct state_mapper *map, const struct state_pointer *pointer,
        const struct state_item *item, struct state_part_at *part, struct state_table *ret)
{
	const struct state_entry *old =
	        &map->sides->desc[STATE_OLD].entries[item->entry[STATE_OLD]];

	*ret = (struct state_table){.map = map};
	if (old->kind != STATE_VARIABLE || (old->flags & STATE_ENTRY_READONLY) == 0 ||
	        state_notes_of_entry(&map->sides->desc[STATE_NEW], item->entry[STATE_NEW]).raw) {
		return false;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		part->type[age] = map->sides->desc[age].entries[item->entry[age]].type;
	}
	if (!table_find(map->report, pointer, part)) {
		return false;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &map->sides->desc[age];
		const struct state_btf_array *array = state_type_array(desc, part->type[age]);

		ret->row[age] = state_type_strip(desc, array->type);
		ret->n[age] = array->nelems;
		ret->size[age] = state_type_size(desc, ret->row[age]);
		ret->at[age] = (const uint8_t *)(uintptr_t)(age == STATE_OLD ? item->start
		                                                             : item->new_addr) +
		               part->start[age];
	}
	return ret->size[STATE_OLD] > 0 && ret->size[STATE_NEW] > 0;
}

bool state_table_is_text(const struct state_table *c)
{
	return c->size[STATE_OLD] == 1 && c->size[STATE_NEW] == 1 &&
	       state_type_is_number(&c->map->sides->desc[STATE_OLD], c->row[STATE_OLD]) &&
	       state_type_is_number(&c->map->sides->desc[STATE_NEW], c->row[STATE_NEW]);
}
