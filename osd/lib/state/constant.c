/*
 * Which row of a constant table an old pointer means now. The table is the new release's, and its
 * rows have no names: what a row says is what it is. So a row is looked for by its content, member
 * by member as the types of both releases pair, and pointers in it by what they lead to.
 *
 *  - A table whose rows are all as they were, perhaps with more behind them, is read by index.
 *  - Else a row is the new one with the same content. Equal rows keep their order, if there are as
 *    many of them as before; if some member was not compared, as one of the releases lacks it,
 *    there must be one only.
 *  - The start of a table may mean its first row or all of it: both must be right.
 *  - Rows that lead to rows of constant tables are equal if those say the same, wherever they are.
 *
 * A table may be a member of a constant. What is not clear then is refused; STATE_RAW on the table,
 * or on the member that it is, says that a row is known by its index. Bytes are text: its start is the text, whatever it says,
 * and a place inside what stands before.
 */
#include <string.h>

#include "osd/lib/state/priv.h"

#define LEADS_FOLLOWED 2 /* from row to row */

/* What was found out about a table: its rows are compared once, however many pointers there are. */
struct state_rows {
	struct state_rows *next;
	uint64_t start; /* of the old table */
	uint32_t type;  /* of an old row */
	bool is_kept;   /* all rows are where they were */
	uint32_t
	        *found; /* of each old row: 0 not looked for, else the new row + 1, or STATE_NONE */
};

struct table {
	struct state_transfer *t;
	struct state_rows *known;
	uint32_t row[_STATE_AGE_N]; /* type */
	uint32_t n[_STATE_AGE_N];
	uint64_t size[_STATE_AGE_N]; /* of a row */
	const uint8_t *at[_STATE_AGE_N];
	unsigned n_leads; /* rows that led here */
	bool is_partial;  /* something was not compared, or may mean several things */
	bool has_no_room;
};

/* Two values, one of each release. */
struct twins {
	uint32_t type[_STATE_AGE_N];
	const uint8_t *at[_STATE_AGE_N];
};

/* A place in a constant, and the types of what it is in: first the constant, then a part of it. */
struct part {
	uint32_t type[_STATE_AGE_N];
	uint64_t start[_STATE_AGE_N]; /* from the constant's */
	uint64_t off;                 /* from the old part's */
};

/* Its address is a key of what offset.c remembers. */
static const struct state_pointer to_anything = {.target = STATE_TARGET_ANY};

static bool values_equal(struct table *c, const struct twins *any, unsigned depth);
static bool rows_equal(struct table *c, uint32_t i, uint32_t k);
static bool table_get(struct state_transfer *t, const struct state_pointer *pointer,
        const struct state_item *item, struct part *part, struct table *ret);
static bool table_is_text(const struct table *c);

