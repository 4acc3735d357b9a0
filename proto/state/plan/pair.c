/*
 * Pairing: everything that depends on binaries only. Entries of both descriptions are
 * sorted by the same key, so that pairing them is one merge; what was renamed finds its partner
 * by its annotation, what moved to another file by its name and type (stray.c). Variables and sites
 * with a partner get their plans; all that old pointers may lead to becomes one table, sorted by
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

bool state_unit_matches(const char *unit, const char *file, size_t len)
{
	size_t all = strlen(unit);

	return all >= len && memcmp(unit + all - len, file, len) == 0 &&
	       (all == len || unit[all - len - 1] == '/');
}

static bool text_same(const char *x, const char *y)
{
	return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static const char *entry_tag(const struct state_desc *desc, uint32_t i, const char *key)
{
	return state_desc_tag(desc, STATE_TAG_ENTRY, i, STATE_TAG_SELF, key, 0);
}

/*
 * The other side's entry of this name in "FILE" or "FILE, FUNCTION", STATE_NONE, or fails if there
 * are several. Without a function: in the function of the same name, or in none.
 */
static enum state_code former_in(
        struct state_transfer *t, enum state_age age, uint32_t k, const char *name, uint32_t *ret)
{
	const struct state_desc *a = &t->desc[!age];
	const struct state_entry *entry = &t->desc[age].entries[k];
	const char *moved = entry_tag(&t->desc[age], k, "moved");
	const char *comma = strchr(moved, ',');
	const char *scope = state_desc_string(&t->desc[age], entry->scope);
	size_t len = comma != NULL ? (size_t)(comma - moved) : strlen(moved);
	uint32_t n;
	uint32_t first = state_desc_kind_first(a, (enum state_entry_kind)entry->kind, &n);
	bool is_near = false;

	if (comma != NULL) {
		scope = comma + 1 + strspn(comma + 1, " ");
	}
	*ret = STATE_NONE;
	for (uint32_t i = first; i < first + n; i++) {
		const char *old_scope = state_desc_string(a, a->entries[i].scope);
		bool same = strcmp(old_scope, scope) == 0;

		if (strcmp(state_desc_string(a, a->entries[i].name), name) != 0 ||
		        !state_unit_matches(state_desc_string(a, a->entries[i].unit), moved, len) ||
		        (!same && (comma != NULL || old_scope[0] != 0))) {
			continue;
		}
		if (*ret != STATE_NONE && is_near == same) {
			return state_fail(t, STATE_E_ANNOTATION,
			        "moved from a file of which there are several", 0);
		}
		if (*ret == STATE_NONE || same) {
			*ret = i;
			is_near = same;
		}
	}
	return STATE_OK;
}

/*
 * The other side's entry that one names as its former self: STATE_NONE, too, if its namesake there
 * says so by the same words. A renaming that both releases know is history: the former name may be
 * another one's by now. *ret_same is the namesake, or STATE_NONE.
 */
static enum state_code partner_former(
        struct state_transfer *t, enum state_age age, uint32_t k, uint32_t *ret, uint32_t *ret_same)
{
	const struct state_desc *a = &t->desc[!age];
	const struct state_desc *b = &t->desc[age];
	const struct state_entry *entry = &b->entries[k];
	enum state_entry_kind kind = (enum state_entry_kind)entry->kind;
	const char *unit = state_desc_string(b, entry->unit);
	const char *scope = state_desc_string(b, entry->scope);
	const char *name = entry_tag(b, k, "renamed");
	const char *moved = entry_tag(b, k, "moved");
	const char *own = state_desc_string(b, entry->name);

	*ret = STATE_NONE;
	*ret_same = STATE_NONE;
	if ((moved == NULL && (name == NULL || strcmp(name, own) == 0)) || kind == STATE_STRING) {
		return STATE_OK; /* of its own name: a function that is called in another way */
	}
	*ret_same = state_desc_find(a, kind, unit, scope, own);
	if (*ret_same != STATE_NONE && text_same(entry_tag(a, *ret_same, "renamed"), name) &&
	        text_same(entry_tag(a, *ret_same, "moved"), moved)) {
		return STATE_OK;
	}
	if (moved != NULL) {
		return former_in(t, age, k, name != NULL ? name : own, ret);
	}
	*ret = state_desc_find(a, kind, unit, scope, name);
	return STATE_OK;
}

/* The old entry of a new one's own file, function and name. */
static uint32_t entry_namesake(const struct state_transfer *t, uint32_t k)
{
	const struct state_desc *desc = &t->desc[STATE_NEW];
	const struct state_entry *entry = &desc->entries[k];

	return state_desc_find(&t->desc[STATE_OLD], (enum state_entry_kind)entry->kind,
	        state_desc_string(desc, entry->unit), state_desc_string(desc, entry->scope),
	        state_desc_string(desc, entry->name));
}

/* Two may not have been one, be it in this release's past or only in its words. */
static enum state_code renames_check(struct state_transfer *t)
{
	const struct state_desc *desc = &t->desc[STATE_NEW];

