/*
 * Doing what the plans say. This is the inner loop of the blackout: no look-up by name, no
 * allocation, one switch per operation.
 */
#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/state/priv.h"

static int64_t number_extend(uint64_t value, unsigned n_bits, bool is_signed)
{
	unsigned shift = 64 - n_bits;

	return is_signed ? (int64_t)(value << shift) >> shift : (int64_t)value;
}

static bool number_fits(int64_t value, bool was_signed, unsigned n_bits, bool is_signed)
{
	unsigned value_bits = n_bits - is_signed;

	if (was_signed && value < 0) {
		return is_signed && value >> (value_bits < 64 ? value_bits : 63) == -1;
	}
	return value_bits >= 64 || (uint64_t)value >> value_bits == 0;
}

uint64_t state_bits_read(const uint8_t *at, unsigned shift, const struct state_bits *bits)
{
	unsigned n_bytes = (shift + bits->n_bits + 7) / 8;
	uint64_t value = 0;

	memcpy(&value, at, n_bytes < 8 ? n_bytes : 8);
	value >>= shift;
	if (n_bytes > 8) {
		value |= (uint64_t)at[8] << (64 - shift);
	}
	if (bits->n_bits < 64) {
		value &= (UINT64_C(1) << bits->n_bits) - 1;
	}
	return (uint64_t)number_extend(value, bits->n_bits, bits->is_signed);
}

static void bits_write(uint8_t *at, unsigned shift, unsigned n_bits, uint64_t value)
{
	for (unsigned i = 0; i < n_bits; i++) {
		unsigned bit = shift + i;
		uint8_t mask = (uint8_t)(1u << (bit & 7));

		at[bit >> 3] =
		        (uint8_t)((value >> i & 1) ? at[bit >> 3] | mask : at[bit >> 3] & ~mask);
	}
}

static enum state_code run_bits(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	const struct state_bits *bits = op->sub;
	const struct state_bits *to = &bits[STATE_NEW];
	uint64_t value = state_bits_read(old, (unsigned)bits[STATE_OLD].bit_off, &bits[STATE_OLD]);

	if (!number_fits((int64_t)value, bits[STATE_OLD].is_signed, to->n_bits, to->is_signed)) {
		t->fail_bit = (unsigned)bits[STATE_OLD].bit_off;
		return state_fail_at(t, STATE_E_RANGE, "value does not fit", value, old);
	}
	bits_write(new, (unsigned)to->bit_off, to->n_bits, value);
	return STATE_OK;
}

static enum state_code run_int(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	unsigned width = op->number[STATE_OLD].width;
	bool was_signed = op->number[STATE_OLD].is_signed;

	for (uint32_t i = 0; i < op->count; i++) {
		int64_t value = state_number_load(old, width, was_signed);

		if (!number_fits(value, was_signed, op->number[STATE_NEW].n_bits,
		            op->number[STATE_NEW].is_signed)) {
			return state_fail_at(
			        t, STATE_E_RANGE, "value does not fit", (uint64_t)value, old);
		}
		memcpy(new, &value, op->number[STATE_NEW].width);
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

static enum state_code run_bool(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		if (old[i] > 1) {
			return state_fail_at(
			        t, STATE_E_RANGE, "neither true nor false", old[i], old + i);
		}
		new[i] = old[i];
	}
	return STATE_OK;
}

static const int64_t *enum_row(const struct state_enum *map, int64_t value)
{
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->row[i].value[STATE_OLD] == value) {
			return &map->row[i].value[STATE_NEW];
		}
	}
	return NULL;
}

