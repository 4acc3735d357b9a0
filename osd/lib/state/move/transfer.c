/*
 * A transfer in its order: the old heap is walked and every object has its new place; then
 * variables, those with handlers first, then objects; then the pointers that waited for handlers.
 */
#include "osd/lib/state/move/priv.h"

static enum state_code transfer_objects(struct state_transfer *t)
{
	for (uint32_t r = 1; r < t->heap.n_runs; r++) {
		enum state_code code = STATE_OK;

		if (t->heap.runs[r].site->new_addr != 0) {
			code = state_objects_run(t, &t->heap.runs[r]);
		}
		if (code != STATE_OK) {
			return code;
		}
	}
	t->result->n_objects = t->heap.n_objects;
	return STATE_OK;
}

/* Variables with handlers come first: more of what they place is known to handlers of objects. */
static enum state_code transfer_variables(struct state_transfer *t, bool handled)
{
	for (uint32_t i = 0; i < t->n_jobs; i++) {
		const struct state_job *job = &t->jobs[i];
		enum state_code code;

		if (job->plan->has_handler != handled) {
			continue;
		}
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
		code = transfer_variables(t, true);
	}
	if (code == STATE_OK) {
		code = transfer_variables(t, false);
	}
	if (code == STATE_OK) {
		code = transfer_objects(t);
	}
	t->is_settled = true;
	if (code == STATE_OK && t->n_unsettled > 0) {
		code = state_settle(t);
	}
	t->root_entry = STATE_NONE;
	/* Whoever fails says why; if he could not, the code alone must do. */
	return code == STATE_OK ? code : state_fail(t, code, "transfer failed", 0);
}
