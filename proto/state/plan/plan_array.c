/*
 * Plans of arrays: as many elements as both releases have. New ones behind them keep their initial
 * values; old ones without a place must be zeros, which only the transfer sees, so the host is
 * told of a risk. Text must end where it has room: its last character that fits must be zero too.
 */
#include <string.h>

#include "proto/state/plan/plan.h"

/* What is behind `n` elements, bytes [from, to), has no new place. */
static enum state_code array_tail(struct state_report *r, uint64_t n, uint64_t from, uint64_t to)
{
	struct state_op *op;

	if (from >= to) {
		return STATE_OK;
	}
	state_risk(r, STATE_THING_ELEMENTS, 0, "", n);
	op = state_op_push(r, STATE_OP_ZERO);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->old_off = (uint32_t)from;
	op->size = (uint32_t)(to - from);
	return STATE_OK;
}

/* One operation on one number or pointer can do all elements by itself. */
static bool array_op_is_vector(const struct state_plan *plan)
{
	enum state_op_code code = (enum state_op_code)plan->ops[0].code;

	return plan->n_ops == 1 && plan->ops[0].count == 1 && plan->ops[0].old_off == 0 &&
	       plan->ops[0].new_off == 0 &&
	       (code == STATE_OP_POINTER || code == STATE_OP_INT || code == STATE_OP_BOOL ||
	               code == STATE_OP_ENUM || code == STATE_OP_FLOAT);
}

/* n values side by side: one copy, one operation with strides, or a repeated plan. */
static enum state_code array_elements(
        struct state_report *r, const struct state_plan *plan, uint64_t n)
{
	struct state_op *op;

	if (plan->is_flat) {
		return state_op_copy(r, n * plan->size[STATE_OLD]);
	}
	if (plan->n_ops == 0 || n == 0) {
		return STATE_OK;
	}
	op = state_op_push(r, STATE_OP_REPEAT);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	if (array_op_is_vector(plan)) {
		*op = plan->ops[0];
	} else {
		op->sub = plan;
	}
	op->count = (uint32_t)n;
	op->old_stride = (uint32_t)plan->size[STATE_OLD];
	op->new_stride = (uint32_t)plan->size[STATE_NEW];
	return STATE_OK;
}

/*
 * Both types are arrays, stripped of aliases. Elements are planned once, whatever their number.
 * STATE_E_TYPE: elements of the one cannot become elements of the other; the plan of the element
 * has said why.
 */
enum state_code state_plan_array(struct state_maker *m, uint32_t old_type, uint32_t new_type)
{
	const struct state_btf_array *old = state_type_array(&m->sides->desc[STATE_OLD], old_type);
	const struct state_btf_array *new = state_type_array(&m->sides->desc[STATE_NEW], new_type);
	uint64_t n = old->nelems < new->nelems ? old->nelems : new->nelems;
	const struct state_plan *plan = state_plan_get(m, old->type, new->type);
	enum state_code code;

	if (plan == NULL) {
		return STATE_E_TYPE;
	}
	code = array_elements(m->report, plan, n);
	/* The byte for the end of a text is not room for a character: it joins what must be zero. */
	n -= n > 0 && n < old->nelems && state_type_is_char(&m->sides->desc[STATE_OLD], old->type);
	return code != STATE_OK ? code
	                        : array_tail(m->report, n, n * plan->size[STATE_OLD],
	                                  old->nelems * plan->size[STATE_OLD]);
}
