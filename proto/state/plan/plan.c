/*
 * Plans: made once per pair of types, remembered, and flat. A plan that is asked for
 * while it is in the making would contain itself; a plan that could not be made stays as a
 * remembered failure.
 */
#include <string.h>

#include "proto/state/plan/transfer.h"

struct state_op *state_op_push(struct state_transfer *t, enum state_op_code code)
{
	struct state_op *op = state_stack(t, sizeof(*op));

	if (op != NULL) {
		op->code = (uint8_t)code;
		op->count = 1;
	}
	return op;
}

enum state_code state_op_copy(struct state_transfer *t, uint64_t size)
{
	struct state_op *op;

	if (size == 0) {
		return STATE_OK;
	}
	op = state_op_push(t, STATE_OP_COPY);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->size = (uint32_t)size;
	return STATE_OK;
}

enum state_code state_plan_append(struct state_transfer *t, const struct state_plan *plan)
{
	struct state_op *op;

	if (plan->n_ops > STATE_INLINE_OPS) {
		op = state_op_push(t, STATE_OP_REPEAT);
		if (op == NULL) {
			return STATE_E_SCRATCH;
		}
		op->sub = plan;
		return STATE_OK;
	}
	for (uint32_t i = 0; i < plan->n_ops; i++) {
		op = state_op_push(t, STATE_OP_COPY);
		if (op == NULL) {
			return STATE_E_SCRATCH;
		}
		*op = plan->ops[i];
	}
	return STATE_OK;
}

/* The new function of this name; a static one of the same name elsewhere makes it unclear. */
static enum state_code handler_find(
        struct state_transfer *t, const char *name, state_handler_t *ret)
{
	const struct state_desc *desc = &t->desc[STATE_NEW];
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, STATE_FUNCTION, &n);
	uint64_t found = 0;

	for (uint32_t i = first; i < first + n; i++) {
		uint64_t addr = t->addr[STATE_NEW][i];

		if (addr == 0 ||
		        strcmp(state_desc_string(desc, desc->entries[i].name), name) != 0) {
			continue;
		}
		if (found != 0) {
			return state_fail(t, STATE_E_ANNOTATION,
			        "several functions of the release have the handler's name", 0);
		}
		found = addr;
	}
	*ret = (state_handler_t)(uintptr_t)found;
	return found != 0 ? STATE_OK
	                  : state_fail(t, STATE_E_ANNOTATION,
	                            "handler is no function of the release", 0);
}

static enum state_code plan_handler(struct state_transfer *t, const uint32_t type[2],
        const struct state_notes *old, const struct state_notes *new)
{
	struct state_handler *handler = state_keep(t, sizeof(*handler));
	struct state_op *op = state_op_push(t, STATE_OP_HANDLER);
	enum state_code code;

	if (handler == NULL || op == NULL) {
		return STATE_E_SCRATCH;
	}
	code = handler_find(t, new->handler, &handler->call);
	if (code != STATE_OK) {
		return code;
	}
	handler->type[STATE_OLD] = type[STATE_OLD];
	handler->type[STATE_NEW] = type[STATE_NEW];
	handler->version[STATE_OLD] = old->version;
	handler->version[STATE_NEW] = new->version;
	handler->next = t->handlers;
	t->handlers = handler;
	t->has_handlers = true;
	op->sub = handler;
	return STATE_OK;
}

static enum state_code plan_raw(struct state_transfer *t, const uint32_t type[2])
{
	uint64_t old_size = state_type_size(&t->desc[STATE_OLD], type[STATE_OLD]);
	uint64_t new_size = state_type_size(&t->desc[STATE_NEW], type[STATE_NEW]);

	if (old_size != new_size) {
		return state_fail(t, STATE_E_TYPE, "raw bytes changed their size", new_size);
	}
	return state_op_copy(t, old_size);
}

enum state_code state_plan_noted(struct state_transfer *t, const uint32_t type[2],
        const struct state_notes *old, const struct state_notes *new, bool *ret_done)
{
	*ret_done = true;
	if (old->skip || new->skip) {
		return STATE_OK;
	}
	if (new->handler != NULL) {
		return plan_handler(t, type, old, new);
	}
	if (old->version != new->version) {
		return state_fail(
		        t, STATE_E_VERSION, "version changed without a handler", new->version);
	}
	if (new->raw) {
		return plan_raw(t, type);
	}
	*ret_done = false;
	return STATE_OK;
}

