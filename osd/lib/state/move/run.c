/*
 * Doing what the plans say. This is the inner loop of the blackout: no look-up by name, no
 * allocation, one switch per operation. What a plan asks for was checked when it was made, from
 * the binaries; what is checked here depends on values:
 *
 *  - a pointer must lead to something of its type (pointer.c), which then has a new place;
 *  - a number must fit, a bool be 0 or 1, an enumerator exist (number.c);
 *  - the tag of a union must be one that somebody claims, or the union hold nothing;
 *  - what has no new place must be zero.
 *
 * Old values are read only inside the object or variable that the walk or the pairing found, at
 * offsets of its type: that the old side wrote them changes nothing. New values are written only
 * to places that the new heap or the new variables have.
 *
 * Nearly all operations are copies and single pointers to the start of an object of a known site;
 * these two are inlined wherever a plan is run, all others are one call away.
 */
#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/state/move/priv.h"

/* For what is done for every member of every object. */
#define RUN_INLINE inline __attribute__((always_inline))

/*
 * The end of an array that shrank, where it must not be in use: a loss that nobody could foresee,
 * so it is refused, or listed if somebody consented.
 */
static enum state_code run_zero(
        struct state_report *r, const struct state_op *op, const uint8_t *old)
{
	for (uint32_t i = 0; i < op->size; i++) {
		if (old[i] != 0) {
			state_lose_elements(r, old + i);
			return state_loss_check(r);
		}
	}
	return STATE_OK;
}

/*
 * The quick way for a pointer to the start of a live object, at a site where pointers of this plan
 * were found to fit: page, run, slot, place. Returns the new place, and the run and slot; 0: ask
 * pointer.c, which also says what is wrong. Pages without objects are run 0, which has no slots.
 */
static RUN_INLINE uint64_t run_pointer_near(const struct state_transfer *t,
        const struct state_pointer *pointer, uint64_t value, const struct state_run **ret_run,
        uint32_t *ret_slot)
{
	uint64_t off = value - t->heap.base;
	const struct state_run *run;
	uint32_t in_run;
	uint32_t slot;

	if (off >= t->heap.n_bytes) {
		return 0;
	}
	run = &t->heap.runs[t->heap.run_of_page[off / HEAP_PAGE_BYTES]];
	if (run->site != pointer->near) {
		return 0;
	}
	in_run = (uint32_t)(value - run->start);
	slot = in_run / run->stride;
	if (slot * run->stride != in_run || slot >= run->n_slots) {
		return 0;
	}
	*ret_run = run;
	*ret_slot = slot;
	return run->place[slot];
}

/*
 * The same for a pointer with STATE_LENGTH to whole elements: not more of them may be counted than
 * the object has. The count is read from the old record, before or behind the pointer.
 */
static RUN_INLINE uint64_t run_pointer_counted(const struct state_transfer *t,
        const struct state_pointer *pointer, uint64_t value, const uint8_t *at)
{
	const struct state_run *run;
	uint32_t slot;
	uint64_t place = run_pointer_near(t, pointer, value, &run, &slot);
	int64_t n;

	if (place == 0 || pointer->length.width == 0) {
		return 0;
	}
	n = state_number_load(at + (pointer->length.bit_off >> 3), pointer->length.width,
	        pointer->length.is_signed);
	return n < 0 || (uint64_t)n > state_slot_count(run, slot) ||
	                       pointer->old_size != run->site->size[STATE_OLD]
	               ? 0
	               : place;
}

/* The long way: pointer.c decides, and says what is wrong. */
static __attribute__((noinline)) enum state_code run_pointer_far(struct state_transfer *t,
        struct state_pointer *pointer, uint64_t value, const uint8_t *old, uint8_t *new)
{
	uint64_t now;
	enum state_code code = state_pointer_map(&t->map, pointer, value, old, &now);

	if (code == STATE_OK) {
		memcpy(new, &now, sizeof(now));
	}
	return code;
}

static RUN_INLINE enum state_code run_pointer(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	/* The only part of a plan that learns: which objects the pointer was found to fit. */
	struct state_pointer *pointer = (struct state_pointer *)op->sub;
	const struct state_run *run;
	uint32_t slot;
	uint64_t value;

	memcpy(&value, old, sizeof(value));
	if (value != 0) {
		uint64_t now = pointer->has_length
		                       ? run_pointer_counted(t, pointer, value, old)
		                       : run_pointer_near(t, pointer, value, &run, &slot);

		if (now == 0) {
			return run_pointer_far(t, pointer, value, old, new);
		}
		value = now;
	}
	memcpy(new, &value, sizeof(value));
	return STATE_OK;
}