static enum state_code run_enum(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	unsigned width = op->number[STATE_OLD].width;

	for (uint32_t i = 0; i < op->count; i++) {
		int64_t value = state_number_load(old, width, op->number[STATE_OLD].is_signed);
		const int64_t *now = enum_row(op->sub, value);

		if (now == NULL || !number_fits(*now, true, op->number[STATE_NEW].n_bits,
		                           op->number[STATE_NEW].is_signed)) {
			return state_fail_at(t, STATE_E_RANGE, "value has no enumerator now",
			        (uint64_t)value, old);
		}
		memcpy(new, now, op->number[STATE_NEW].width);
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

static void run_float(const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		float value;
		double wide;

		memcpy(&value, old + i * sizeof(value), sizeof(value));
		wide = (double)value;
		memcpy(new + i * sizeof(wide), &wide, sizeof(wide));
	}
}

static enum state_code run_zero(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old)
{
	for (uint32_t i = 0; i < op->size; i++) {
		if (old[i] != 0) {
			return state_fail_at(t, STATE_E_RANGE,
			        "array is shorter now, and what is behind is not zero", old[i],
			        old + i);
		}
	}
	return STATE_OK;
}

/* The common case in a few steps: to the start of a live object that such pointers are known to
 * fit. */
static inline uint64_t pointer_near(const struct state_transfer *t,
        const struct state_pointer *pointer, uint64_t value, const uint8_t *at)
{
	uint64_t off = value - t->heap.base;
	const struct state_run *run;
	uint32_t in_run;
	uint32_t slot;

	if (off >= t->heap.n_bytes) {
		return 0;
	}
	run = &t->heap.runs[t->heap.run_of_page[off / HEAP_PAGE_BYTES]];
	in_run = (uint32_t)(value - run->start);
	if (run->site != pointer->near || run->n_slots == 0) {
		return 0;
	}
	slot = in_run / run->stride;
	if (slot * run->stride != in_run || slot >= run->n_slots) {
		return 0;
	}
	if (pointer->has_length) {
		int64_t n = state_bits_get(at, &pointer->length);

		if (n < 0 || (uint64_t)n > state_slot_count(run, slot) ||
		        pointer->old_size != run->site->size[STATE_OLD]) {
			return 0;
		}
	}
	return run->place[slot];
}

static inline enum state_code run_pointer(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	/* The only part of a plan that learns: which objects the pointer was found to fit. */
	struct state_pointer *pointer = (struct state_pointer *)op->sub;

	for (uint32_t i = 0; i < op->count; i++) {
		uint64_t value = (uint64_t)state_number_load(old, sizeof(value), false);

		if (value != 0) {
			uint64_t now = pointer_near(t, pointer, value, old);

			if (now == 0) {
				enum state_code code =
				        state_pointer_map(t, pointer, value, old, &now);

				if (code != STATE_OK) {
					return code;
				}
			}
			value = now;
		}
		memcpy(new, &value, sizeof(value));
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

static enum state_code run_repeat(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		enum state_code code = state_plan_run(t, op->sub, old, new);

		if (code != STATE_OK) {
			return code;
		}
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

static enum state_code run_union(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	const struct state_union *u = op->sub;
	int64_t tag = state_bits_get(new, &u->tag);

	for (uint32_t i = 0; i < u->n_cases; i++) {
		enum state_code code;

		if (u->cases[i].value != tag) {
			continue;
		}
		if (t->n_live == STATE_DEPTH) {
			return state_fail_at(
			        t, STATE_E_UNION, "unions are nested too deeply", 0, old);
		}
		t->live_union[t->n_live] = (uint64_t)(uintptr_t)old;
		t->live_member[t->n_live++] = u->cases[i].old_member;
		code = state_plan_run(t, u->cases[i].plan, old, new);
		t->n_live--;
		return code;
	}
	return STATE_OK;
}

static enum state_code run_handler(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	const struct state_handler *handler = op->sub;
	struct state_view view = {
	        .transfer = t,
	        .old = old,
	        .new = new,
	        .old_size = state_type_size(&t->desc[STATE_OLD], handler->type[STATE_OLD]),
	        .new_size = state_type_size(&t->desc[STATE_NEW], handler->type[STATE_NEW]),
	        .old_version = handler->version[STATE_OLD],
	        .new_version = handler->version[STATE_NEW],
	        .step = handler,
	};
	int code = handler->call(&view);

	return code == 0 ? STATE_OK
	                 : state_fail_at(t, STATE_E_HANDLER, "handler refused with",
	                           (uint64_t)(int64_t)code, old);
}

/* Copies of members are short: two words that may overlap do for most of them. */
static inline void run_copy(const uint8_t *old, uint8_t *new, uint64_t size)
{
	uint64_t head[2];
	uint64_t tail[2];

	if (size >= 8 && size <= 16) {
		memcpy(head, old, 8);
		memcpy(tail, old + size - 8, 8);
		memcpy(new, head, 8);
		memcpy(new + size - 8, tail, 8);
	} else if (size > 16 && size <= 32) {
		memcpy(head, old, 16);
		memcpy(tail, old + size - 16, 16);
		memcpy(new, head, 16);
		memcpy(new + size - 16, tail, 16);
	} else if (size == 4) {
		memcpy(new, old, 4);
	} else {
		memcpy(new, old, size);
	}
}

static inline enum state_code run_op(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	switch ((enum state_op_code)op->code) {
	case STATE_OP_COPY:
		run_copy(old, new, op->size);
		return STATE_OK;
	case STATE_OP_POINTER:
		return run_pointer(t, op, old, new);
	case STATE_OP_INT:
		return run_int(t, op, old, new);
	case STATE_OP_BOOL:
		return run_bool(t, op, old, new);
	case STATE_OP_ENUM:
		return run_enum(t, op, old, new);
	case STATE_OP_FLOAT:
		run_float(op, old, new);
		return STATE_OK;
	case STATE_OP_BITS:
		return run_bits(t, op, old, new);
	case STATE_OP_ZERO:
		return run_zero(t, op, old);
	case STATE_OP_REPEAT:
		return run_repeat(t, op, old, new);
	case STATE_OP_UNION:
		return run_union(t, op, old, new);
	case STATE_OP_HANDLER:
		return run_handler(t, op, old, new);
	case _STATE_OP_N:
		break;
	}
	__builtin_unreachable();
}

enum state_code state_plan_run(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new)
{
	const struct state_op *op = plan->ops;
	const struct state_op *end = op + plan->n_ops;

	for (; op < end; op++) {
		enum state_code code = run_op(t, op, old + op->old_off, new + op->new_off);

		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

/* The elements of one object, by plan. */
static inline enum state_code run_elements(struct state_transfer *t, const struct state_site *site,
        const uint8_t *old, uint8_t *new, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		enum state_code code = state_plan_run(t, site->plan, old, new);

		if (code != STATE_OK) {
			return code;
		}
		old += site->size[STATE_OLD];
		new += site->size[STATE_NEW];
	}
	return STATE_OK;
}

static enum state_code run_objects_of(struct state_transfer *t, const struct state_run *run)
{
	const struct state_site *site = run->site;
	bool is_flat = site->plan->is_flat;
	uint64_t n_elements = 0;
	enum state_code code;

	t->root_entry = site->entry[STATE_OLD];
	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			const uint8_t *old =
			        (const void *)(uintptr_t)(run->start + slot * run->stride);
			uint8_t *new = (void *)(uintptr_t)run->place[slot];
			uint64_t count = state_slot_count(run, slot);

			n_elements += count;
			if (is_flat) {
				run_copy(old, new, count * site->size[STATE_OLD]);
				continue;
			}
			t->root_old = (uint64_t)(uintptr_t)old;
			code = run_elements(t, site, old, new, count);
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	t->result->n_bytes += n_elements * site->size[STATE_OLD];
	return STATE_OK;
}

static enum state_code run_objects(struct state_transfer *t)
{
	for (uint32_t r = 1; r < t->heap.n_runs; r++) {
		enum state_code code = STATE_OK;

		if (t->heap.runs[r].site->new_addr != 0) {
			code = run_objects_of(t, &t->heap.runs[r]);
		}
		if (code != STATE_OK) {
			return code;
		}
	}
	t->result->n_objects = t->heap.n_objects;
	return STATE_OK;
}

static enum state_code run_variables(struct state_transfer *t)
{
	for (uint32_t i = 0; i < t->n_jobs; i++) {
		const struct state_job *job = &t->jobs[i];
		enum state_code code;

		t->root_entry = job->entry[STATE_OLD];
		t->root_old = job->addr[STATE_OLD];
		code = state_plan_run(t, job->plan, (const void *)(uintptr_t)job->addr[STATE_OLD],
		        (void *)(uintptr_t)job->addr[STATE_NEW]);
		if (code != STATE_OK) {
			return code;
		}
		t->result->n_bytes += job->plan->size[STATE_OLD];
		t->result->n_variables++;
	}
	return STATE_OK;
}

enum state_code state_transfer(struct state_transfer *t)
{
	enum state_code code = state_walk(t);

	t->root_age = STATE_OLD;
	if (code == STATE_OK) {
		code = run_variables(t);
	}
	if (code == STATE_OK) {
		code = run_objects(t);
	}
	t->root_entry = STATE_NONE;
	/* Whoever fails says why; if he could not, the code alone must do. */
	return code == STATE_OK ? code : state_fail(t, code, "transfer failed", 0);
}

enum state_code state_view_default(const struct state_view *view)
{
	const struct state_handler *handler = view->step;

	return handler->plan == NULL
	               ? STATE_E_TYPE
	               : state_plan_run(view->transfer, handler->plan, view->old, view->new);
}

enum state_code state_view_pointer(const struct state_view *view, const void *old, void **ret_new)
{
	struct state_pointer pointer = {.target = STATE_TARGET_ANY};
	uint64_t value = (uint64_t)(uintptr_t)old;
	enum state_code code;

	if (old == NULL) {
		*ret_new = NULL;
		return STATE_OK;
	}
	code = state_pointer_map(view->transfer, &pointer, value, view->old, &value);
	if (code == STATE_OK) {
		*ret_new = (void *)(uintptr_t)value;
	}
	return code;
}
