/*
 * Strays: variables and functions that have no partner in their own file and function. What has the
 * same name and type elsewhere, and is the only one of them in both releases, has moved: first
 * among those in functions of the same name, then among all. If there are several, be they strays
 * or not, nobody knows which is which (a file that is gone may have been renamed, or another's
 * variable moved out), and the old one counts as lost unless an annotation says more.
 */
#include <string.h>

#include "proto/state/pair/pairing.h"

#define STRAY_BUCKETS 256 /* a power of two */

struct strays {
	struct state_pairing *p;
	uint8_t *taken;               /* of new entries: enum state_taken */
	uint32_t *head[_STATE_AGE_N]; /* by name */
	uint32_t *next[_STATE_AGE_N]; /* by entry */
	bool by_scope;
};

static const char *stray_name(const struct strays *s, enum state_age age, uint32_t i)
{
	const struct state_desc *desc = &s->p->sides.desc[age];

	return state_desc_string(desc, desc->entries[i].name);
}

static const char *stray_scope(const struct strays *s, enum state_age age, uint32_t i)
{
	const struct state_desc *desc = &s->p->sides.desc[age];

	return state_desc_string(desc, desc->entries[i].scope);
}

static unsigned stray_bucket(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != 0; name++) {
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	}
	return (hash ^ hash >> 16) % STRAY_BUCKETS;
}

/* Does it need a partner still, and does this variant have it? */
static bool stray_is(const struct strays *s, enum state_age age, uint32_t i)
{
	if (s->p->sides.addr[age][i] == 0) {
		return false;
	}
	return age == STATE_OLD ? s->p->partner[i] == STATE_NONE &&
	                                  !state_entry_is_named_dropped(&s->p->sides, i)
	                        : !s->taken[i];
}

/* May it be mistaken for a stray? Not what somebody said where it came from, or that it is gone. */
static bool stray_is_rival(const struct strays *s, enum state_age age, uint32_t i)
{
	uint32_t k = age == STATE_OLD ? s->p->partner[i] : i;

	if (k == STATE_NONE) {
		return stray_is(s, age, i);
	}
	return s->p->sides.addr[age][i] != 0 && s->taken[k] != STATE_TAKEN_BY_NOTE;
}

/*
 * All that may be mistaken for one another, in buckets by name, on the stack of scratch memory:
 * without them each stray would be compared with every entry.
 */
static bool stray_collect(struct strays *s, enum state_age age)
{
	const struct state_desc *desc = &s->p->sides.desc[age];

	s->head[age] = state_stack(&s->p->report, STRAY_BUCKETS * sizeof(*s->head[age]));
	s->next[age] =
	        state_stack(&s->p->report, (uint64_t)desc->n_entries * sizeof(*s->next[age]));
	if (s->head[age] == NULL || s->next[age] == NULL) {
		return false;
	}
	memset(s->head[age], 0xff, STRAY_BUCKETS * sizeof(*s->head[age]));
	for (uint32_t i = 0; i < desc->n_entries; i++) {
		uint32_t kind = desc->entries[i].kind;

		if ((kind == STATE_VARIABLE || kind == STATE_FUNCTION) &&
		        stray_is_rival(s, age, i)) {
			unsigned bucket = stray_bucket(stray_name(s, age, i));

			s->next[age][i] = s->head[age][bucket];
			s->head[age][bucket] = i;
		}
	}
	return true;
}

static bool stray_match(const struct strays *s, uint32_t i, uint32_t k)
{
	const struct state_entry *x = &s->p->sides.desc[STATE_OLD].entries[i];
	const struct state_entry *y = &s->p->sides.desc[STATE_NEW].entries[k];

	return x->kind == y->kind &&
	       strcmp(stray_name(s, STATE_OLD, i), stray_name(s, STATE_NEW, k)) == 0 &&
	       (!s->by_scope ||
	               strcmp(stray_scope(s, STATE_OLD, i), stray_scope(s, STATE_NEW, k)) == 0) &&
	       state_types_alike(&s->p->sides, x->type, y->type, true) &&
	       (x->kind != STATE_FUNCTION || state_signatures_match(&s->p->sides, i, k));
}

/*
 * How many of the other side match entry i of this one; *ret is the last
 * stray of them, or STATE_NONE.
 */
static uint32_t stray_count(const struct strays *s, enum state_age age, uint32_t i, uint32_t *ret)
{
	enum state_age other = age == STATE_OLD ? STATE_NEW : STATE_OLD;
	uint32_t n = 0;

	*ret = STATE_NONE;
	for (uint32_t k = s->head[other][stray_bucket(stray_name(s, age, i))]; k != STATE_NONE;
	        k = s->next[other][k]) {
		if (age == STATE_OLD ? stray_match(s, i, k) : stray_match(s, k, i)) {
			*ret = stray_is(s, other, k) ? k : *ret;
			n++;
		}
	}
	return n;
}

/*
 * One old stray: paired if it is the only one of its kind both ways. If there are candidates and
 * none is chosen, it is marked as unsure, which its loss then says.
 */
static void stray_pair(const struct strays *s, uint32_t i)
{
	uint32_t k;
	uint32_t back;
	uint32_t n = stray_count(s, STATE_OLD, i, &k);

	if (n == 1 && k != STATE_NONE && stray_count(s, STATE_NEW, k, &back) == 1) {
		s->p->partner[i] = k;
		s->taken[k] = STATE_TAKEN_MOVED;
	}
	s->p->unsure[i] = k != STATE_NONE && s->p->partner[i] == STATE_NONE;
}

static void stray_pass(const struct strays *s)
{
	for (unsigned bucket = 0; bucket < STRAY_BUCKETS; bucket++) {
		for (uint32_t i = s->head[STATE_OLD][bucket]; i != STATE_NONE;
		        i = s->next[STATE_OLD][i]) {
			if (stray_is(s, STATE_OLD, i)) {
				stray_pair(s, i);
			}
		}
	}
}

enum state_code state_strays_pair(struct state_pairing *p, uint8_t taken[])
{
	struct strays s = {.p = p, .taken = taken, .by_scope = true};

	if (!stray_collect(&s, STATE_OLD) || !stray_collect(&s, STATE_NEW)) {
		return STATE_E_SCRATCH;
	}
	stray_pass(&s);
	s.by_scope = false;
	stray_pass(&s);
	return STATE_OK;
}
