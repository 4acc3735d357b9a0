/*
 * Plans: made once per pair of types, remembered, and flat, so that the blackout need not look at
 * types at all. A plan is a row of operations (plan.h) with offsets from the value's start; short
 * plans of members are copied into the plan around them, longer ones called.
 *
 *	state_plan_get(old, new)     known? else plan_make()
 *	  plan_compile               annotations first (plan_note.c)
 *	    plan_by_kind             numbers, records, unions, arrays, pointers, floats
 *	      plan_*.c               push operations, and ask for plans of their parts
 *	  state_plan_close           off the stack, into the plan
 *
 * A plan that is asked for while it is in the making would contain itself: types cannot, but a
 * hostile description might say so, and it is refused like one that is nested too deeply. A plan
 * that could not be made stays as a remembered failure, so that each error costs once.
 *
 * Defaults of handlers are plans too: what the engine does if the handler asks for it. They are
 * made last and quietly, since a type that only its handler can map is no error.
 */
#include "proto/state/plan/plan.h"

static enum state_code plan_float(struct state_report *r, uint64_t old_size, uint64_t new_size)
{
	struct state_op *op;

	if (old_size == new_size) {
		return state_op_copy(r, old_size);
	}
	if (old_size != sizeof(float) || new_size != sizeof(double)) {
		return state_fail(r, STATE_E_TYPE, "floating point type changed to size", new_size);
	}
	op = state_op_push(r, STATE_OP_FLOAT);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->old_stride = sizeof(float);
	op->new_stride = sizeof(double);
	return STATE_OK;
}

/* The kind must stay, but numbers become other numbers. Types come without aliases here. */
static enum state_code plan_by_kind(struct state_maker *m, uint32_t old, uint32_t new)
{
	const struct state_desc *a = &m->sides->desc[STATE_OLD];
	const struct state_desc *b = &m->sides->desc[STATE_NEW];
	enum state_btf_kind kind = state_type_kind(a, old);

	if (state_type_is_number(a, old) && state_type_is_number(b, new)) {
		return state_plan_number(m->report, old, new);
	}
	if (kind != state_type_kind(b, new)) {
		return state_fail(m->report, STATE_E_TYPE, "type changed its kind", 0);
	}
	if (kind == STATE_BTF_STRUCT) {
		return state_plan_record(m, old, new);
	}
	if (kind == STATE_BTF_UNION) {
		struct state_field x = {.type = old, .owner = STATE_NONE};
		struct state_field y = {.type = new, .owner = STATE_NONE};

		return state_plan_union(m, NULL, NULL, &x, &y);
	}
	if (kind == STATE_BTF_ARRAY) {
		return state_plan_array(m, old, new);
	}
	if (kind == STATE_BTF_PTR) {
		return state_plan_pointer(m->report, old, new, NULL);
	}
	return plan_float(m->report, state_type_size(a, old), state_type_size(b, new));
}

/*
 * Notes of the type itself: both releases may skip it, and the new one alone may, which drops what
 * the old one had.
 */
static enum state_code plan_compile(struct state_maker *m, const uint32_t type[2])
{
	struct state_notes old = state_notes_of_type(&m->sides->desc[STATE_OLD], type[STATE_OLD]);
	struct state_notes new = state_notes_of_type(&m->sides->desc[STATE_NEW], type[STATE_NEW]);
	bool done;
	enum state_code code;

	if (new.skip && !old.skip) {
		state_drop_type(m->report, type[STATE_OLD]);
	}
	code = state_plan_noted(m, type, &old, &new, &done);
	if (code != STATE_OK || done) {
		return code;
	}
	return plan_by_kind(m, state_type_strip(&m->sides->desc[STATE_OLD], type[STATE_OLD]),
	        state_type_strip(&m->sides->desc[STATE_NEW], type[STATE_NEW]));
}

static struct state_plan **plan_bucket(struct state_maker *m, const uint32_t type[2])
{
	uint32_t hash = type[STATE_OLD] * 2654435761u ^ type[STATE_NEW] * 40503u;

	return &m->plans[(hash >> 8) % STATE_PLAN_BUCKETS];
}

static struct state_plan *plan_new(struct state_report *r, const uint32_t type[2])
{
	struct state_plan *plan = state_keep(r, sizeof(*plan));

	if (plan == NULL) {
		return NULL;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		plan->type[age] = type[age];
		plan->size[age] = state_type_size(&r->sides->desc[age], type[age]);
	}
	return plan;
}

/*
 * Make and enter a plan. It is entered before it is compiled: is_done is false meanwhile. What was
 * stacked is popped whether it worked or not; losses met are the plan's, and those of the plan
 * around it are put back.
 */
static struct state_plan *plan_make(struct state_maker *m, const uint32_t type[2])
{
	struct state_plan **bucket = plan_bucket(m, type);
	struct state_plan *plan = plan_new(m->report, type);
	uint64_t high = m->report->scratch.high;
	uint64_t ops_top = m->ops_top;
	const struct state_losses *around = m->report->losses;

