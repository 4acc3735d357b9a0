/*
 * Pairing: everything that depends on binaries only, in its order.
 *
 *	descriptions checked, partners of entries (partner.c)
 *	variables     each with a partner gets a plan; without: it is lost, dropped or refused
 *	sites         where objects come from, and what they become (site.c)
 *	handlers      their defaults, when all plans are made
 *	losses        refused together, unless consented to
 *	items         all that old pointers may lead to, sorted by address (item.c)
 *
 * It runs in a new instance before the switch, where it may take its time and its failure costs
 * nothing but the update; and on the host before anything is staged, by the same code, so that
 * what is shown there is what the machine will do. What depends on values is left for the
 * transfer.
 *
 * A release that follows itself in another layout is one description at one address: then every
 * entry is its own partner, no name is compared, and renamings are its past. Plans and items are
 * made as ever, since they hold addresses.
 *
 * The descriptions are signed, but checked as if they were not: here, or by whoever shows them. Constants are not carried over:
 * the new release has its own.
 */
#include <string.h>

#include "proto/state/pair/pairing.h"

/* What was reported first is the reason, whatever code came up the calls. */
static enum state_code pair_code(const struct state_report *r, enum state_code code)
{
	return r->result->code != STATE_OK ? r->result->code : code;
}

/*
 * The address vector must have one address for each entry: it belongs to a variant of this
 * release.
 */
static bool pair_check_addresses(
        struct state_pairing *p, enum state_age age, const struct state_side *side)
{
	const struct state_desc *desc = &p->sides.desc[age];

	if (side->n_addr != desc->n_entries) {
		(void)state_fail(&p->report, STATE_E_SETUP, "address vector is for another release",
		        side->n_addr);
		return false;
	}
	p->sides.addr[age] = side->addr;
	return true;
}

/* A release that follows itself is read once. */
static bool pair_read_sides(struct state_pairing *p, const struct state_setup *setup)
{
	struct state_desc *desc = p->sides.desc;

	p->sides.is_same = setup->old.desc == setup->new.desc;
	state_desc_read(setup->old.desc, &desc[STATE_OLD]);
	if (p->sides.is_same) {
		desc[STATE_NEW] = desc[STATE_OLD];
	} else {
		state_desc_read(setup->new.desc, &desc[STATE_NEW]);
	}
	return pair_check_addresses(p, STATE_OLD, &setup->old) &&
	       pair_check_addresses(p, STATE_NEW, &setup->new);
}

/* The pairing lies at the start of the scratch memory that it works in. */
static struct state_pairing *pair_new(const struct state_setup *setup, struct state_result *result)
{
	struct state_pairing *p = setup->scratch;

	memset(result, 0, sizeof(*result));
	if (setup->scratch_size < sizeof(*p) || (uintptr_t)setup->scratch % 16 != 0) {
		result->code = STATE_E_SCRATCH;
		return NULL;
	}
	memset(p, 0, sizeof(*p));
	p->report = (struct state_report){
	        .result = result,
	        .sides = &p->sides,
	        .where = &p->where,
	        .accepts_loss = setup->accepts_loss,
	        .scratch.base = setup->scratch,
	        .scratch.low = (sizeof(*p) + 15) & ~UINT64_C(15),
	        .scratch.high = setup->scratch_size & ~UINT64_C(15),
	};
	p->maker.report = &p->report;
	p->maker.sides = &p->sides;
	p->where.entry = STATE_NONE;
	return p;
}

/* An old entry's new entry, or STATE_NONE when it has none that this variant contains. */
static uint32_t pair_partner_live(const struct state_pairing *p, uint32_t i)
{
	uint32_t k = p->partner[i];

	return k != STATE_NONE && p->sides.addr[STATE_NEW][k] != 0 ? k : STATE_NONE;
}

static bool pair_is_readonly(const struct state_desc *desc, uint32_t i)
{
	return (desc->entries[i].flags & STATE_ENTRY_READONLY) != 0;
}

/*
 * A plan for one variable, annotations of the variable counted in. NULL and no error: skip it. A
 * variable that is larger than its type ends in a flexible array, whose length nobody knows.
 */
static const struct state_plan *pair_variable_plan(struct state_pairing *p, uint32_t i, uint32_t k)
{
	const struct state_entry *x = &p->sides.desc[STATE_OLD].entries[i];
	const struct state_entry *y = &p->sides.desc[STATE_NEW].entries[k];
	struct state_notes old = state_notes_of_entry(&p->sides.desc[STATE_OLD], i);
	struct state_notes new = state_notes_of_entry(&p->sides.desc[STATE_NEW], k);

	if (new.skip) {
		state_drop(&p->report, 0, "");
		return NULL;
	}
	if (x->size != state_type_size(&p->sides.desc[STATE_OLD], x->type)) {
		(void)state_fail(
		        &p->report, STATE_E_TYPE, "variable ends in a flexible array", x->size);
		return NULL;
	}
	if (old.handler == NULL && new.handler == NULL && !new.raw && old.version == new.version) {
		return state_plan_get(&p->maker, x->type, y->type);
	}
	return state_plan_of_notes(&p->maker, x->type, y->type, &old, &new);
}

