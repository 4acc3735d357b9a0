/*
 * Sites: where the old instance's objects were allocated, and with which new site and plan they
 * are made again. A site is one call of heap_new(), known by its function and number; the pages of
 * the old heap name it by address, so the table is sorted by that.
 *
 * A site moves with its function and number. If that is another type now, any site of the new
 * release will do that allocates the same type, nearest first: the same function, file, anywhere.
 * An old site without one is no error yet: whether it has objects, only the transfer sees.
 */
#include <string.h>

#include "proto/state/pair/pairing.h"

/*
 * How near is a new site to an old one; 0: of another type, or not in this variant. A site of the
 * same key whose type was renamed without a note still beats a site in another file.
 */
static unsigned site_rank(const struct state_pairing *p, uint32_t i, uint32_t k)
{
	const struct state_desc *a = &p->sides.desc[STATE_OLD];
	const struct state_desc *b = &p->sides.desc[STATE_NEW];
	const struct state_entry *x = &a->entries[i];
	const struct state_entry *y = &b->entries[k];
	bool is_key = p->partner[i] == k;
	bool same_unit = strcmp(state_desc_string(a, x->unit), state_desc_string(b, y->unit)) == 0;

	if (p->sides.addr[STATE_NEW][k] == 0 ||
	        !state_types_alike(&p->sides, x->type, y->type, !is_key)) {
		return 0;
	}
	if (is_key) {
		return state_types_alike(&p->sides, x->type, y->type, true) ? 5 : 2;
	}
	if (!same_unit) {
		return 1;
	}
	return strcmp(state_desc_string(a, x->scope), state_desc_string(b, y->scope)) == 0 ? 4 : 3;
}

/* The nearest; of several as near, the first in the order of entries. */
static uint32_t site_partner(const struct state_pairing *p, uint32_t i)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(&p->sides.desc[STATE_NEW], STATE_SITE, &n);
	uint32_t best = STATE_NONE;
	unsigned best_rank = 0;

	if (p->sides.is_same && p->sides.addr[STATE_NEW][i] != 0) {
		return i;
	}
	for (uint32_t k = first; k < first + n; k++) {
		unsigned rank = site_rank(p, i, k);

		if (rank > best_rank) {
			best = k;
			best_rank = rank;
		}
	}
	return best;
}

/* NULL plans are errors here: objects of a site with a partner must have one. */
static enum state_code site_fill(struct state_pairing *p, struct state_site *site, uint32_t i)
{
	uint32_t k = site_partner(p, i);
	uint32_t entry[_STATE_AGE_N] = {i, k};

	site->old_addr = p->sides.addr[STATE_OLD][i];
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		site->entry[age] = entry[age];
		if (entry[age] != STATE_NONE) {
			const struct state_entry *e = &p->sides.desc[age].entries[entry[age]];

			site->size[age] = (uint32_t)e->size;
			site->type[age] = state_type_strip(&p->sides.desc[age], e->type);
		}
	}
	p->where.age = STATE_OLD;
	p->where.entry = i;
	if (k == STATE_NONE) {
		state_risk(&p->report, STATE_THING_OBJECTS, site->type[STATE_OLD], "", 0);
		return STATE_OK;
	}
	site->new_addr = p->sides.addr[STATE_NEW][k];
	site->align = p->sides.desc[STATE_NEW].entries[k].align;
	site->align = site->align != 0 ? site->align : 16;
	site->plan = state_plan_get(&p->maker, p->sides.desc[STATE_OLD].entries[i].type,
	        p->sides.desc[STATE_NEW].entries[k].type);
	return site->plan == NULL ? p->report.result->code : STATE_OK;
}

/* Keep the table sorted by old address. */
static void site_sink(struct state_site *sites, uint32_t i)
{
	for (; i > 0 && sites[i - 1].old_addr > sites[i].old_addr; i--) {
		struct state_site swap = sites[i];

		sites[i] = sites[i - 1];
		sites[i - 1] = swap;
	}
}

enum state_code state_sites_pair(struct state_pairing *p)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(&p->sides.desc[STATE_OLD], STATE_SITE, &n);

	p->sites.site = state_keep(&p->report, (uint64_t)n * sizeof(*p->sites.site));
	if (p->sites.site == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t i = first; i < first + n; i++) {
		enum state_code code;

		if (p->sides.addr[STATE_OLD][i] == 0) {
			continue;
		}
		code = site_fill(p, &p->sites.site[p->sites.n], i);
		if (code != STATE_OK) {
			return code;
		}
		site_sink(p->sites.site, p->sites.n++);
	}
	return STATE_OK;
}

struct state_site *state_site_find(const struct state_sites *sites, uint64_t old_addr)
{
	uint32_t first = 0;
	uint32_t n = sites->n;

	while (n > 0) {
		uint32_t middle = first + n / 2;

		if (sites->site[middle].old_addr == old_addr) {
			return &sites->site[middle];
		}
		if (sites->site[middle].old_addr < old_addr) {
			n -= n / 2 + 1;
			first = middle + 1;
		} else {
			n /= 2;
		}
	}
	return NULL;
}
