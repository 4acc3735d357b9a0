/*
 * Pointers into values that have handlers wait until all handlers have run, because any of them
 * may say where parts of its value live now. Until then they hold state_unsettled(), an address
 * that nothing else has. Then everything is walked once more, and only what waits is done: no
 * memory is needed for it, and transfers without such pointers pay nothing.
 *
 * The walk takes the same way as run.c did, by the same plans over the same old values, so it
 * meets the same pointers. It does not go into handlers: what they ask for, they get at once.
 */
#include <string.h>

#include "osd/lib/state/move/priv.h"

/*
 * Map those of an operation's pointers that wait. All others were mapped when the
 * plan ran.
 */
static enum state_code settle_pointers(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	/* As when plans run: a pointer learns which objects it fits. */
	struct state_pointer *pointer = (struct state_pointer *)op->sub;

	for (uint32_t i = 0; i < op->count; i++) {
		uint64_t value;
		uint64_t now;
		enum state_code code = STATE_OK;

		memcpy(&now, new, sizeof(now));
		if (now == state_unsettled(&t->map)) {
			memcpy(&value, old, sizeof(value));
			code = state_pointer_map(&t->map, pointer, value, old, &now);
		}
		if (code != STATE_OK) {
			return code;
		}
		memcpy(new, &now, sizeof(now));
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

static enum state_code settle_plan(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new);

/* No deeper than when the plan ran: there is room for one more live member. */
static enum state_code settle_union(
        struct state_transfer *t, const struct state_union *u, const uint8_t *old, uint8_t *new)
{
	const struct state_case *alive = state_union_case(u, new);
	enum state_code code;

	if (alive == NULL || alive->plan == NULL) {
		return STATE_OK;
	}
	/* No deeper than when the plan ran. */
	t->where.live_union[t->where.n_live] = (uint64_t)(uintptr_t)old;
	t->where.live_member[t->where.n_live++] = alive->old_member;
	code = settle_plan(t, alive->plan, old, new);
	t->where.n_live--;
	return code;
}

static enum state_code settle_repeat(
        struct state_transfer *t, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		enum state_code code = settle_plan(t, op->sub, old, new);

		if (code != STATE_OK) {
			return code;
		}
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

/* Operations without pointers have nothing to settle. */
static enum state_code settle_plan(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < plan->n_ops; i++) {
		const struct state_op *op = &plan->ops[i];
		const uint8_t *from = old + op->old_off;
		uint8_t *to = new + op->new_off;
		enum state_code code = STATE_OK;

		if (op->code == STATE_OP_POINTER) {
			code = settle_pointers(t, op, from, to);
		} else if (op->code == STATE_OP_UNION) {
			code = settle_union(t, op->sub, from, to);
		} else if (op->code == STATE_OP_REPEAT) {
			code = settle_repeat(t, op, from, to);
		}
		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

/* All elements of one object. */
static enum state_code settle_object(
        struct state_transfer *t, const struct state_run *run, uint32_t slot)
{
	const struct state_site *site = run->site;
	const uint8_t *old = (const void *)(uintptr_t)(run->start + slot * run->stride);
	uint8_t *new = (void *)(uintptr_t)run->place[slot];
	uint64_t count = state_slot_count(run, slot);

	t->where.old = (uint64_t)(uintptr_t)old;
	for (uint64_t i = 0; i < count; i++) {
		enum state_code code = settle_plan(t, site->plan, old + i * site->size[STATE_OLD],
		        new + i * site->size[STATE_NEW]);

		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

static enum state_code settle_run(struct state_transfer *t, const struct state_run *run)
{
	t->where.entry = run->site->entry[STATE_OLD];
	for (unsigned w = 0; w * 64 < run->n_slots; w++) {
		for (uint64_t word = run->live[w]; word != 0; word &= word - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(word);
			enum state_code code = settle_object(t, run, slot);

			if (code != STATE_OK) {
				return code;
			}
		}
	}
	return STATE_OK;
}

/* Variables, then objects. Flat plans are copies: no pointers are in them. */
enum state_code state_settle(struct state_transfer *t)
{
	enum state_code code = STATE_OK;

	for (uint32_t i = 0; code == STATE_OK && i < t->pairing->n_jobs; i++) {
		const struct state_job *job = &t->pairing->jobs[i];

		t->where.entry = job->entry[STATE_OLD];
		t->where.old = job->addr[STATE_OLD];
		code = settle_plan(t, job->plan, (const void *)(uintptr_t)job->addr[STATE_OLD],
		        (void *)(uintptr_t)job->addr[STATE_NEW]);
	}
	for (uint32_t r = 1; code == STATE_OK && r < t->heap.n_runs; r++) {
		const struct state_run *run = &t->heap.runs[r];

		if (run->site->new_addr != 0 && !run->site->plan->is_flat) {
			code = settle_run(t, run);
		}
	}
	return code;
}