	for (uint32_t k = 0; k < desc->n_entries; k++) {
		const struct state_entry *x = &desc->entries[k];
		const char *name = entry_tag(desc, k, "renamed");

		for (uint32_t i = 0; name != NULL && i < k; i++) {
			const struct state_entry *y = &desc->entries[i];

			if (x->kind == y->kind && text_same(entry_tag(desc, i, "renamed"), name) &&
			        text_same(
			                entry_tag(desc, i, "moved"), entry_tag(desc, k, "moved")) &&
			        strcmp(state_desc_string(desc, x->unit),
			                state_desc_string(desc, y->unit)) == 0 &&
			        strcmp(state_desc_string(desc, x->scope),
			                state_desc_string(desc, y->scope)) == 0) {
				t->root_age = STATE_NEW;
				t->root_entry = k;
				return state_fail(t, STATE_E_ANNOTATION, RENAMED_TWICE, 0);
			}
		}
	}
	return STATE_OK;
}

/* Who was renamed or moved claims his partner; taken[k] says how new entry k got one. */
static enum state_code partners_rename(struct state_transfer *t, uint8_t taken[])
{
	for (uint32_t k = 0; k < t->desc[STATE_NEW].n_entries; k++) {
		uint32_t i;
		uint32_t same;
		enum state_code code;

		t->root_age = STATE_NEW;
		t->root_entry = k;
		code = partner_former(t, STATE_NEW, k, &i, &same);
		if (code != STATE_OK) {
			return code;
		}
		if (i == STATE_NONE) {
			continue;
		}
		if (t->partner[i] != STATE_NONE) {
			return state_fail(t, STATE_E_ANNOTATION, RENAMED_TWICE, 0);
		}
		t->partner[i] = k;
		taken[k] = STATE_TAKEN_BY_NOTE;
	}
	t->root_entry = STATE_NONE;
	return STATE_OK;
}

/*
 * What the old release renamed, and the new one does not say so although the former name is there
 * again: a release from before the renaming, or one that has dropped the note and uses the name for
 * something else. By their names they would pair in both cases, in one of them wrongly.
 */
static enum state_code partners_check_back(struct state_transfer *t, const uint8_t taken[])
{
	for (uint32_t i = 0; i < t->desc[STATE_OLD].n_entries; i++) {
		uint32_t former;
		uint32_t same;
		enum state_code code;

		t->root_age = STATE_OLD;
		t->root_entry = i;
		code = partner_former(t, STATE_OLD, i, &former, &same);
		if (code != STATE_OK) {
			return code;
		}
		if (former == STATE_NONE || taken[former] || t->partner[i] != STATE_NONE ||
		        (same != STATE_NONE && taken[same])) {
			continue;
		}
		if (same != STATE_NONE || (entry_namesake(t, former) != STATE_NONE &&
		                                  !state_entry_is_dropped(t, i))) {
			return state_fail(t, STATE_E_ANNOTATION, RENAMED_BACK, 0);
		}
	}
	t->root_entry = STATE_NONE;
	return STATE_OK;
}

/* All others pair by their keys, unless one of the two has a partner. */
static void partners_merge(struct state_transfer *t, uint8_t taken[])
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
	uint32_t i = 0;
	uint32_t k = 0;

	while (i < a->n_entries && k < b->n_entries) {
		const struct state_entry *x = &a->entries[i];
		const struct state_entry *y = &b->entries[k];
		int order = x->kind != y->kind ? (x->kind < y->kind ? -1 : 1)
		                               : state_entry_compare(a, x, b, y);

		if (order == 0 && t->partner[i] == STATE_NONE && !taken[k]) {
			t->partner[i] = k;
			/* Equal string literals may be several on one side and one on the other. */
			taken[k] = y->kind != STATE_STRING ? STATE_TAKEN_BY_KEY : STATE_TAKEN_NOT;
		}
		i += order <= 0;
		k += order > 0 || (order == 0 && y->kind != STATE_STRING);
	}
}

static enum state_code partners_make(struct state_transfer *t)
{
	uint32_t n = t->desc[STATE_OLD].n_entries;
	uint64_t high = t->high;
	uint8_t *taken = state_stack(t, t->desc[STATE_NEW].n_entries);
	enum state_code code;

	t->partner = state_keep(t, (uint64_t)n * sizeof(*t->partner));
	t->unsure = state_keep(t, n);
	if (taken == NULL || t->partner == NULL || t->unsure == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t i = 0; i < n; i++) {
		t->partner[i] = STATE_NONE;
	}
	code = renames_check(t);
	if (code == STATE_OK) {
		code = partners_rename(t, taken);
	}
	if (code == STATE_OK) {
		code = partners_check_back(t, taken);
	}
	if (code == STATE_OK) {
		partners_merge(t, taken);
		code = state_names_prepare(t);
	}
	if (code == STATE_OK) {
		code = state_strays_pair(t, taken);
	}
	t->high = high;
	return code;
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
	code = partners_make(t);
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