/* Does the new pointer lead to a literal that says what is left of the old one? */
static bool literal_equal(
        const struct table *c, const struct state_entry *old, uint64_t off, uint64_t new_value)
{
	const struct state_desc *a = &c->t->desc[STATE_OLD];
	const struct state_desc *b = &c->t->desc[STATE_NEW];
	uint32_t n;
	uint32_t first = state_desc_kind_first(b, STATE_STRING, &n);

	for (uint32_t k = first; k < first + n; k++) {
		const struct state_entry *new = &b->entries[k];
		uint64_t from = new_value - c->t->addr[STATE_NEW][k];

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
static bool rows_led_to(struct table *c, const struct state_item *item, uint64_t off,
        uint64_t new_value, bool *ret_equal)
{
	struct part part = {.off = off};
	struct table to;
	uint64_t from;
	uint64_t in_row;
	uint64_t i;
	uint64_t k;

	if (!table_get(c->t, &to_anything, item, &part, &to) || table_is_text(&to)) {
		return false;
	}
	from = new_value - (uint64_t)(uintptr_t)to.at[STATE_NEW];
	i = part.off / to.size[STATE_OLD];
	k = from / to.size[STATE_NEW];
	if (i >= to.n[STATE_OLD]) {
		return false;
	}
	*ret_equal = k < to.n[STATE_NEW] &&
	             state_offset_map(c->t, &to_anything, to.row, 1, part.off % to.size[STATE_OLD],
	                     &in_row) == STATE_OK &&
	             in_row == from % to.size[STATE_NEW];
	if (*ret_equal && c->n_leads < LEADS_FOLLOWED) {
		to.n_leads = c->n_leads + 1;
		if (!rows_equal(&to, (uint32_t)i, (uint32_t)k)) {
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

/* The same thing, and the same place in it. */
static bool pointers_equal(struct table *c, uint64_t old_value, uint64_t new_value)
{
	const struct state_desc *a = &c->t->desc[STATE_OLD];
	const struct state_item *item = state_item_find(c->t, old_value);
	const struct state_entry *entry;
	uint32_t type[_STATE_AGE_N];
	uint64_t off;
	bool is_equal;

	if (old_value == 0 || new_value == 0 || item == NULL) {
		return old_value == new_value;
	}
	entry = &a->entries[item->entry[STATE_OLD]];
	off = old_value - item->start;
	if (item->new_addr != 0 && rows_led_to(c, item, off, new_value, &is_equal)) {
		return is_equal;
	}
	if (item->new_addr != 0 && item->new_addr + off == new_value) {
		return true;
	}
	if (entry->kind == STATE_STRING) {
		return off < entry->size && literal_equal(c, entry, off, new_value);
	}
	if (item->new_addr == 0 || entry->kind != STATE_VARIABLE) {
		return false;
	}
	type[STATE_OLD] = entry->type;
	type[STATE_NEW] = c->t->desc[STATE_NEW].entries[item->entry[STATE_NEW]].type;
	return state_offset_map(c->t, &to_anything, type, 1, off, &off) == STATE_OK &&
	       item->new_addr + off == new_value;
}

/* Unions: nobody says which member is alive, so words that are equal or lead to the same. */
static bool words_equal(struct table *c, const struct twins *v, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += 8) {
		uint64_t word[_STATE_AGE_N] = {0, 0};
		uint64_t n = size - i < 8 ? size - i : 8;

		memcpy(&word[STATE_OLD], v->at[STATE_OLD] + i, n);
		memcpy(&word[STATE_NEW], v->at[STATE_NEW] + i, n);
		if (word[STATE_OLD] != word[STATE_NEW] &&
		        (n < 8 || !pointers_equal(c, word[STATE_OLD], word[STATE_NEW]))) {
			return false;
		}
	}
	return true;
}

static bool type_is_enum(const struct state_desc *desc, uint32_t id)
{
	return state_type_is_number(desc, id) && state_type_kind(desc, id) != STATE_BTF_INT;
}

/* Enumerators are equal by name; what has none, or is no enum on both sides, by value. */
static bool numbers_equal(
        const struct state_transfer *t, const uint32_t type[2], const int64_t value[2])
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
	bool is_named = false;

	if (!type_is_enum(a, type[STATE_OLD]) || !type_is_enum(b, type[STATE_NEW])) {
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
static bool member_numbers_equal(
        const struct table *c, const struct twins *v, const struct state_field *field[2])
{
	uint32_t type[_STATE_AGE_N];
	int64_t value[_STATE_AGE_N];

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->t->desc[age];
		struct state_bits bits = state_bits_of(
		        desc, field[age]->type, field[age]->bit_off, field[age]->bit_size, 0);

		type[age] = state_type_strip(desc, field[age]->type);
		value[age] = state_bits_get(v->at[age], &bits);
	}
	return numbers_equal(c->t, type, value);
}

static bool member_equal(
        struct table *c, const struct twins *v, const struct state_field *field[2], unsigned depth)
{
	struct twins member;
	bool is_number = true;

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->t->desc[age];

		is_number = is_number && state_type_is_number(desc, field[age]->type) &&
		            state_type_size(desc, field[age]->type) <= 8;
		member.type[age] = field[age]->type;
		member.at[age] = v->at[age] + field[age]->bit_off / 8;
	}
	if (is_number) {
		return member_numbers_equal(c, v, field);
	}
	return values_equal(c, &member, depth + 1);
}

static bool records_equal(struct table *c, const struct twins *v, unsigned depth)
{
	uint64_t high = c->t->high;
	struct state_fields old;
	struct state_fields new;
	bool is_equal = true;

	if (!state_fields_get(c->t, STATE_OLD, v->type[STATE_OLD], &old) ||
	        !state_fields_get(c->t, STATE_NEW, v->type[STATE_NEW], &new)) {
		c->has_no_room = true;
		c->t->high = high;
		return false;
	}
	(void)state_fields_pair(c->t, &old, &new);
	for (uint32_t i = 0; is_equal && i < new.n; i++) {
		const struct state_field *field[_STATE_AGE_N] = {NULL, &new.field[i]};

		if (new.field[i].partner == STATE_NONE) {
			c->is_partial = true;
			continue;
		}
		field[STATE_OLD] = &old.field[new.field[i].partner];
		is_equal = member_equal(c, v, field, depth);
	}
	for (uint32_t i = 0; i < old.n; i++) {
		c->is_partial = c->is_partial || old.field[i].partner == STATE_NONE;
	}
	c->t->high = high;
	return is_equal;
}

/* What the longer of two arrays has more must be zeros, as of a name that got more room. */
static bool arrays_equal(struct table *c, const struct twins *v, unsigned depth)
{
	const struct state_btf_array *array[_STATE_AGE_N];
	uint64_t size[_STATE_AGE_N];
	struct twins element;
	uint32_t n;

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		array[age] = state_type_array(&c->t->desc[age], v->type[age]);
		size[age] = state_type_size(&c->t->desc[age], array[age]->type);
		element.type[age] = array[age]->type;
	}
	n = array[0]->nelems < array[1]->nelems ? array[0]->nelems : array[1]->nelems;
	for (uint32_t i = 0; i < n; i++) {
		element.at[STATE_OLD] = v->at[STATE_OLD] + i * size[STATE_OLD];
		element.at[STATE_NEW] = v->at[STATE_NEW] + i * size[STATE_NEW];
		if (!values_equal(c, &element, depth + 1)) {
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

static bool plain_numbers_equal(const struct table *c, const struct twins *v)
{
	int64_t value[_STATE_AGE_N];

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->t->desc[age];
		struct state_bits bits = state_bits_of(desc, v->type[age], 0, 0, 0);

		value[age] = state_bits_get(v->at[age], &bits);
	}
	return numbers_equal(c->t, v->type, value);
}

static bool values_equal(struct table *c, const struct twins *any, unsigned depth)
{
	struct twins v = *any;
	uint64_t size[_STATE_AGE_N];
	enum state_btf_kind kind[_STATE_AGE_N];
	bool is_number = true;

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &c->t->desc[age];

		v.type[age] = state_type_strip(desc, v.type[age]);
		kind[age] = state_type_kind(desc, v.type[age]);
		size[age] = state_type_size(desc, v.type[age]);
		is_number = is_number && state_type_is_number(desc, v.type[age]) && size[age] <= 8;
	}
	if (is_number) {
		return plain_numbers_equal(c, &v);
	}
	if (kind[STATE_OLD] == kind[STATE_NEW] && depth < STATE_DEPTH) {
		if (kind[STATE_OLD] == STATE_BTF_STRUCT) {
			return records_equal(c, &v, depth);
		}
		if (kind[STATE_OLD] == STATE_BTF_ARRAY) {
			return arrays_equal(c, &v, depth);
		}
		if (size[STATE_OLD] == size[STATE_NEW]) {
			return words_equal(c, &v, size[STATE_OLD]);
		}
	}
	c->is_partial = true;
	return true;
}

static bool rows_equal(struct table *c, uint32_t i, uint32_t k)
{
	struct twins row = {
	        .type = {c->row[STATE_OLD], c->row[STATE_NEW]},
	        .at = {c->at[STATE_OLD] + i * c->size[STATE_OLD],
	                c->at[STATE_NEW] + k * c->size[STATE_NEW]},
	};

	return !c->has_no_room && values_equal(c, &row, 0);
}

/* Are all rows where they were? */
static bool table_is_kept(struct table *c)
{
	bool is_kept = c->n[STATE_OLD] <= c->n[STATE_NEW];

	for (uint32_t i = 0; is_kept && i < c->n[STATE_OLD]; i++) {
		is_kept = rows_equal(c, i, i);
	}
	return is_kept && !c->is_partial;
}

/* The new row that old row i is, or STATE_NONE. */
static uint32_t table_search(struct table *c, uint32_t i)
{
	uint32_t first = STATE_NONE;
	uint32_t n_new = 0;
	uint32_t n_old = 0;
	uint32_t rank = 0;

	for (uint32_t k = 0; k < c->n[STATE_NEW]; k++) {
		if (rows_equal(c, i, k)) {
			first = first == STATE_NONE ? k : first;
			n_new++;
		}
	}
	for (uint32_t k = 0; first != STATE_NONE && k < c->n[STATE_OLD]; k++) {
		if (rows_equal(c, k, first)) {
			rank += k < i;
			n_old++;
		}
	}
	if (n_old != n_new || (c->is_partial && n_new > 1)) {
		return STATE_NONE;
	}
	while (first != STATE_NONE && rank > 0) {
		rank -= rows_equal(c, i, ++first);
	}
	return first;
}

/* What is known of the table; false: no room to remember it. */
static bool table_know(struct table *c)
{
	struct state_transfer *t = c->t;
	uint64_t start = (uint64_t)(uintptr_t)c->at[STATE_OLD];
	struct state_rows *rows = t->rows;

	while (rows != NULL && (rows->start != start || rows->type != c->row[STATE_OLD])) {
		rows = rows->next;
	}
	c->known = rows;
	if (rows != NULL) {
		return true;
	}
	rows = state_keep(t, sizeof(*rows));
	if (rows == NULL) {
		return false;
	}
	rows->start = start;
	rows->type = c->row[STATE_OLD];
	rows->is_kept = table_is_kept(c);
	if (!rows->is_kept) {
		rows->found = state_keep(t, (uint64_t)c->n[STATE_OLD] * sizeof(*rows->found));
	}
	if (c->has_no_room || (!rows->is_kept && rows->found == NULL)) {
		return false;
	}
	rows->next = t->rows;
	t->rows = rows;
	c->known = rows;
	return true;
}

static uint32_t table_find(struct table *c, uint32_t i)
{
	uint32_t *found = &c->known->found[i];

	if (*found == 0) {
		uint32_t k = table_search(c, i);

		*found = k != STATE_NONE ? k + 1 : STATE_NONE;
	}
	return *found != STATE_NONE ? *found - 1 : STATE_NONE;
}

/* Does a pointer of this kind to the start of a row mean the row, and not perhaps the end of an
 * array in the row before it? */
static bool pointer_means_row(const struct table *c, const struct state_pointer *pointer)
{
	return pointer->target == STATE_TARGET_ANY || state_pointer_fits(c->t, pointer, c->row);
}

/* The new row for a pointer `off` bytes into old row i of a table that has changed. */
static uint32_t row_meant(
        struct table *c, const struct state_pointer *pointer, uint32_t i, uint64_t off)
{
	uint32_t k = table_find(c, i);

	if (k == STATE_NONE || (i == 0 && off == 0 && k != 0) ||
	        (i > 0 && off == 0 && k != i && !pointer_means_row(c, pointer))) {
		return STATE_NONE;
	}
	/* So many rows from there on: all that follow must follow still. */
	for (uint32_t more = i + 1; pointer->has_length && more < c->n[STATE_OLD]; more++) {
		if (table_find(c, more) != k + (more - i)) {
			return STATE_NONE;
		}
	}
	return k;
}

/* Is the text the same before the offset? */
static bool text_is_kept(const struct table *c, uint64_t off)
{
	return off <= c->n[STATE_NEW] && memcmp(c->at[STATE_OLD], c->at[STATE_NEW], off) == 0;
}

/* From a struct to its member there. False: none that both releases have. */
static bool part_enter(struct state_transfer *t, struct part *part)
{
	uint64_t high = t->high;
	struct state_fields old;
	struct state_fields new;
	bool is_found = false;

	if (!state_fields_get(t, STATE_OLD, part->type[STATE_OLD], &old) ||
	        !state_fields_get(t, STATE_NEW, part->type[STATE_NEW], &new)) {
		t->high = high;
		return false;
	}
	(void)state_fields_pair(t, &old, &new);
	for (uint32_t i = 0; i < new.n && !is_found; i++) {
		const struct state_field *x;
		uint64_t start;

		if (new.field[i].partner == STATE_NONE) {
			continue;
		}
		x = &old.field[new.field[i].partner];
		start = x->bit_off / 8;
		is_found = x->bit_size == 0 && part->off >= start &&
		           part->off - start < state_type_size(&t->desc[STATE_OLD], x->type);
		if (is_found && state_notes_of_field(&t->desc[STATE_NEW], &new.field[i]).raw) {
			t->high = high;
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
	t->high = high;
	return is_found;
}

/* Descend to the table that the pointer leads into. False: there is none, or it means more. */
static bool part_find_table(
        struct state_transfer *t, const struct state_pointer *pointer, struct part *part)
{
	for (unsigned depth = 0; depth < STATE_DEPTH; depth++) {
		enum state_btf_kind kind[_STATE_AGE_N];

		for (unsigned age = 0; age < _STATE_AGE_N; age++) {
			part->type[age] = state_type_strip(&t->desc[age], part->type[age]);
			kind[age] = state_type_kind(&t->desc[age], part->type[age]);
		}
		if (kind[STATE_OLD] != kind[STATE_NEW] ||
		        (part->off == 0 && pointer->target == STATE_TARGET_OBJECT &&
		                state_pointer_fits(t, pointer, part->type))) {
			return false;
		}
		if (kind[STATE_OLD] == STATE_BTF_ARRAY) {
			return true;
		}
		if (kind[STATE_OLD] != STATE_BTF_STRUCT ||
		        (part->off == 0 && pointer->target == STATE_TARGET_ANY) ||
		        !part_enter(t, part)) {
			return false;
		}
	}
	return false;
}

/* False: no table that both releases have in a constant of the old one, or one read by index. */
static bool table_get(struct state_transfer *t, const struct state_pointer *pointer,
        const struct state_item *item, struct part *part, struct table *ret)
{
	const struct state_entry *old = &t->desc[STATE_OLD].entries[item->entry[STATE_OLD]];

	*ret = (struct table){.t = t};
	if (old->kind != STATE_VARIABLE || (old->flags & STATE_ENTRY_READONLY) == 0 ||
	        state_notes_of_entry(&t->desc[STATE_NEW], item->entry[STATE_NEW]).raw) {
		return false;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		part->type[age] = t->desc[age].entries[item->entry[age]].type;
	}
	if (!part_find_table(t, pointer, part)) {
		return false;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &t->desc[age];
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

static bool table_is_text(const struct table *c)
{
	return c->size[STATE_OLD] == 1 && c->size[STATE_NEW] == 1 &&
	       state_type_is_number(&c->t->desc[STATE_OLD], c->row[STATE_OLD]) &&
	       state_type_is_number(&c->t->desc[STATE_NEW], c->row[STATE_NEW]);
}

/* Are places known by their offset? One behind the last row is always, of the table itself. */
static bool table_is_by_index(struct table *c, uint64_t off)
{
	if (off / c->size[STATE_OLD] >= c->n[STATE_OLD]) {
		return true;
	}
	if (table_is_text(c)) {
		return text_is_kept(c, off);
	}
	c->has_no_room = !table_know(c) || c->has_no_room;
	return !c->has_no_room && c->known->is_kept;
}

enum state_code state_constant_map(struct state_transfer *t, const struct state_pointer *pointer,
        struct state_item *item, uint64_t off, const uint8_t *at, bool *ret_done, uint64_t *ret)
{
	struct part part = {.off = off};
	struct table c;
	uint32_t i;
	uint32_t k = STATE_NONE;
	enum state_code code;

	*ret_done = false;
	if (item->is_kept || !table_get(t, pointer, item, &part, &c)) {
		return STATE_OK;
	}
	if (table_is_by_index(&c, part.off)) {
		/* Of a constant that is one table: there is nothing to ask again. */
		item->is_kept = part.off == off && !table_is_text(&c) &&
		                c.n[STATE_OLD] * c.size[STATE_OLD] == item->size &&
		                part.off / c.size[STATE_OLD] < c.n[STATE_OLD];
		return STATE_OK;
	}
	*ret_done = true;
	i = (uint32_t)(part.off / c.size[STATE_OLD]);
	off = part.off % c.size[STATE_OLD];
	if (!table_is_text(&c) && !c.has_no_room) {
		k = row_meant(&c, pointer, i, off);
	}
	if (c.has_no_room) {
		return STATE_E_SCRATCH;
	}
	if (k == STATE_NONE) {
		return state_fail_row(t, STATE_E_AMBIGUOUS, item->entry[STATE_OLD], i, at);
	}
	code = state_offset_map(t, pointer, c.row, 1, off, ret);
	if (code == STATE_OK) {
		*ret += part.start[STATE_NEW] + k * c.size[STATE_NEW];
	}
	return code;
}
