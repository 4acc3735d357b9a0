/*
 * Pairing: everything that depends on binaries only, in its order. Entries find their partners,
 * variables and sites their plans; all that old pointers may lead to becomes one table, sorted by
 * address, with an index over it.
 */
#include <string.h>

#include "proto/state/plan/transfer.h"

static enum state_code pair_code(const struct state_transfer *t, enum state_code code)
{
	return t->result->code != STATE_OK ? t->result->code : code;
}

static bool side_check(struct state_transfer *t, enum state_age age, const struct state_side *side)
{
	enum state_desc_error error = state_desc_check(side->desc, side->desc_size, &t->desc[age]);

	if (error != STATE_DESC_OK) {
		memset(&t->desc[age], 0, sizeof(t->desc[age]));
		(void)state_fail(t, STATE_E_DESCRIPTION, state_desc_error_text(error), age);
		return false;
	}
	if (side->n_addr != t->desc[age].n_entries) {
		(void)state_fail(
		        t, STATE_E_SETUP, "address vector is for another release", side->n_addr);
		return false;
	}
	t->addr[age] = side->addr;
	return true;
}

static struct state_transfer *transfer_new(
        const struct state_setup *setup, struct state_result *result)
{
	struct state_transfer *t = setup->scratch;

	memset(result, 0, sizeof(*result));
	if (setup->scratch_size < sizeof(*t) || (uintptr_t)setup->scratch % 16 != 0) {
		result->code = STATE_E_SCRATCH;
		return NULL;
	}
	memset(t, 0, sizeof(*t));
	t->result = result;
	t->scratch = setup->scratch;
	t->low = (sizeof(*t) + 15) & ~UINT64_C(15);
	t->high = setup->scratch_size & ~UINT64_C(15);
	t->random = setup->seed;
	t->heap.base = setup->old_heap_base;
	t->heap.size = setup->old_heap_size;
	t->root_entry = STATE_NONE;
	return t;
}

/* An old entry's new entry, or STATE_NONE when it has none that this variant contains. */
static uint32_t partner_live(const struct state_transfer *t, uint32_t i)
{
	uint32_t k = t->partner[i];

	return k != STATE_NONE && t->addr[STATE_NEW][k] != 0 ? k : STATE_NONE;
}

static bool entry_is_readonly(const struct state_desc *desc, uint32_t i)
{
	return (desc->entries[i].flags & STATE_ENTRY_READONLY) != 0;
}

/* A plan for one variable, annotations of the variable counted in. NULL and no error: skip it. */
static const struct state_plan *variable_plan(struct state_transfer *t, uint32_t i, uint32_t k)
{
	const struct state_entry *x = &t->desc[STATE_OLD].entries[i];
	const struct state_entry *y = &t->desc[STATE_NEW].entries[k];
	struct state_notes old = state_notes_of_entry(&t->desc[STATE_OLD], i);
	struct state_notes new = state_notes_of_entry(&t->desc[STATE_NEW], k);

	if (new.skip) {
		state_drop(t, 0, "");
		return NULL;
	}
	if (x->size != state_type_size(&t->desc[STATE_OLD], x->type)) {
		(void)state_fail(t, STATE_E_TYPE, "variable ends in a flexible array", x->size);
		return NULL;
	}
	if (old.handler == NULL && new.handler == NULL && !new.raw && old.version == new.version) {
		return state_plan_get(t, x->type, y->type);
	}
	return state_plan_of_notes(t, x->type, y->type, &old, &new);
}

static bool entry_has_moved(const struct state_transfer *t, uint32_t i, uint32_t k)
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
	const struct state_entry *x = &a->entries[i];
	const struct state_entry *y = &b->entries[k];

	return strcmp(state_desc_string(a, x->unit), state_desc_string(b, y->unit)) != 0 ||
	       strcmp(state_desc_string(a, x->scope), state_desc_string(b, y->scope)) != 0;
}