	if (plan == NULL) {
		return NULL;
	}
	m->report->losses = NULL;
	plan->next = *bucket;
	*bucket = plan;
	m->ops_top = m->report->scratch.high;
	m->depth++;
	plan->code = plan_compile(m, type);
	if (plan->code == STATE_OK) {
		plan->code = state_plan_close(m, plan);
	}
	m->depth--;
	m->report->scratch.high = high;
	m->ops_top = ops_top;
	plan->losses = m->report->losses;
	m->report->losses = around;
	plan->is_done = true;
	return plan;
}

static struct state_plan *plan_find(struct state_maker *m, const uint32_t type[2])
{
	struct state_plan *plan = *plan_bucket(m, type);

	while (plan != NULL && (plan->type[STATE_OLD] != type[STATE_OLD] ||
	                               plan->type[STATE_NEW] != type[STATE_NEW])) {
		plan = plan->next;
	}
	return plan;
}

/*
 * By types without aliases that carry no annotation. NULL: there is none, and the reason is
 * reported. What the plan loses is lost wherever it is used.
 */
const struct state_plan *state_plan_get(struct state_maker *m, uint32_t old_type, uint32_t new_type)
{
	uint32_t type[_STATE_AGE_N] = {
	        [STATE_OLD] = state_type_noted(&m->sides->desc[STATE_OLD], old_type),
	        [STATE_NEW] = state_type_noted(&m->sides->desc[STATE_NEW], new_type),
	};
	struct state_plan *plan = plan_find(m, type);

	if (plan == NULL && m->depth < STATE_DEPTH) {
		plan = plan_make(m, type);
	}
	if (plan == NULL || !plan->is_done) {
		(void)state_fail(m->report, STATE_E_TYPE, "types are nested too deeply", 0);
		return NULL;
	}
	if (plan->code != STATE_OK) {
		(void)state_fail(m->report, plan->code, "types do not fit", 0);
		return NULL;
	}
	state_losses_join(m->report, plan->losses);
	return plan;
}

/* Begin a plan that is not remembered; *ret_mark is for plan_finish(). */
static struct state_plan *plan_begin(
        struct state_maker *m, const uint32_t type[2], uint64_t ret_mark[2])
{
	ret_mark[0] = m->report->scratch.high;
	ret_mark[1] = m->ops_top;
	m->ops_top = m->report->scratch.high;
	return plan_new(m->report, type);
}

static const struct state_plan *plan_finish(struct state_maker *m, struct state_plan *plan,
        enum state_code code, const uint64_t mark[2])
{
	if (code == STATE_OK) {
		code = state_plan_close(m, plan);
	}
	m->report->scratch.high = mark[0];
	m->ops_top = mark[1];
	plan->is_done = true;
	return code == STATE_OK ? plan : NULL;
}

/* Unions in unions are not remembered, only the depth ends them; nor may more be live at a time. */
const struct state_plan *state_plan_of_field(
        struct state_maker *m, const struct state_field *old, const struct state_field *new)
{
	uint32_t type[_STATE_AGE_N] = {old->type, new->type};
	uint64_t mark[2];
	struct state_plan *plan = plan_begin(m, type, mark);
	enum state_code code;

	if (plan == NULL) {
		return NULL;
	}
	/*
	 * Unions in unions are not remembered, only this ends them; nor may
	 * more be live at a time.
	 */
	if (m->depth == STATE_DEPTH) {
		code = state_fail(m->report, STATE_E_TYPE, "types are nested too deeply", 0);
	} else {
		m->depth++;
		code = state_plan_field(m, NULL, NULL, old, new);
		m->depth--;
	}
	return plan_finish(m, plan, code, mark);
}

/* The notes of the variable come first, then those of its type. */
const struct state_plan *state_plan_of_notes(struct state_maker *m, uint32_t old_type,
        uint32_t new_type, const struct state_notes *old, const struct state_notes *new)
{
	uint32_t type[_STATE_AGE_N] = {old_type, new_type};
	uint64_t mark[2];
	struct state_plan *plan = plan_begin(m, type, mark);
	enum state_code code;
	bool done;

	if (plan == NULL) {
		return NULL;
	}
	code = state_plan_noted(m, type, old, new, &done);
	if (code == STATE_OK && !done) {
		code = plan_compile(m, type);
	}
	return plan_finish(m, plan, code, mark);
}

/* What the engine does without the handler: the notes are left aside, the type is not. */
static const struct state_plan *plan_default(struct state_maker *m, const uint32_t type[2])
{
	uint64_t mark[2];
	struct state_plan *plan = plan_begin(m, type, mark);

	return plan == NULL ? NULL
	                    : plan_finish(m, plan,
	                              plan_by_kind(m,
	                                      state_type_strip(
	                                              &m->sides->desc[STATE_OLD], type[STATE_OLD]),
	                                      state_type_strip(
	                                              &m->sides->desc[STATE_NEW], type[STATE_NEW])),
	                              mark);
}

void state_plan_defaults(struct state_maker *m)
{
	m->report->quiet = true;
	m->report->is_default = true;
	while (m->handlers != NULL) {
		struct state_handler *handler = m->handlers;

		m->handlers = handler->next;
		m->report->losses = NULL;
		handler->plan = plan_default(m, handler->type);
		handler->losses = m->report->losses;
	}
	m->report->quiet = false;
	m->report->is_default = false;
}
