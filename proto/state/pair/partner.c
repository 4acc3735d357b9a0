/*
 * Which entry of the new release an old entry becomes. A key is (file, function, name); entries of
 * both descriptions are sorted by it, so that pairing them is one merge. But names change, and a
 * name that pairs wrongly would be filled with another one's state. So, in this order:
 *
 * - what says that it was renamed or moved claims its former self (partner_rename);
 * - what the old release renamed and the new one does not speak of is in doubt, and refused if both
 *   of its names are in use (partner_check_back);
 * - all others pair by their keys (partner_merge);
 * - what is left has perhaps moved, and pairs with the only one of its name and type (stray.c).
 *
 * A release that follows itself needs none of this: each entry is its own partner.
 *
 * An annotation that names what does not exist claims nothing: releases keep such notes for the
 * sake of older ones. Two that claim one are an error of the release.
 */
#include <string.h>

#include "proto/state/pair/pairing.h"

static bool partner_text_same(const char *x, const char *y)
{
	return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static const char *partner_tag(const struct state_desc *desc, uint32_t i, const char *key)
{
	return state_desc_tag(desc, STATE_TAG_ENTRY, i, STATE_TAG_SELF, key, 0);
}

/*
 * The other side's entry of this name in "FILE" or "FILE, FUNCTION", STATE_NONE, or fails if there
 * are several. A file is named by the end of its path. Without a function: in the function of the
 * same name, or in none.
 */
static enum state_code partner_former_in(
        struct state_report *r, enum state_age age, uint32_t k, const char *name, uint32_t *ret)
{
	const struct state_desc *a = &r->sides->desc[!age];
	const struct state_entry *entry = &r->sides->desc[age].entries[k];
	const char *moved = partner_tag(&r->sides->desc[age], k, "moved");
	const char *comma = strchr(moved, ',');
	const char *scope = state_desc_string(&r->sides->desc[age], entry->scope);
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
			return state_fail(r, STATE_E_ANNOTATION,
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
        struct state_report *r, enum state_age age, uint32_t k, uint32_t *ret, uint32_t *ret_same)
{
	const struct state_desc *a = &r->sides->desc[!age];
	const struct state_desc *b = &r->sides->desc[age];
	const struct state_entry *entry = &b->entries[k];
	enum state_entry_kind kind = (enum state_entry_kind)entry->kind;
	const char *unit = state_desc_string(b, entry->unit);
	const char *scope = state_desc_string(b, entry->scope);
	const char *name = partner_tag(b, k, "renamed");
	const char *moved = partner_tag(b, k, "moved");
	const char *own = state_desc_string(b, entry->name);

	*ret = STATE_NONE;
	*ret_same = STATE_NONE;
	if ((moved == NULL && (name == NULL || strcmp(name, own) == 0)) || kind == STATE_STRING) {
		return STATE_OK; /* of its own name: a function that is called in another way */
	}
	*ret_same = state_desc_find(a, kind, unit, scope, own);
	if (*ret_same != STATE_NONE &&
	        partner_text_same(partner_tag(a, *ret_same, "renamed"), name) &&
	        partner_text_same(partner_tag(a, *ret_same, "moved"), moved)) {
		return STATE_OK;
	}
	if (moved != NULL) {
		return partner_former_in(r, age, k, name != NULL ? name : own, ret);
	}
	*ret = state_desc_find(a, kind, unit, scope, name);
	return STATE_OK;
}

/* The old entry of a new one's own file, function and name. */
static uint32_t partner_namesake(const struct state_sides *s, uint32_t k)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];
	const struct state_entry *entry = &desc->entries[k];

	return state_desc_find(&s->desc[STATE_OLD], (enum state_entry_kind)entry->kind,
	        state_desc_string(desc, entry->unit), state_desc_string(desc, entry->scope),
	        state_desc_string(desc, entry->name));
}

/* Two may not have been one, be it in this release's past or only in its words. */
static enum state_code partner_check_renames(struct state_report *r)
{
	const struct state_desc *desc = &r->sides->desc[STATE_NEW];

	for (uint32_t k = 0; k < desc->n_entries; k++) {
		const struct state_entry *x = &desc->entries[k];
		const char *name = partner_tag(desc, k, "renamed");

		for (uint32_t i = 0; name != NULL && i < k; i++) {
			const struct state_entry *y = &desc->entries[i];

			if (x->kind == y->kind &&
			        partner_text_same(partner_tag(desc, i, "renamed"), name) &&
			        partner_text_same(partner_tag(desc, i, "moved"),
			                partner_tag(desc, k, "moved")) &&
			        strcmp(state_desc_string(desc, x->unit),
			                state_desc_string(desc, y->unit)) == 0 &&
			        strcmp(state_desc_string(desc, x->scope),
			                state_desc_string(desc, y->scope)) == 0) {
				r->where->age = STATE_NEW;
				r->where->entry = k;
				return state_fail(r, STATE_E_ANNOTATION, RENAMED_TWICE, 0);
			}
		}
	}
	return STATE_OK;
}

