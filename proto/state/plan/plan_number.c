/* Plans of integers, booleans, enums and bitfields. */
#include <string.h>

#include "proto/state/plan/transfer.h"

static bool number_is_enum(const struct state_desc *desc, uint32_t id)
{
	return state_type_kind(desc, id) != STATE_BTF_INT;
}

static bool number_is_bool(const struct state_desc *desc, uint32_t id)
{
	return !number_is_enum(desc, id) && (state_type_encoding(desc, id) & STATE_BTF_BOOL) != 0;
}

static bool enumerator_find(
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
static bool enum_is_kept(const struct state_transfer *t, uint32_t old, uint32_t new)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];

	for (uint32_t i = 0; i < state_type_count(desc, old); i++) {
		int64_t value;
		int64_t now;
		const char *name = state_type_enumerator(desc, old, i, &value);

		if (!enumerator_find(&t->desc[STATE_NEW], new, name, &now) || now != value) {
			return false;
		}
	}
	return true;
}

static void number_fill(
        const struct state_transfer *t, struct state_op *op, enum state_age age, uint32_t id)
{
	uint64_t size = state_type_size(&t->desc[age], id);

	op->number[age].width = (uint8_t)size;
	op->number[age].is_signed =
	        (state_type_encoding(&t->desc[age], id) & STATE_BTF_SIGNED) != 0;
	op->number[age].n_bits = (uint8_t)(number_is_bool(&t->desc[age], id) ? 1 : size * 8);
}

static struct state_op *number_push(
        struct state_transfer *t, enum state_op_code code, uint32_t old, uint32_t new)
{
	struct state_op *op = state_op_push(t, code);

	if (op == NULL) {
		return NULL;
	}
	number_fill(t, op, STATE_OLD, old);
	number_fill(t, op, STATE_NEW, new);
	op->old_stride = op->number[STATE_OLD].width;
	op->new_stride = op->number[STATE_NEW].width;
	return op;
}

/* Values follow the names of their enumerators. */
static enum state_code plan_enum(struct state_transfer *t, uint32_t old, uint32_t new)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];
	uint32_t n = state_type_count(desc, old);
	struct state_op *op = number_push(t, STATE_OP_ENUM, old, new);
	struct state_enum *map = state_keep(t, sizeof(*map) + n * sizeof(map->row[0]));

	if (op == NULL || map == NULL) {
		return STATE_E_SCRATCH;
	}
	map->type[STATE_OLD] = old;
	map->type[STATE_NEW] = new;
	for (uint32_t i = 0; i < n; i++) {
		int64_t *row = map->row[map->n].value;
		const char *name = state_type_enumerator(desc, old, i, &row[STATE_OLD]);

		if (enumerator_find(&t->desc[STATE_NEW], new, name, &row[STATE_NEW])) {
			map->n++;
		}
	}
	op->sub = map;
	return STATE_OK;
}

/* Same width: a sign alone is not looked at for bytes, which programs use either way. */
static bool number_is_copy(const struct state_op *op)
{
	return op->number[STATE_OLD].width == op->number[STATE_NEW].width &&
	       op->number[STATE_NEW].n_bits != 1 &&
	       (op->number[STATE_OLD].is_signed == op->number[STATE_NEW].is_signed ||
	               op->number[STATE_OLD].width == 1);
}

enum state_code state_plan_number(struct state_transfer *t, uint32_t old, uint32_t new)
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
	struct state_op *op;

	if (number_is_enum(a, old) && number_is_enum(b, new) && !enum_is_kept(t, old, new)) {
		return plan_enum(t, old, new);
	}
	op = number_push(t, STATE_OP_INT, old, new);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	if (number_is_bool(a, old) && number_is_bool(b, new)) {
		op->code = STATE_OP_BOOL;
	} else if (number_is_copy(op)) {
		op->code = STATE_OP_COPY;
		op->size = op->number[STATE_OLD].width;
	} else if (op->number[STATE_OLD].width > 8 || op->number[STATE_NEW].width > 8) {
		return state_fail(
		        t, STATE_E_TYPE, "integer changed its width to or from bytes", 16);
	}
	return STATE_OK;
}

/* At least one of the two is a bitfield. */
enum state_code state_plan_bits(
        struct state_transfer *t, const struct state_field *old, const struct state_field *new)
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
	struct state_bits *bits;
	struct state_op *op;

	if (!state_type_is_number(a, old->type) || !state_type_is_number(b, new->type) ||
	        state_type_size(a, old->type) > 8 || state_type_size(b, new->type) > 8) {
		return state_fail(t, STATE_E_TYPE, "bitfield changed its kind", 0);
	}
	bits = state_keep(t, _STATE_AGE_N * sizeof(*bits));
	op = state_op_push(t, STATE_OP_BITS);
	if (bits == NULL || op == NULL) {
		return STATE_E_SCRATCH;
	}
	bits[STATE_OLD] = state_bits_of(
	        a, old->type, old->bit_off, old->bit_size, old->bit_off & ~UINT64_C(7));
	bits[STATE_NEW] = state_bits_of(
	        b, new->type, new->bit_off, new->bit_size, new->bit_off & ~UINT64_C(7));
	op->sub = bits;
	return STATE_OK;
}