static bool pair_has_moved(const struct state_sides *s, uint32_t i, uint32_t k)
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];
	const struct state_entry *x = &a->entries[i];
	const struct state_entry *y = &b->entries[k];

	return strcmp(state_desc_string(a, x->unit), state_desc_string(b, y->unit)) != 0 ||
	       strcmp(state_desc_string(a, x->scope), state_desc_string(b, y->scope)) != 0;
}

/*
 * One old variable that this variant has and that can be written. Skipped in the old release it is
 * no state; without a partner that can be written it has no place.
 */
static enum state_code pair_variable(struct state_pairing *p, uint32_t i)
{
	uint32_t k = pair_partner_live(p, i);
	struct state_notes notes = state_notes_of_entry(&p->sides.desc[STATE_OLD], i);
	struct state_job *job = &p->jobs[p->n_jobs];

	if (p->sides.addr[STATE_OLD][i] == 0 || pair_is_readonly(&p->sides.desc[STATE_OLD], i)) {
		return STATE_OK;
	}
	p->where.age = STATE_OLD;
	p->where.entry = i;
	if (notes.skip) {
		return STATE_OK;
	}
	if (k == STATE_NONE || pair_is_readonly(&p->sides.desc[STATE_NEW], k)) {
		state_lose_entry(&p->report, i, p->unsure[i]);
		return STATE_OK;
	}
	job->plan = pair_variable_plan(p, i, k);
	if (job->plan == NULL) {
		return p->report.result->code;
	}
	if (pair_has_moved(&p->sides, i, k)) {
		state_moved(&p->report, i, k);
	}
	job->entry[STATE_OLD] = i;
	job->entry[STATE_NEW] = k;
	job->addr[STATE_OLD] = p->sides.addr[STATE_OLD][i];
	job->addr[STATE_NEW] = p->sides.addr[STATE_NEW][k];
	p->n_jobs++;
	return STATE_OK;
}

static enum state_code pair_variables(struct state_pairing *p)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(&p->sides.desc[STATE_OLD], STATE_VARIABLE, &n);

	p->jobs = state_keep(&p->report, (uint64_t)n * sizeof(*p->jobs));
	if (p->jobs == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t i = first; i < first + n; i++) {
		enum state_code code = pair_variable(p, i);

		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

/*
 * The old heap's root, by the rule that is RS's too. A name that several variables have would let
 * a release choose which memory is believed to be the heap.
 */
static enum state_code pair_heap_root(struct state_pairing *p)
{
	uint32_t root[_STATE_AGE_N];

	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		if (!state_desc_find_global(&p->sides.desc[age], STATE_HEAP_ROOT, &root[age])) {
			return state_fail_named(&p->report, STATE_E_DESCRIPTION,
			        "several variables of a release are named", STATE_HEAP_ROOT);
		}
	}
	p->heap_root =
	        root[STATE_OLD] != STATE_NONE ? p->sides.addr[STATE_OLD][root[STATE_OLD]] : 0;
	return STATE_OK;
}

/* Quietly: a default that cannot be made is an answer to the handler, not an error. */
static enum state_code pair_handlers(struct state_pairing *p)
{
	state_plan_defaults(&p->maker);
	return p->report.result->code;
}

/* The first step that fails ends it; *ret is set on success only. */
enum state_code state_pair(
        const struct state_setup *setup, struct state_result *result, struct state_pairing **ret)
{
	struct state_pairing *p = pair_new(setup, result);
	enum state_code code;

	if (p == NULL) {
		return result->code;
	}
	if (!pair_read_sides(p, setup)) {
		return pair_code(&p->report, STATE_E_SCRATCH);
	}
	code = state_partners_make(p);
	if (code == STATE_OK) {
		code = pair_heap_root(p);
	}
	if (code == STATE_OK) {
		code = pair_variables(p);
	}
	if (code == STATE_OK) {
		code = state_sites_pair(p);
	}
	p->where.entry = STATE_NONE;
	if (code == STATE_OK) {
		code = pair_handlers(p);
	}
	if (code == STATE_OK) {
		code = state_loss_check(&p->report);
	}
	if (code == STATE_OK) {
		code = state_items_make(p);
	}
	code = pair_code(&p->report, code);
	if (code == STATE_OK) {
		*ret = p;
	}
	return code;
}

bool state_pair_variable(const struct state_pairing *pairing, uint32_t n, uint32_t ret_entry[2])
{
	if (n >= pairing->n_jobs) {
		return false;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		ret_entry[age] = pairing->jobs[n].entry[age];
	}
	return true;
}

uint32_t state_pair_partner(const struct state_pairing *pairing, uint32_t old_entry)
{
	return pairing->partner[old_entry];
}

const struct state_notice *state_pair_notices(const struct state_pairing *pairing)
{
	return pairing->report.notices;
}