/* What is behind `n` elements, bytes [from, to), has no new place. */
static enum state_code plan_array_tail(
        struct state_transfer *t, uint64_t n, uint64_t from, uint64_t to)
{
	struct state_op *op;

	if (from >= to) {
		return STATE_OK;
	}
	state_risk(t, STATE_THING_ELEMENTS, 0, "", n);
	op = state_op_push(t, STATE_OP_ZERO);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->old_off = (uint32_t)from;
	op->size = (uint32_t)(to - from);
	return STATE_OK;
}

static bool op_is_vector(const struct state_plan *plan)
{
	enum state_op_code code = (enum state_op_code)plan->ops[0].code;

	return plan->n_ops == 1 && plan->ops[0].count == 1 && plan->ops[0].old_off == 0 &&
	       plan->ops[0].new_off == 0 &&
	       (code == STATE_OP_POINTER || code == STATE_OP_INT || code == STATE_OP_BOOL ||
	               code == STATE_OP_ENUM || code == STATE_OP_FLOAT);
}

/* n values side by side, each moved by `plan`. */
static enum state_code plan_elements(
        struct state_transfer *t, const struct state_plan *plan, uint64_t n)
{
	struct state_op *op;

	if (plan->is_flat) {
		return state_op_copy(t, n * plan->size[STATE_OLD]);
	}
	if (plan->n_ops == 0 || n == 0) {
		return STATE_OK;
	}
	op = state_op_push(t, STATE_OP_REPEAT);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	if (op_is_vector(plan)) {
		*op = plan->ops[0];
	} else {
		op->sub = plan;
	}
	op->count = (uint32_t)n;
	op->old_stride = (uint32_t)plan->size[STATE_OLD];
	op->new_stride = (uint32_t)plan->size[STATE_NEW];
	return STATE_OK;
}

static bool type_is_char(const struct state_desc *desc, uint32_t id)
{
	return strcmp(state_type_name(desc, state_type_strip(desc, id)), "char") == 0;
}

static enum state_code plan_array(struct state_transfer *t, uint32_t old_type, uint32_t new_type)
{
	const struct state_btf_array *old = state_type_array(&t->desc[STATE_OLD], old_type);
	const struct state_btf_array *new = state_type_array(&t->desc[STATE_NEW], new_type);
	uint64_t n = old->nelems < new->nelems ? old->nelems : new->nelems;
	const struct state_plan *plan = state_plan_get(t, old->type, new->type);
	enum state_code code;

	if (plan == NULL) {
		return STATE_E_TYPE;
	}
	code = plan_elements(t, plan, n);
	/* Text must end where it has room. */
	n -= n > 0 && n < old->nelems && type_is_char(&t->desc[STATE_OLD], old->type);
	return code != STATE_OK ? code
	                        : plan_array_tail(t, n, n * plan->size[STATE_OLD],
	                                  old->nelems * plan->size[STATE_OLD]);
}

static enum state_code plan_float(struct state_transfer *t, uint64_t old_size, uint64_t new_size)
{
	struct state_op *op;

	if (old_size == new_size) {
		return state_op_copy(t, old_size);
	}
	if (old_size != sizeof(float) || new_size != sizeof(double)) {
		return state_fail(t, STATE_E_TYPE, "floating point type changed to size", new_size);
	}
	op = state_op_push(t, STATE_OP_FLOAT);
	if (op == NULL) {
		return STATE_E_SCRATCH;
	}
	op->old_stride = sizeof(float);
	op->new_stride = sizeof(double);
	return STATE_OK;
}

