/*
 * Items: everything with a fixed address that an old pointer may lead to: variables, constants,
 * functions, literals, library symbols. Sorted by address and disjoint, with a row of buckets of
 * equal width over them, so that a look-up is a shift and, as a rule, one or two comparisons. The
 * table is what makes following a hostile pointer safe: an address that is in no item is refused,
 * never read.
 *
 * Items without a partner are in it too: a pointer to one is an error with a name.
 */
#include <string.h>

#include "proto/state/pair/pairing.h"

/*
 * By address; of several symbols at one place the one with a partner counts, then the larger one.
 */
static bool item_before(const struct state_item *a, const struct state_item *b)
{
	if (a->start != b->start) {
		return a->start < b->start;
	}
	/* Of several symbols at one place the one with a partner counts, then the larger one. */
	if ((a->new_addr != 0) != (b->new_addr != 0)) {
		return a->new_addr != 0;
	}
	return a->size > b->size;
}

/* Let the item at i sink to its place among those below it, the last first. */
static void item_sift(struct state_item *item, uint32_t i, uint32_t n)
{
	struct state_item top = item[i];

	while (i * 2 + 1 < n) {
		uint32_t child = i * 2 + 1;

		if (child + 1 < n && item_before(&item[child], &item[child + 1])) {
			child++;
		}
		if (!item_before(&top, &item[child])) {
			break;
		}
		item[i] = item[child];
		i = child;
	}
	item[i] = top;
}

/* Heap sort: no recursion, no memory, no bad case. */
static void item_sort(struct state_item *item, uint32_t n)
{
	for (uint32_t i = n / 2; i > 0; i--) {
		item_sift(item, i - 1, n);
	}
	for (uint32_t end = n; end > 1; end--) {
		struct state_item last = item[end - 1];

		item[end - 1] = item[0];
		item[0] = last;
		item_sift(item, 0, end - 1);
	}
}

/* Of items that start at one place the first is kept: item_before() has put it there. */
static uint32_t item_unique(struct state_item *item, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || item[kept - 1].start != item[i].start) {
			item[kept++] = item[i];
		}
	}
	return kept;
}

/*
 * One item per entry that this variant has; sites are witnesses, to which nothing leads. Handled:
 * a handler may say where parts of it live now, of a variable whose plan has one or that has no
 * partner.
 */
static void item_fill(struct state_pairing *p)
{
	const struct state_desc *desc = &p->sides.desc[STATE_OLD];
	const struct state_job *job = p->jobs;
	const struct state_job *end = p->jobs + p->n_jobs;

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
		p->items.item[p->items.n++] = (struct state_item){
		        .start = p->sides.addr[STATE_OLD][i],
		        .size = desc->entries[i].size,
		        .new_addr = k != STATE_NONE ? p->sides.addr[STATE_NEW][k] : 0,
		        .entry = {i, k},
		        .is_handled = is_handled,
		        .is_changed = desc->entries[i].kind == STATE_FUNCTION && k != STATE_NONE &&
		                      !state_signatures_match(&p->sides, i, k),
		};
	}
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
	p->items.item = state_keep(
	        &p->report, (uint64_t)p->sides.desc[STATE_OLD].n_entries * sizeof(*p->items.item));
	if (p->items.item == NULL) {
		return STATE_E_SCRATCH;
	}
	item_fill(p);
	item_sort(p->items.item, p->items.n);
	p->items.n = item_unique(p->items.item, p->items.n);
	return p->items.n == 0 ? STATE_OK : item_make_buckets(p);
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
