/*
 * Which row of a constant table an old pointer means now. The table is the new release's, and its
 * rows have no names: what a row says is what it is. So a row is looked for by its content, member
 * by member as the types of both releases pair, and pointers in it by what they lead to (equal.c).
 *
 * - A table whose rows are all as they were, perhaps with more behind them, is read by index.
 * - Else a row is the new one with the same content. Equal rows keep their order, if there are as
 *   many of them as before; if some member was not compared, as one of the releases lacks it, there
 *   must be one only.
 * - The start of a table may mean its first row or all of it: both must be right.
 * - Bytes are text: its start is the text, whatever it says, and a place inside what stands before.
 *
 * What is not clear then is refused by name and row; STATE_RAW on the table, or on the member that
 * it is, says that a row is known by its index. A guess would be worse than a refusal: a pointer
 * into the wrong row of a table of commands is a jump into another one.
 *
 * Rows are compared once for each table, however many pointers there are, and only if some pointer
 * leads into it; the answers are kept in scratch memory.
 */
#include <string.h>

#include "osd/lib/state/pointer/priv.h"

/* What was found out about a table: its rows are compared once, however many pointers there are. */
struct state_rows {
	struct state_rows *next;
	uint64_t start; /* of the old table */
	uint32_t type;  /* of an old row */
	bool is_kept;   /* all rows are where they were */
	uint32_t
	        *found; /* of each old row: 0 not looked for, else the new row + 1, or STATE_NONE */
};

/* Are all rows where they were? */
static bool constant_is_kept(struct state_table *c)
{
	bool is_kept = c->n[STATE_OLD] <= c->n[STATE_NEW];

	for (uint32_t i = 0; is_kept && i < c->n[STATE_OLD]; i++) {
		is_kept = state_rows_equal(c, i, i);
	}
	return is_kept && !c->is_partial;
}

/*
 * The new row that old row i is, or STATE_NONE. Counts the new rows that say the same, and the old
 * ones that say the same as the first of those; with as many on both sides the i-th is the i-th.
 */
static uint32_t constant_row_search(struct state_table *c, uint32_t i)
{
	uint32_t first = STATE_NONE;
	uint32_t n_new = 0;
	uint32_t n_old = 0;
	uint32_t rank = 0;

	for (uint32_t k = 0; k < c->n[STATE_NEW]; k++) {
		if (state_rows_equal(c, i, k)) {
			first = first == STATE_NONE ? k : first;
			n_new++;
		}
	}
	for (uint32_t k = 0; first != STATE_NONE && k < c->n[STATE_OLD]; k++) {
		if (state_rows_equal(c, k, first)) {
			rank += k < i;
			n_old++;
		}
	}
	if (n_old != n_new || (c->is_partial && n_new > 1)) {
		return STATE_NONE;
	}
	while (first != STATE_NONE && rank > 0) {
		rank -= state_rows_equal(c, i, ++first);
	}
	return first;
}

/* What is known of the table; false: no room to remember it. */
static bool constant_know(struct state_table *c)
{
	struct state_mapper *map = c->map;
	uint64_t start = (uint64_t)(uintptr_t)c->at[STATE_OLD];
	struct state_rows *rows = map->rows;

	while (rows != NULL && (rows->start != start || rows->type != c->row[STATE_OLD])) {
		rows = rows->next;
	}
	c->known = rows;
	if (rows != NULL) {
		return true;
	}
	rows = state_keep(map->report, sizeof(*rows));
	if (rows == NULL) {
		return false;
	}
	rows->start = start;
	rows->type = c->row[STATE_OLD];
	rows->is_kept = constant_is_kept(c);
	if (!rows->is_kept) {
		rows->found =
		        state_keep(map->report, (uint64_t)c->n[STATE_OLD] * sizeof(*rows->found));
	}
	if (c->has_no_room || (!rows->is_kept && rows->found == NULL)) {
		return false;
	}
	rows->next = map->rows;
	map->rows = rows;
	c->known = rows;
	return true;
}