static enum state_code plan_by_kind(struct state_transfer *t, uint32_t old, uint32_t new)
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
	enum state_btf_kind kind = state_type_kind(a, old);

	if (state_type_is_number(a, old) && state_type_is_number(b, new)) {
		return state_plan_number(t, old, new);
	}
	if (kind != state_type_kind(b, new)) {
		return state_fail(t, STATE_E_TYPE, "type changed its kind", 0);
	}
	if (kind == STATE_BTF_STRUCT) {
		return state_plan_record(t, old, new);
	}
	if (kind == STATE_BTF_UNION) {
		struct state_field x = {.type = old, .owner = STATE_NONE};
		struct state_field y = {.type = new, .owner = STATE_NONE};

		return state_plan_union(t, NULL, NULL, &x, &y);
	}
	if (kind == STATE_BTF_ARRAY) {
		return plan_array(t, old, new);
	}
	if (kind == STATE_BTF_PTR) {
		return state_plan_pointer(t, old, new, NULL);
	}
	return plan_float(t, state_type_size(a, old), state_type_size(b, new));
}

static enum state_code plan_compile(struct state_transfer *t, const uint32_t type[2])
{
	struct state_notes old = state_notes_of_type(&t->desc[STATE_OLD], type[STATE_OLD]);
	struct state_notes new = state_notes_of_type(&t->desc[STATE_NEW], type[STATE_NEW]);
	bool done;
	enum state_code code;

	if (new.skip && !old.skip) {
		state_drop_type(t, type[STATE_OLD]);
	}
	code = state_plan_noted(t, type, &old, &new, &done);
	if (code != STATE_OK || done) {
		return code;
	}
	return plan_by_kind(t, state_type_strip(&t->desc[STATE_OLD], type[STATE_OLD]),
	        state_type_strip(&t->desc[STATE_NEW], type[STATE_NEW]));
}

/* Is one copy of all bytes the same? Bytes behind the copy must be padding on both sides. */
static bool plan_is_flat(const struct state_plan *plan)
{
	const struct state_op *op = plan->ops;

	return plan->n_ops == 1 && op->code == STATE_OP_COPY && op->old_off == 0 &&
	       op->new_off == 0 && op->size == plan->size[STATE_OLD] &&
	       op->size == plan->size[STATE_NEW];
}

static bool bits_same(const struct state_bits *x, const struct state_bits *y)
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
		       bits_same(&move->bits[STATE_OLD], &move->bits[STATE_NEW]);
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

/* Move the operations from the stack into the plan; the newest lies lowest. */
static enum state_code plan_close(struct state_transfer *t, struct state_plan *plan)
{
	struct state_op *top = (struct state_op *)(t->scratch + t->ops_top);
	uint64_t n = (t->ops_top - t->high) / sizeof(*top);

	plan->ops = state_keep(t, n * sizeof(*top));
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

static struct state_plan **plan_bucket(struct state_transfer *t, const uint32_t type[2])
{
	uint32_t hash = type[STATE_OLD] * 2654435761u ^ type[STATE_NEW] * 40503u;

	return &t->plans[(hash >> 8) % STATE_PLAN_BUCKETS];
}

static struct state_plan *plan_new(struct state_transfer *t, const uint32_t type[2])
{
	struct state_plan *plan = state_keep(t, sizeof(*plan));

	if (plan == NULL) {
		return NULL;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		plan->type[age] = type[age];
		plan->size[age] = state_type_size(&t->desc[age], type[age]);
	}
	return plan;
}

static struct state_plan *plan_make(struct state_transfer *t, const uint32_t type[2])
{
	struct state_plan **bucket = plan_bucket(t, type);
	struct state_plan *plan = plan_new(t, type);
	uint64_t high = t->high;
	uint64_t ops_top = t->ops_top;
	const struct state_losses *around = t->losses;

	if (plan == NULL) {
		return NULL;
	}
	t->losses = NULL;
	plan->next = *bucket;
	*bucket = plan;
	t->ops_top = t->high;
	t->depth++;
	plan->code = plan_compile(t, type);
	if (plan->code == STATE_OK) {
		plan->code = plan_close(t, plan);
	}
	t->depth--;
	t->high = high;
	t->ops_top = ops_top;
	plan->losses = t->losses;
	t->losses = around;
	plan->is_done = true;
	return plan;
}

static struct state_plan *plan_find(struct state_transfer *t, const uint32_t type[2])
{
	struct state_plan *plan = *plan_bucket(t, type);