static enum state_code variable_pair(struct state_transfer *t, uint32_t i)
{
	uint32_t k = partner_live(t, i);
	struct state_notes notes = state_notes_of_entry(&t->desc[STATE_OLD], i);
	struct state_job *job = &t->jobs[t->n_jobs];

	if (t->addr[STATE_OLD][i] == 0 || entry_is_readonly(&t->desc[STATE_OLD], i)) {
		return STATE_OK;
	}
	t->root_age = STATE_OLD;
	t->root_entry = i;
	if (notes.skip) {
		return STATE_OK;
	}
	if (k == STATE_NONE || entry_is_readonly(&t->desc[STATE_NEW], k)) {
		state_lose_entry(t, i);
		return STATE_OK;
	}
	job->plan = variable_plan(t, i, k);
	if (job->plan == NULL) {
		return t->result->code;
	}
	if (entry_has_moved(t, i, k)) {
		state_moved(t, i, k);
	}
	job->entry[STATE_OLD] = i;
	job->entry[STATE_NEW] = k;
	job->addr[STATE_OLD] = t->addr[STATE_OLD][i];
	job->addr[STATE_NEW] = t->addr[STATE_NEW][k];
	t->n_jobs++;
	return STATE_OK;
}

static enum state_code variables_pair(struct state_transfer *t)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(&t->desc[STATE_OLD], STATE_VARIABLE, &n);

	t->jobs = state_keep(t, (uint64_t)n * sizeof(*t->jobs));
	if (t->jobs == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t i = first; i < first + n; i++) {
		enum state_code code = variable_pair(t, i);

		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

/* The old heap's root, by the rule that is RS's too. */
static enum state_code heap_root_find(struct state_transfer *t)
{
	uint32_t root[_STATE_AGE_N];

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		if (!state_desc_find_global(&t->desc[age], STATE_HEAP_ROOT, &root[age])) {
			return state_fail_named(t, STATE_E_DESCRIPTION,
			        "several variables of a release are named", STATE_HEAP_ROOT);
		}
	}
	t->heap_root = root[STATE_OLD] != STATE_NONE ? t->addr[STATE_OLD][root[STATE_OLD]] : 0;
	return STATE_OK;
}

static enum state_code handlers_check(struct state_transfer *t)
{
	state_plan_defaults(t);
	return t->result->code;
}

enum state_code state_pair(
        const struct state_setup *setup, struct state_result *result, struct state_transfer **ret)
{
	struct state_transfer *t = transfer_new(setup, result);
	enum state_code code;

	if (t == NULL) {
		return result->code;
	}
	if (!side_check(t, STATE_OLD, &setup->old) || !side_check(t, STATE_NEW, &setup->new)) {
		return pair_code(t, STATE_E_SCRATCH);
	}
	t->accepts_loss = setup->accepts_loss;
	code = state_partners_make(t);
	if (code == STATE_OK) {
		code = heap_root_find(t);
	}
	if (code == STATE_OK) {
		code = variables_pair(t);
	}
	if (code == STATE_OK) {
		code = state_sites_pair(t);
	}
	t->root_entry = STATE_NONE;
	if (code == STATE_OK) {
		code = handlers_check(t);
	}
	if (code == STATE_OK) {
		code = state_loss_check(t);
	}
	if (code == STATE_OK) {
		code = state_items_make(t);
	}
	code = pair_code(t, code);
	if (code == STATE_OK) {
		*ret = t;
	}
	return code;
}

bool state_pair_variable(const struct state_transfer *transfer, uint32_t n, uint32_t ret_entry[2])
{
	if (n >= transfer->n_jobs) {
		return false;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		ret_entry[age] = transfer->jobs[n].entry[age];
	}
	return true;
}

uint32_t state_pair_partner(const struct state_transfer *transfer, uint32_t old_entry)
{
	return transfer->partner[old_entry];
}