/* Who was renamed or moved claims his partner; taken[k] says how new entry k got one. */
static enum state_code partner_rename(struct state_pairing *p, uint8_t taken[])
{
	for (uint32_t k = 0; k < p->sides.desc[STATE_NEW].n_entries; k++) {
		uint32_t i;
		uint32_t same;
		enum state_code code;

		p->where.age = STATE_NEW;
		p->where.entry = k;
		code = partner_former(&p->report, STATE_NEW, k, &i, &same);
		if (code != STATE_OK) {
			return code;
		}
		if (i == STATE_NONE) {
			continue;
		}
		if (p->partner[i] != STATE_NONE) {
			return state_fail(&p->report, STATE_E_ANNOTATION, RENAMED_TWICE, 0);
		}
		p->partner[i] = k;
		taken[k] = STATE_TAKEN_BY_NOTE;
	}
	p->where.entry = STATE_NONE;
	return STATE_OK;
}

/*
 * What the old release renamed, and the new one does not say so although the former name is there
 * again: a release from before the renaming, or one that has dropped the note and uses the name for
 * something else. By their names they would pair in both cases, in one of them wrongly.
 */
static enum state_code partner_check_back(struct state_pairing *p, const uint8_t taken[])
{
	for (uint32_t i = 0; i < p->sides.desc[STATE_OLD].n_entries; i++) {
		uint32_t former;
		uint32_t same;
		enum state_code code;

		p->where.age = STATE_OLD;
		p->where.entry = i;
		code = partner_former(&p->report, STATE_OLD, i, &former, &same);
		if (code != STATE_OK) {
			return code;
		}
		if (former == STATE_NONE || taken[former] || p->partner[i] != STATE_NONE ||
		        (same != STATE_NONE && taken[same])) {
			continue;
		}
		if (same != STATE_NONE || (partner_namesake(&p->sides, former) != STATE_NONE &&
		                                  !state_entry_is_dropped(&p->sides, i))) {
			return state_fail(&p->report, STATE_E_ANNOTATION, RENAMED_BACK, 0);
		}
	}
	p->where.entry = STATE_NONE;
	return STATE_OK;
}

/* All others pair by their keys, unless one of the two has a partner. */
static void partner_merge(struct state_pairing *p, uint8_t taken[])
{
	const struct state_desc *a = &p->sides.desc[STATE_OLD];
	const struct state_desc *b = &p->sides.desc[STATE_NEW];
	uint32_t i = 0;
	uint32_t k = 0;

	while (i < a->n_entries && k < b->n_entries) {
		const struct state_entry *x = &a->entries[i];
		const struct state_entry *y = &b->entries[k];
		int order = x->kind != y->kind ? (x->kind < y->kind ? -1 : 1)
		                               : state_entry_compare(a, x, b, y);

		if (order == 0 && p->partner[i] == STATE_NONE && !taken[k]) {
			p->partner[i] = k;
			/* Equal string literals may be several on one side and one on the other. */
			taken[k] = y->kind != STATE_STRING ? STATE_TAKEN_BY_KEY : STATE_TAKEN_NOT;
		}
		i += order <= 0;
		k += order > 0 || (order == 0 && y->kind != STATE_STRING);
	}
}

/*
 * Of two releases. `taken` says of each new entry how it got its partner, and is only needed here:
 * it is popped at the end.
 */
static enum state_code partner_find_all(struct state_pairing *p)
{
	uint64_t high = p->report.scratch.high;
	uint8_t *taken = state_stack(&p->report, p->sides.desc[STATE_NEW].n_entries);
	enum state_code code;

	if (taken == NULL) {
		return STATE_E_SCRATCH;
	}
	code = partner_check_renames(&p->report);
	if (code == STATE_OK) {
		code = partner_rename(p, taken);
	}
	if (code == STATE_OK) {
		code = partner_check_back(p, taken);
	}
	if (code == STATE_OK) {
		partner_merge(p, taken);
		code = state_names_prepare(&p->sides, &p->report);
	}
	if (code == STATE_OK) {
		code = state_strays_pair(p, taken);
	}
	p->report.scratch.high = high;
	return code;
}

enum state_code state_partners_make(struct state_pairing *p)
{
	uint32_t n = p->sides.desc[STATE_OLD].n_entries;

	p->partner = state_keep(&p->report, (uint64_t)n * sizeof(*p->partner));
	p->unsure = state_keep(&p->report, n);
	if (p->partner == NULL || p->unsure == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t i = 0; i < n; i++) {
		p->partner[i] = p->sides.is_same ? i : STATE_NONE;
	}
	return p->sides.is_same ? STATE_OK : partner_find_all(p);
}
