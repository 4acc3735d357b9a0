/*
 * Plans of integers, booleans, enums and bitfields. A number that kept its width and sign is a
 * copy, and neighbouring copies become one; every other number becomes an operation that checks
 * each value when it runs.
 *
 * Enumerators follow their names. If all old ones have kept their values, an enum is a number;
 * else the plan has a table from old to new values, and what has no new enumerator is a risk: in
 * use, there is no value for it, whoever consents.
 */
#include <string.h>

#include "proto/state/plan/plan.h"

/* An enum of one bit is still an enum: its values have names. */
static bool number_is_bool(const struct state_desc *desc, uint32_t id)
{
	return !state_type_is_enum(desc, id) &&
	       (state_type_encoding(desc, id) & STATE_BTF_BOOL) != 0;
}

/* The value that an enumerator has in an enum of desc; false: there is none of that name. */
static bool number_enumerator_find(
        const struct state_desc *desc, uint32_t id, const char *name, int64_t *ret_value)
{
	for (uint32_t i = 0; i < state_type_count(desc, id); i++) {
		int64_t value;

		if (strcmp(state_type_enumerator(desc, id, i, &value), name) == 0) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* Has every old enumerator kept its value? */
static bool number_enum_is_kept(const struct state_sides *s, uint32_t old, uint32_t new)
{
	const struct state_desc *desc = &s->desc[STATE_OLD];

	for (uint32_t i = 0; i < state_type_count(desc, old); i++) {
		int64_t value;
		int64_t now;
		const char *name = state_type_enumerator(desc, old, i, &value);

		if (!number_enumerator_find(&s->desc[STATE_NEW], new, name, &now) || now != value) {
			return false;
		}
	}
	return true;
}

/* Width in bytes, sign and bits in use of the number on one side. */
static void number_fill(
        const struct state_sides *s, struct state_op *op, enum state_age age, uint32_t id)
{
	uint64_t size = state_type_size(&s->desc[age], id);

	op->number[age].width = (uint8_t)size;
	op->number[age].is_signed =
	        (state_type_encoding(&s->desc[age], id) & STATE_BTF_SIGNED) != 0;
	op->number[age].n_bits = (uint8_t)(number_is_bool(&s->desc[age], id) ? 1 : size * 8);
}

/* One number, with strides for the case that an array makes many of it. NULL: out of scratch. */
static struct state_op *number_push(
        struct state_report *r, enum state_op_code code, uint32_t old, uint32_t new)
{
	struct state_op *op = state_op_push(r, code);

	if (op == NULL) {
		return NULL;
	}
	number_fill(r->sides, op, STATE_OLD, old);
	number_fill(r->sides, op, STATE_NEW, new);
	op->old_stride = op->number[STATE_OLD].width;
	op->new_stride = op->number[STATE_NEW].width;
	return op;
}

/*
 * One more enumerator of the map, by its name on both sides. Two names of one old value may differ
 * now: then that value means several things (parts).
 */
static void number_map_add(struct state_enum *map, int64_t old, int64_t new)
{
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->row[i].value[STATE_OLD] == old) {
			map->row[i].parts |= map->row[i].value[STATE_NEW] != new;
			return;
		}
	}
	map->row[map->n].value[STATE_OLD] = old;
	map->row[map->n++].value[STATE_NEW] = new;
}

/*
 * Values follow the names of their enumerators. *ret is NULL if these are two enums and all values
 * stay, or if one of the two is none. An old enumerator without a new one is reported as a risk and
 * has no row: a value that is in use then ends the transfer.
 */
