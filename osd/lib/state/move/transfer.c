/*
 * A transfer in its order. Each step may rely on those before it:
 *
 *	walk        every live object of the old heap has a new place, still empty
 *	variables   first those whose values have handlers, so that most of what handlers place is
 *	            known to those of objects
 *	objects     run after run; pointers among them go both ways, and all places are known
 *	settle      the pointers that waited, if any, until no handler could place anything more
 *
 * The first step that fails ends it: the new instance is ended then, so nothing is undone. The old
 * one has not been written to and goes on.
 */
#include "osd/lib/state/move/priv.h"

/* From here on the report asks this transfer, no longer the pairing, where the work stands. */
enum state_code state_transfer_new(struct state_pairing *pairing,
        const struct state_old_heap *old_heap, uint64_t seed, struct state_transfer **ret)
{
	struct state_report *report = &pairing->report;
	struct state_transfer *t = state_keep(report, sizeof(*t));

	if (t == NULL) {
		return STATE_E_SCRATCH;
	}
	t->heap.base = old_heap->base;
	t->heap.size = old_heap->size;
	t->heap.root = pairing->heap_root;
	t->heap.random = seed;
	t->heap.sites = &pairing->sites;
	t->heap.report = report;
	t->map.sides = &pairing->sides;
	t->map.report = report;
	t->map.heap = &t->heap;
	t->map.items = &pairing->items;
	t->map.has_handlers = pairing->maker.has_handlers;
	t->where.entry = STATE_NONE;
	t->pairing = pairing;
	t->report = report;
	report->where = &t->where;
	*ret = t;
	return STATE_OK;
}

void state_foresee(struct state_transfer *t)
{
	state_heap_foresee(&t->heap);
}

/*
 * The variables that were paired, those with handlers or those without. Names for errors: the
 * variable, and its old address, from which the member is found.
 */
static enum state_code transfer_variables(struct state_transfer *t, bool handled)
{
	for (uint32_t i = 0; i < t->pairing->n_jobs; i++) {
		const struct state_job *job = &t->pairing->jobs[i];
		enum state_code code;

		if (job->plan->has_handler != handled) {
			continue;
		}
		t->where.entry = job->entry[STATE_OLD];
		t->where.old = job->addr[STATE_OLD];
		code = state_plan_run(t, job->plan, (const void *)(uintptr_t)job->addr[STATE_OLD],
		        (void *)(uintptr_t)job->addr[STATE_NEW]);
		if (code != STATE_OK) {
			return code;
		}
		t->report->result->n_bytes += job->plan->size[STATE_OLD];
		t->report->result->n_variables++;
	}
	return STATE_OK;
}

enum state_code state_transfer(struct state_transfer *t)
{
	enum state_code code = state_walk(&t->heap);

	t->where.age = STATE_OLD;
	if (code == STATE_OK) {
		code = transfer_variables(t, true);
	}
	if (code == STATE_OK) {
		code = transfer_variables(t, false);
	}
	if (code == STATE_OK) {
		code = state_objects_run(t);
	}
	t->map.is_settled = true;
	if (code == STATE_OK && t->map.n_unsettled > 0) {
		code = state_settle(t);
	}
	t->where.entry = STATE_NONE;
	/* Whoever fails says why; if he could not, the code alone must do. */
	return code == STATE_OK ? code : state_fail(t->report, code, "transfer failed", 0);
}