	while (plan != NULL && (plan->type[STATE_OLD] != type[STATE_OLD] ||
	                               plan->type[STATE_NEW] != type[STATE_NEW])) {
		plan = plan->next;
	}
	return plan;
}

const struct state_plan *state_plan_get(
        struct state_transfer *t, uint32_t old_type, uint32_t new_type)
{
	uint32_t type[_STATE_AGE_N] = {
	        [STATE_OLD] = state_type_noted(&t->desc[STATE_OLD], old_type),
	        [STATE_NEW] = state_type_noted(&t->desc[STATE_NEW], new_type),
	};
	struct state_plan *plan = plan_find(t, type);

	if (plan == NULL && t->depth < STATE_DEPTH) {
		plan = plan_make(t, type);
	}
	if (plan == NULL || !plan->is_done) {
		(void)state_fail(t, STATE_E_TYPE, "types are nested too deeply", 0);
		return NULL;
	}
	if (plan->code != STATE_OK) {
		(void)state_fail(t, plan->code, "types do not fit", 0);
		return NULL;
	}
	state_losses_join(t, plan->losses);
	return plan;
}

/* Begin a plan that is not remembered; *ret_mark is for plan_finish(). */
static struct state_plan *plan_begin(
        struct state_transfer *t, const uint32_t type[2], uint64_t ret_mark[2])
{
	ret_mark[0] = t->high;
	ret_mark[1] = t->ops_top;
	t->ops_top = t->high;
	return plan_new(t, type);
}

static const struct state_plan *plan_finish(struct state_transfer *t, struct state_plan *plan,
        enum state_code code, const uint64_t mark[2])
{
	if (code == STATE_OK) {
		code = plan_close(t, plan);
	}
	t->high = mark[0];
	t->ops_top = mark[1];
	plan->is_done = true;
	return code == STATE_OK ? plan : NULL;
}

const struct state_plan *state_plan_of_field(
        struct state_transfer *t, const struct state_field *old, const struct state_field *new)
{
	uint32_t type[_STATE_AGE_N] = {old->type, new->type};
	uint64_t mark[2];
	struct state_plan *plan = plan_begin(t, type, mark);
	enum state_code code;

	if (plan == NULL) {
		return NULL;
	}
	/*
	 * Unions in unions are not remembered, only this ends them; nor may
	 * more be live at a time.
	 */
	if (t->depth == STATE_DEPTH) {
		code = state_fail(t, STATE_E_TYPE, "types are nested too deeply", 0);
	} else {
		t->depth++;
		code = state_plan_field(t, NULL, NULL, old, new);
		t->depth--;
	}
	return plan_finish(t, plan, code, mark);
}

const struct state_plan *state_plan_of_notes(struct state_transfer *t, uint32_t old_type,
        uint32_t new_type, const struct state_notes *old, const struct state_notes *new)
{
	uint32_t type[_STATE_AGE_N] = {old_type, new_type};
	uint64_t mark[2];
	struct state_plan *plan = plan_begin(t, type, mark);
	enum state_code code;
	bool done;

	if (plan == NULL) {
		return NULL;
	}
	code = state_plan_noted(t, type, old, new, &done);
	if (code == STATE_OK && !done) {
		code = plan_compile(t, type);
	}
	return plan_finish(t, plan, code, mark);
}

/* What the engine does without the handler: the notes are left aside, the type is not. */
static const struct state_plan *plan_default(struct state_transfer *t, const uint32_t type[2])
{
	uint64_t mark[2];
	struct state_plan *plan = plan_begin(t, type, mark);

	return plan == NULL
	               ? NULL
	               : plan_finish(t, plan,
	                         plan_by_kind(t,
	                                 state_type_strip(&t->desc[STATE_OLD], type[STATE_OLD]),
	                                 state_type_strip(&t->desc[STATE_NEW], type[STATE_NEW])),
	                         mark);
}

void state_plan_defaults(struct state_transfer *t)
{
	t->quiet = true;
	t->is_default = true;
	while (t->handlers != NULL) {
		struct state_handler *handler = t->handlers;

		t->handlers = handler->next;
		t->losses = NULL;
		handler->plan = plan_default(t, handler->type);
		handler->losses = t->losses;
	}
	t->quiet = false;
	t->is_default = false;
}