static uint32_t constant_row_find(struct state_table *c, uint32_t i)
{
	uint32_t *found = &c->known->found[i];

	if (*found == 0) {
		uint32_t k = constant_row_search(c, i);

		*found = k != STATE_NONE ? k + 1 : STATE_NONE;
	}
	return *found != STATE_NONE ? *found - 1 : STATE_NONE;
}

/* Does a pointer of this kind to the start of a row mean the row, and not perhaps the end of an
 * array in the row before it? */
static bool constant_row_is_meant(const struct state_table *c, const struct state_pointer *pointer)
{
	return pointer->target == STATE_TARGET_ANY ||
	       state_pointer_fits(c->map->sides, pointer, c->row);
}

/* The new row for a pointer `off` bytes into old row i of a table that has changed. */
static uint32_t constant_row_meant(
        struct state_table *c, const struct state_pointer *pointer, uint32_t i, uint64_t off)
{
	uint32_t k = constant_row_find(c, i);

	if (k == STATE_NONE || (i == 0 && off == 0 && k != 0) ||
	        (i > 0 && off == 0 && k != i && !constant_row_is_meant(c, pointer))) {
		return STATE_NONE;
	}
	/* So many rows from there on: all that follow must follow still. */
	for (uint32_t more = i + 1; pointer->has_length && more < c->n[STATE_OLD]; more++) {
		if (constant_row_find(c, more) != k + (more - i)) {
			return STATE_NONE;
		}
	}
	return k;
}

/* Is the text the same before the offset? */
static bool constant_text_is_kept(const struct state_table *c, uint64_t off)
{
	return off <= c->n[STATE_NEW] && memcmp(c->at[STATE_OLD], c->at[STATE_NEW], off) == 0;
}

/* Are places known by their offset? One behind the last row is always, of the table itself. */
static bool constant_is_by_index(struct state_table *c, uint64_t off)
{
	if (off / c->size[STATE_OLD] >= c->n[STATE_OLD]) {
		return true;
	}
	if (state_table_is_text(c)) {
		return constant_text_is_kept(c, off);
	}
	c->has_no_room = !constant_know(c) || c->has_no_room;
	return !c->has_no_room && c->known->is_kept;
}

enum state_code state_constant_map(struct state_mapper *map, const struct state_pointer *pointer,
        struct state_item *item, uint64_t off, const uint8_t *at, bool *ret_done, uint64_t *ret)
{
	struct state_part_at part = {.off = off};
	struct state_table c;
	uint32_t i;
	uint32_t k = STATE_NONE;
	enum state_code code;

	*ret_done = false;
	if (item->is_kept || !state_table_get(map, pointer, item, &part, &c)) {
		return STATE_OK;
	}
	if (constant_is_by_index(&c, part.off)) {
		/* Of a constant that is one table: there is nothing to ask again. */
		item->is_kept = part.off == off && !state_table_is_text(&c) &&
		                c.n[STATE_OLD] * c.size[STATE_OLD] == item->size &&
		                part.off / c.size[STATE_OLD] < c.n[STATE_OLD];
		return STATE_OK;
	}
	*ret_done = true;
	i = (uint32_t)(part.off / c.size[STATE_OLD]);
	off = part.off % c.size[STATE_OLD];
	if (!state_table_is_text(&c) && !c.has_no_room) {
		k = constant_row_meant(&c, pointer, i, off);
	}
	if (c.has_no_room) {
		return STATE_E_SCRATCH;
	}
	if (k == STATE_NONE) {
		return state_fail_row(
		        map->report, STATE_E_AMBIGUOUS, item->entry[STATE_OLD], i, at);
	}
	code = state_offset_map(map, pointer, c.row, 1, off, ret);
	if (code == STATE_OK) {
		*ret += part.start[STATE_NEW] + k * c.size[STATE_NEW];
	}
	return code;
}
