/*
 * Operations of the plan in the making. They are pushed on the stack of scratch memory, which
 * grows downwards: the newest lies lowest, at `high`, the first just below ops_top. Nothing else
 * may stay on the stack between two of them, hence sizeof(struct state_op) is a multiple of 16.
 * When the plan is done they move to the low end in their order, and it is found out what they are
 * together:
 *
 *	is_flat       one copy of all bytes: objects and arrays are copied whole
 *	is_bits       old bytes can stand as new bytes: members of a union without a tag must be
 *	has_handler   a part may live elsewhere later: pointers into such values wait
 */
#include "proto/state/plan/plan.h"

/* One operation, of count 1, at offset 0. NULL: no room, which is reported. */
struct state_op *state_op_push(struct state_report *r, enum state_op_code code)
{
	struct state_op *op = state_stack(r, sizeof(*op));

	if (op != NULL) {
		op->code = (uint8_t)code;
		op->count = 1;
	}
	return op;
}

enum state_code state_op_copy(struct state_report *r, uint64_t size)
{
	struct state_op *op;

	if (size == 0) {
		return STATE_OK;
	}
	op = state_op_push(r, STATE_OP_COPY);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->size = (uint32_t)size;
	return STATE_OK;
}

/*
 * The operations of a member's plan, at offset 0: the caller moves them to the member's place. A
 * longer plan is called, as a repetition of one.
 */
enum state_code state_plan_append(struct state_report *r, const struct state_plan *plan)
{
	struct state_op *op;

	if (plan->n_ops > STATE_INLINE_OPS) {
		op = state_op_push(r, STATE_OP_REPEAT);
		if (op == NULL) {
			return STATE_E_SCRATCH;
		}
		op->sub = plan;
		return STATE_OK;
	}
	for (uint32_t i = 0; i < plan->n_ops; i++) {
		op = state_op_push(r, STATE_OP_COPY);
		if (op == NULL) {
			return STATE_E_SCRATCH;
		}
		*op = plan->ops[i];
	}
	return STATE_OK;
}

/* Is one copy of all bytes the same? Bytes behind the copy must be padding on both sides. */
static bool plan_is_flat(const struct state_plan *plan)
{
	const struct state_op *op = plan->ops;

	return plan->n_ops == 1 && op->code == STATE_OP_COPY && op->old_off == 0 &&
	       op->new_off == 0 && op->size == plan->size[STATE_OLD] &&
	       op->size == plan->size[STATE_NEW];
}

static bool op_bits_same(const struct state_bits *x, const struct state_bits *y)
{
	return x->bit_off == y->bit_off && x->n_bits == y->n_bits && x->width == y->width &&
	       x->is_signed == y->is_signed;
}

/* Do the old bytes of one operation mean the same where they lie? */
static bool op_is_bits(const struct state_op *op)
{
	const struct state_bits_move *move = op->sub;
	const struct state_plan *plan = op->sub;

	switch ((enum state_op_code)op->code) {
	case STATE_OP_COPY:
		return true;
	case STATE_OP_BOOL:
		return op->count == 1 || op->old_stride == op->new_stride;
	case STATE_OP_BITS:
		return move->map == NULL &&
		       op_bits_same(&move->bits[STATE_OLD], &move->bits[STATE_NEW]);
	case STATE_OP_REPEAT:
		return plan->is_bits && (op->count == 1 || op->old_stride == op->new_stride);
	case STATE_OP_POINTER:
	case STATE_OP_INT:
	case STATE_OP_ENUM:
	case STATE_OP_FLOAT:
	case STATE_OP_ZERO:
	case STATE_OP_UNION:
	case STATE_OP_HANDLER:
	case _STATE_OP_N:
		break;
	}
	return false;
}

static bool plan_is_bits(const struct state_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_ops; i++) {
		const struct state_op *op = &plan->ops[i];

		if (op->old_off != op->new_off || !op_is_bits(op)) {
			return false;
		}
	}
	return plan->n_ops > 0;
}

static bool op_has_handler(const struct state_op *op)
{
	const struct state_plan *plan = op->sub;
	const struct state_union *u = op->sub;

	if (op->code == STATE_OP_REPEAT) {
		return plan->has_handler;
	}
	for (uint32_t i = 0; op->code == STATE_OP_UNION && i < u->n_cases; i++) {
		if (u->cases[i].plan != NULL && u->cases[i].plan->has_handler) {
			return true;
		}
	}
	return op->code == STATE_OP_HANDLER;
}

/* Move the operations from the stack into the plan. */
enum state_code state_plan_close(struct state_maker *m, struct state_plan *plan)
{
	struct state_op *top = (struct state_op *)(m->report->scratch.base + m->ops_top);
	uint64_t n = (m->ops_top - m->report->scratch.high) / sizeof(*top);

	plan->ops = state_keep(m->report, n * sizeof(*top));
	if (plan->ops == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint64_t i = 0; i < n; i++) {
		plan->ops[i] = *(top - 1 - i);
		plan->has_handler |= op_has_handler(&plan->ops[i]);
	}
	plan->n_ops = (uint32_t)n;
	plan->is_flat = plan_is_flat(plan);
	plan->is_bits = plan_is_bits(plan);
	return STATE_OK;
}
