/*
 * Items: everything with a fixed address that an old pointer may lead to: variables, constants,
 * functions, literals, library symbols. Sorted by address and disjoint, with a row of buckets of
 * equal width over them, so that a look-up is a shift and, as a rule, one or two comparisons. Sorted
 * by the bytes of their distance from the lowest one: no comparisons, and no bad case. The
 * table is what makes following a hostile pointer safe: an address that is in no item is refused,
 * never read.
 *
 * Items without a partner are in it too: a pointer to one is an error with a name.
 */
#include <string.h>

#include "proto/state/pair/pairing.h"

/* What is sorted for an item, which is moved once, at the end. */
struct item_key {
	uint64_t distance; /* from the lowest item */
	uint64_t at;
};

#define ITEM_DIGIT_BITS 8
#define ITEM_DIGITS (1u << ITEM_DIGIT_BITS)

/* One pass: the keys in the order of one digit, and in the order they had where that is equal. */
static void item_pass(const struct item_key *from, struct item_key *to, uint32_t n, unsigned shift)
{
	uint32_t first[ITEM_DIGITS] = {0}, at = 0;

	for (uint32_t i = 0; i < n; i++) {
		first[from[i].distance >> shift & (ITEM_DIGITS - 1)]++;
	}
	for (uint32_t digit = 0; digit < ITEM_DIGITS; digit++) {
		uint32_t count = first[digit];

		first[digit] = at;
		at += count;
	}
	for (uint32_t i = 0; i < n; i++) {
		to[first[from[i].distance >> shift & (ITEM_DIGITS - 1)]++] = from[i];
	}
}

/*
 * Of several symbols at one place the one with a partner counts, then the larger one, then the
 * first.
 */
static bool item_is_better(const struct state_item *a, const struct state_item *b)
{
	if ((a->new_addr != 0) != (b->new_addr != 0)) {
		return a->new_addr != 0;
	}
	return a->size > b->size;
}

/* Move the items to their places, and of those that start at one place only the best. */
static uint32_t item_collect(const struct state_item *from, const struct item_key *keys, uint32_t n,
        struct state_item *to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct state_item *item = &from[keys[i].at];

		if (kept == 0 || to[kept - 1].start != item->start) {
			to[kept++] = *item;
		} else if (item_is_better(item, &to[kept - 1])) {
			to[kept - 1] = *item;
		}
	}
	return kept;
}

/* Fill the keys; the result is the largest distance. */
static uint64_t item_measure(const struct state_item *item, uint32_t n, struct item_key *keys)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (uint32_t i = 0; i < n; i++) {
		low = item[i].start < low ? item[i].start : low;
		high = item[i].start > high ? item[i].start : high;
	}
	for (uint32_t i = 0; i < n; i++) {
		keys[i] = (struct item_key){item[i].start - low, i};
	}
	return high - low;
}

/* From `items`, as filled, to p->items, which has room for all. What is stacked here is popped. */
static enum state_code item_sort(
        struct state_pairing *p, const struct state_item *items, uint32_t n)
{
	uint64_t high = p->report.scratch.high, span;
	struct item_key *keys = state_stack(&p->report, n * sizeof(*keys));
	struct item_key *other = state_stack(&p->report, n * sizeof(*other));

	if (keys == NULL || other == NULL) {
		return STATE_E_SCRATCH;
	}
	span = item_measure(items, n, keys);
	for (unsigned shift = 0; shift < 64 && span >> shift != 0; shift += ITEM_DIGIT_BITS) {
		struct item_key *done = other;

		item_pass(keys, other, n, shift);
		other = keys;
		keys = done;
	}
	p->items.n = item_collect(items, keys, n, p->items.item);
	p->report.scratch.high = high;
	return STATE_OK;
}

/*
 * One item per entry that this variant has; sites are witnesses, to which nothing leads. Handled:
 * a handler may say where parts of it live now, of a variable whose plan has one or that has no
 * partner.
 */
static uint32_t item_fill(const struct state_pairing *p, struct state_item *items)
{
	const struct state_desc *desc = &p->sides.desc[STATE_OLD];
	const struct state_job *job = p->jobs;
	const struct state_job *end = p->jobs + p->n_jobs;
	uint32_t n = 0;

	for (uint32_t i = 0; i < desc->n_entries; i++) {
		uint32_t k = p->partner[i];
		bool is_handled = p->maker.has_handlers && k == STATE_NONE &&
		                  desc->entries[i].kind == STATE_VARIABLE;

		/* Jobs are in the order of entries. */
		while (job < end && job->entry[STATE_OLD] < i) {
			job++;
		}
		if (job < end && job->entry[STATE_OLD] == i) {
			is_handled = job->plan->has_handler;
		}
		if (p->sides.addr[STATE_OLD][i] == 0 || desc->entries[i].kind == STATE_SITE) {
			continue;
		}
		items[n++] = (struct state_item){
		        .start = p->sides.addr[STATE_OLD][i],
		        .size = desc->entries[i].size,
		        .new_addr = k != STATE_NONE ? p->sides.addr[STATE_NEW][k] : 0,
		        .entry = {i, k},
		        .is_handled = is_handled,
		        .is_changed = desc->entries[i].kind == STATE_FUNCTION && k != STATE_NONE &&
		                      !state_signatures_match(&p->sides, i, k),
		};
	}
	return n;
}

/* The width is a power of two, so wide that there are at most four buckets per item. */
static enum state_code item_make_buckets(struct state_pairing *p)
{
	uint64_t base = p->items.item[0].start;
	uint64_t span = p->items.item[p->items.n - 1].start - base;
	uint32_t at = 0;

	while (span >> p->items.shift >= (uint64_t)p->items.n * 4) {
		p->items.shift++;
	}
	p->items.n_buckets = (uint32_t)(span >> p->items.shift) + 1;
	p->items.bucket =
	        state_keep(&p->report, (uint64_t)p->items.n_buckets * sizeof(*p->items.bucket));
	if (p->items.bucket == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t b = 0; b < p->items.n_buckets; b++) {
		uint64_t start = base + ((uint64_t)b << p->items.shift);

		while (at + 1 < p->items.n && p->items.item[at + 1].start <= start) {
			at++;
		}
		p->items.bucket[b] = at;
	}
	return STATE_OK;
}

enum state_code state_items_make(struct state_pairing *p)
{
	uint64_t high = p->report.scratch.high;
	uint64_t bytes = p->sides.desc[STATE_OLD].n_entries * sizeof(*p->items.item);
	struct state_item *filled = state_stack(&p->report, bytes);
	enum state_code code;

	p->items.item = state_keep(&p->report, bytes);
	if (filled == NULL || p->items.item == NULL) {
		return STATE_E_SCRATCH;
	}
	code = item_sort(p, filled, item_fill(p, filled));
	p->report.scratch.high = high;
	return code != STATE_OK || p->items.n == 0 ? code : item_make_buckets(p);
}

struct state_item *state_item_find(const struct state_items *items, uint64_t value)
{
	uint64_t bucket;
	uint32_t at;

	if (items->n == 0 || value < items->item[0].start) {
		return NULL;
	}
	bucket = (value - items->item[0].start) >> items->shift;
	at = items->bucket[bucket < items->n_buckets ? bucket : items->n_buckets - 1];
	while (at + 1 < items->n && items->item[at + 1].start <= value) {
		at++;
	}
	/* One past the end belongs to the item; the link leaves a gap before the next one. */
	return value - items->item[at].start <= items->item[at].size ? &items->item[at] : NULL;
}
