/* Between the files of this room: offsets in values, rows of constant tables. */
#pragma once

#include "osd/lib/state/pointer/bits.h"
#include "osd/lib/state/pointer/pointer.h"

/* offset.c: does a value of these types satisfy the pointer, before and after? */
bool state_pointer_fits(
        const struct state_sides *s, const struct state_pointer *pointer, const uint32_t type[2]);
/* The new byte offset of an old one inside `count` values side by side. */
enum state_code state_offset_map(struct state_mapper *map, const struct state_pointer *pointer,
        const uint32_t type[2], uint64_t count, uint64_t off, uint64_t *ret);

/* constant.c: of a constant table that is not as it was: *ret is where `off` bytes into its old
 * rows lead now, from the new table's start, or refuses. *ret_done is false of anything else. */
enum state_code state_constant_map(struct state_mapper *map, const struct state_pointer *pointer,
        struct state_item *item, uint64_t off, const uint8_t *at, bool *ret_done, uint64_t *ret);

/* A constant table of both releases. */
struct state_table {
	struct state_mapper *map;
	struct state_rows *known;
	uint32_t row[_STATE_AGE_N]; /* type */
	uint32_t n[_STATE_AGE_N];
	uint64_t size[_STATE_AGE_N]; /* of a row */
	const uint8_t *at[_STATE_AGE_N];
	unsigned n_leads; /* rows that led here */
	bool is_partial;  /* something was not compared, or may mean several things */
	bool has_no_room;
};

/* A place in a constant, and the types of what it is in: first the constant, then a part of it. */
struct state_part_at {
	uint32_t type[_STATE_AGE_N];
	uint64_t start[_STATE_AGE_N]; /* from the constant's */
	uint64_t off;                 /* from the old part's */
};

/* table.c. False: no table that both releases have in a constant of the old one, or one read by
 * index. */
bool state_table_get(struct state_mapper *map, const struct state_pointer *pointer,
        const struct state_item *item, struct state_part_at *part, struct state_table *ret);
/* Bytes on both sides? */
bool state_table_is_text(const struct state_table *c);

/* equal.c: do old row i and new row k say the same? */
bool state_rows_equal(struct state_table *c, uint32_t i, uint32_t k);