/* An array of pointers, or several members of one type side by side. */
static enum state_code run_pointers(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		enum state_code code = run_pointer(t, op, old, new);

		if (code != STATE_OK) {
			return code;
		}
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

/* A plan for each of count values; also a long plan that was not copied into the one around it. */
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

/*
 * Call a handler. Whatever it asked for meanwhile and did not get is no error if it returns 0; but
 * a loss that its default would cause counts, whether it minds or not. A handler is code of the
 * new release: it is believed as such, the values that it looks at are not.
 */
static enum state_code run_handler(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	const struct state_handler *handler = op->sub;
	struct state_view view = {
	        .transfer = t,
	        .old = old,
	        .new = new,
	        .old_size =
	                state_type_size(&t->map.sides->desc[STATE_OLD], handler->type[STATE_OLD]),
	        .new_size =
	                state_type_size(&t->map.sides->desc[STATE_NEW], handler->type[STATE_NEW]),
	        .old_version = handler->version[STATE_OLD],
	        .new_version = handler->version[STATE_NEW],
	        .step = handler,
	};
	bool was_settled = t->map.is_settled;
	int code;

	/*
	 * What a handler asks for, it wants now. What it tried in vain and
	 * does not mind is no error.
	 */
	t->map.is_settled = true;
	code = handler->call(&view);
	t->map.is_settled = was_settled;
	if (code == 0) {
		t->report->result->code = STATE_OK;
		t->report->result->value = 0;
		t->report->result->error[0] = 0;
		/* Loss is refused whatever the handler thinks of it. */
		return state_loss_check(t->report);
	}
	(void)state_fail_at(
	        t->report, STATE_E_HANDLER, "handler refused with", (uint64_t)(int64_t)code, old);
	return t->report->result->code;
}

/* Copies of members are short: two words that may overlap do for most of them. */
static RUN_INLINE void run_copy(const uint8_t *old, uint8_t *new, uint64_t size)
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

/* The operations that are not worth room in the loop. */
static __attribute__((noinline)) enum state_code run_other(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	switch ((enum state_op_code)op->code) {
	case STATE_OP_COPY:
	case STATE_OP_UNION:
		break; /* of state_plan_run() */
	case STATE_OP_POINTER:
		return run_pointers(t, op, old, new);
	case STATE_OP_INT:
		return state_run_int(t->report, op, old, new);
	case STATE_OP_BOOL:
		return state_run_bool(t->report, op, old, new);
	case STATE_OP_ENUM:
		return state_run_enum(t->report, op, old, new);
	case STATE_OP_FLOAT:
		state_run_float(op, old, new);
		return STATE_OK;
	case STATE_OP_BITS:
		return state_run_bits(t->report, op, old, new);
	case STATE_OP_ZERO:
		return run_zero(t->report, op, old);
	case STATE_OP_REPEAT:
		return run_repeat(t, op, old, new);
	case STATE_OP_HANDLER:
		return run_handler(t, op, old, new);
	case _STATE_OP_N:
		break;
	}
	__builtin_unreachable();
}

/* The tag's value, in the meaning of the new release; unions come last in a plan. */
static RUN_INLINE int64_t run_union_tag(const struct state_union *u, const uint8_t *new)
{
	return u->tag.width != 0 ? state_number_load(new + (u->tag.bit_off >> 3), u->tag.width,
	                                   u->tag.is_signed)
	                         : state_bits_get(new, &u->tag);
}

/* The case of a union that is alive, or NULL. */
static RUN_INLINE const struct state_case *run_union_case(
        const struct state_union *u, const uint8_t *new)
{
	const struct state_case *end = u->cases + u->n_cases;
	int64_t tag = run_union_tag(u, new);

	for (const struct state_case *alive = u->cases; alive < end; alive++) {
		if (alive->value == tag) {
			return alive;
		}
	}
	return NULL;
}

const struct state_case *state_union_case(const struct state_union *u, const uint8_t *new)
{
	return run_union_case(u, new);
}

/*
 * No member is alive, or one whose removal was agreed to: nothing must be lost by that, and no
 * part of an initial value may stay behind the tag, which the next update could not explain.
 * Claimed: an annotation or a removed member accounts for the tag's value.
 */
static __attribute__((noinline)) enum state_code run_union_clear(struct state_report *r,
        const struct state_union *u, bool is_claimed, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < u->size[STATE_OLD] && !is_claimed && !u->is_empty_else; i++) {
		if (old[i] != 0) {
			return state_fail_at(r, STATE_E_UNION,
			        "no member of the union claims its tag's value",
			        (uint64_t)run_union_tag(u, new), old);
		}
	}
	memset(new, 0, u->size[STATE_NEW]);
	return STATE_OK;
}