static enum state_code number_map(
        struct state_report *r, uint32_t old, uint32_t new, const struct state_enum **ret)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];
	struct state_enum *map;

	old = state_type_strip(desc, old);
	new = state_type_strip(&r->sides->desc[STATE_NEW], new);
	*ret = NULL;
	if (!state_type_is_enum(desc, old) ||
	        !state_type_is_enum(&r->sides->desc[STATE_NEW], new) ||
	        number_enum_is_kept(r->sides, old, new)) {
		return STATE_OK;
	}
	map = state_keep(r, sizeof(*map) + state_type_count(desc, old) * sizeof(map->row[0]));
	if (map == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t i = 0; i < state_type_count(desc, old); i++) {
		int64_t value;
		int64_t now;
		const char *name = state_type_enumerator(desc, old, i, &value);

		if (number_enumerator_find(&r->sides->desc[STATE_NEW], new, name, &now)) {
			number_map_add(map, value, now);
		} else {
			state_risk(r, STATE_THING_ENUMERATOR, old, name, 0);
		}
	}
	*ret = map;
	return STATE_OK;
}

/* Same width, and the same sign unless it is one of text; a bool is checked. */
static bool number_is_copy(const struct state_op *op, bool is_text)
{
	return op->number[STATE_OLD].width == op->number[STATE_NEW].width &&
	       op->number[STATE_NEW].n_bits != 1 &&
	       (op->number[STATE_OLD].is_signed == op->number[STATE_NEW].is_signed || is_text);
}

/* Integers of 16 bytes may be copied, but not change their width. */
enum state_code state_plan_number(struct state_report *r, uint32_t old, uint32_t new)
{
	const struct state_desc *a = &r->sides->desc[STATE_OLD];
	const struct state_desc *b = &r->sides->desc[STATE_NEW];
	const struct state_enum *map;
	enum state_code code = number_map(r, old, new, &map);
	struct state_op *op;

	if (code != STATE_OK) {
		return code;
	}
	op = number_push(r, map != NULL ? STATE_OP_ENUM : STATE_OP_INT, old, new);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->sub = map;
	if (map != NULL) {
		return STATE_OK;
	}
	if (number_is_bool(a, old) && number_is_bool(b, new)) {
		op->code = STATE_OP_BOOL;
	} else if (number_is_copy(op, (state_type_is_char(a, old) || state_type_is_char(b, new)) &&
	                                      op->number[STATE_NEW].width == 1)) {
		op->code = STATE_OP_COPY;
		op->size = op->number[STATE_OLD].width;
	} else if (op->number[STATE_OLD].width > 8 || op->number[STATE_NEW].width > 8) {
		return state_fail(
		        r, STATE_E_TYPE, "integer changed its width to or from bytes", 16);
	}
	return STATE_OK;
}

/* At least one of the two is a bitfield; offsets are from the byte that it begins in. */
enum state_code state_plan_bits(
        struct state_report *r, const struct state_field *old, const struct state_field *new)
{
	const struct state_desc *a = &r->sides->desc[STATE_OLD];
	const struct state_desc *b = &r->sides->desc[STATE_NEW];
	struct state_bits_move *move;
	struct state_op *op;
	enum state_code code;

	if (!state_type_is_number(a, old->type) || !state_type_is_number(b, new->type) ||
	        state_type_size(a, old->type) > 8 || state_type_size(b, new->type) > 8) {
		return state_fail(r, STATE_E_TYPE, "bitfield changed its kind", 0);
	}
	move = state_keep(r, sizeof(*move));
	op = state_op_push(r, STATE_OP_BITS);
	if (move == NULL || op == NULL) {
		return STATE_E_SCRATCH;
	}
	code = number_map(r, old->type, new->type, &move->map);
	if (code != STATE_OK) {
		return code;
	}
	move->bits[STATE_OLD] = state_bits_of(
	        a, old->type, old->bit_off, old->bit_size, old->bit_off & ~UINT64_C(7));
	move->bits[STATE_NEW] = state_bits_of(
	        b, new->type, new->bit_off, new->bit_size, new->bit_off & ~UINT64_C(7));
	move->n_bits = number_is_bool(b, state_type_strip(b, new->type))
	                       ? 1
	                       : move->bits[STATE_NEW].n_bits;
	op->sub = move;
	return STATE_OK;
}