/* Most operations are one pointer or a copy; both are done here, so that they cost no call. */
static RUN_INLINE enum state_code run_op(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	if (op->code == STATE_OP_POINTER && op->count == 1) {
		return run_pointer(t, op, old, new);
	}
	if (op->code == STATE_OP_COPY) {
		run_copy(old, new, op->size);
		return STATE_OK;
	}
	return run_other(t, op, old, new);
}

/*
 * All operations of a plan, from one old value to one new one. The plan of a union's live case is
 * most often one operation, which is done in the union's place. Which members are alive is kept
 * for the words of an error only.
 */
static RUN_INLINE enum state_code run_plan(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new)
{
	const struct state_op *next = plan->ops;
	const struct state_op *end = next + plan->n_ops;
	const uint32_t n_live = t->where.n_live;

	while (next < end) {
		const struct state_op *op = next++;
		const uint8_t *from = old + op->old_off;
		uint8_t *to = new + op->new_off;
		enum state_code code;

		if (op->code == STATE_OP_UNION) {
			const struct state_case *alive = run_union_case(op->sub, to);

			if (alive == NULL || alive->plan == NULL) {
				code = run_union_clear(t->report, op->sub, alive != NULL, from, to);
				if (code != STATE_OK) {
					return code;
				}
				continue;
			}
			if (n_live == STATE_DEPTH) {
				return state_fail_at(t->report, STATE_E_UNION,
				        "unions are nested too deeply", 0, from);
			}
			t->where.live_union[n_live] = (uint64_t)(uintptr_t)from;
			t->where.live_member[n_live] = alive->old_member;
			t->where.n_live = n_live + 1;
			op = alive->plan->ops;
			if (alive->plan->n_ops == 1 && op->code != STATE_OP_UNION) {
				code = run_op(t, op, from + op->old_off, to + op->new_off);
			} else {
				code = state_plan_run(t, alive->plan, from, to);
			}
			t->where.n_live = n_live;
		} else {
			code = run_op(t, op, from, to);
		}
		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

enum state_code state_plan_run(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new)
{
	return run_plan(t, plan, old, new);
}

/* The elements of one object, by the plan of its site. */
static RUN_INLINE enum state_code run_elements(struct state_transfer *t,
        const struct state_site *site, const uint8_t *old, uint8_t *new, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		enum state_code code = run_plan(t, site->plan, old, new);

		if (code != STATE_OK) {
			return code;
		}
		old += site->size[STATE_OLD];
		new += site->size[STATE_NEW];
	}
	return STATE_OK;
}

/*
 * Objects whose bytes stay as they are, copied whole; returns their number of elements. Nothing
 * can fail, so there is no place of an error to keep. Apart from the loop over plans: in one function
 * with it that loop has too few registers (1 % of a transfer).
 */
static __attribute__((noinline)) uint64_t run_objects_flat(const struct state_run *run)
{
	uint64_t size = run->site->size[STATE_OLD];
	uint64_t n_elements = 0;

	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			uint64_t count = state_slot_count(run, slot);

			n_elements += count;
			run_copy((const void *)(uintptr_t)(run->start + slot * run->stride),
			        (void *)(uintptr_t)run->place[slot], count * size);
		}
	}
	return n_elements;
}

/*
 * All live objects of a run. The place of an error is set for each object: its old address tells
 * the element and the member later.
 */
static enum state_code run_objects_of(struct state_transfer *t, const struct state_run *run)
{
	const struct state_site *site = run->site;
	uint64_t n_elements = 0;

	t->where.entry = site->entry[STATE_OLD];
	if (site->plan->is_flat) {
		t->report->result->n_bytes += run_objects_flat(run) * site->size[STATE_OLD];
		return STATE_OK;
	}
	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			const uint8_t *old =
			        (const void *)(uintptr_t)(run->start + slot * run->stride);
			uint64_t count = state_slot_count(run, slot);
			enum state_code code;

			n_elements += count;
			t->where.old = (uint64_t)(uintptr_t)old;
			code = run_elements(
			        t, site, old, (void *)(uintptr_t)run->place[slot], count);
			if (code != STATE_OK) {
				return code;
			}
		}
	}
	t->report->result->n_bytes += n_elements * site->size[STATE_OLD];
	return STATE_OK;
}

/* Runs whose site has no partner were counted as lost by the walk. */
enum state_code state_objects_run(struct state_transfer *t)
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
	t->report->result->n_objects = t->heap.n_objects;
	return STATE_OK;
}
