/*
 * Items: everything with a fixed address that an old pointer may lead to. Sorted by
 * address, with a row of buckets of equal width over them, so that a look-up is
 * a shift and, as a rule, one or two comparisons.
 */
#include <string.h>

#include "proto/state/plan/transfer.h"

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

static void items_sift(struct state_item *item, uint32_t i, uint32_t n)
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
static void items_sort(struct state_item *item, uint32_t n)
{
	for (uint32_t i = n / 2; i > 0; i--) {
		items_sift(item, i - 1, n);
	}
	for (uint32_t end = n; end > 1; end--) {
		struct state_item last = item[end - 1];

		item[end - 1] = item[0];
		item[0] = last;
		items_sift(item, 0, end - 1);
	}
}

static uint32_t items_unique(struct state_item *item, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || item[kept - 1].start != item[i].start) {
			item[kept++] = item[i];
		}
	}
	return kept;
}

static void items_fill(struct state_transfer *t)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];
	const struct state_job *job = t->jobs;
	const struct state_job *end = t->jobs + t->n_jobs;

	for (uint32_t i = 0; i < desc->n_entries; i++) {
		uint32_t k = t->partner[i];
		bool is_handled = t->has_handlers && k == STATE_NONE &&
		                  desc->entries[i].kind == STATE_VARIABLE;

		/* Jobs are in the order of entries. */
		while (job < end && job->entry[STATE_OLD] < i) {
			job++;
		}
		if (job < end && job->entry[STATE_OLD] == i) {
			is_handled = job->plan->has_handler;
		}
		if (t->addr[STATE_OLD][i] == 0 || desc->entries[i].kind == STATE_SITE) {
			continue;
		}
		t->items[t->n_items++] = (struct state_item){
		        .start = t->addr[STATE_OLD][i],
		        .size = desc->entries[i].size,
		        .new_addr = k != STATE_NONE ? t->addr[STATE_NEW][k] : 0,
		        .entry = {i, k},
		        .is_handled = is_handled,
		        .is_changed = desc->entries[i].kind == STATE_FUNCTION && k != STATE_NONE &&
		                      !state_signatures_match(t, i, k),
		};
	}
}

/* bucket[b]: the last item that starts at or before the bucket's first byte. */
static enum state_code buckets_make(struct state_transfer *t)
{
	uint64_t base = t->items[0].start;
	uint64_t span = t->items[t->n_items - 1].start - base;
	uint32_t at = 0;

	while (span >> t->bucket_shift >= (uint64_t)t->n_items * 4) {
		t->bucket_shift++;
	}
	t->n_buckets = (uint32_t)(span >> t->bucket_shift) + 1;
	t->buckets = state_keep(t, (uint64_t)t->n_buckets * sizeof(*t->buckets));
	if (t->buckets == NULL) {
		return STATE_E_SCRATCH;
	}
	for (uint32_t b = 0; b < t->n_buckets; b++) {
		uint64_t start = base + ((uint64_t)b << t->bucket_shift);

		while (at + 1 < t->n_items && t->items[at + 1].start <= start) {
			at++;
		}
		t->buckets[b] = at;
	}
	return STATE_OK;
}

enum state_code state_items_make(struct state_transfer *t)
{
	t->items = state_keep(t, (uint64_t)t->desc[STATE_OLD].n_entries * sizeof(*t->items));
	if (t->items == NULL) {
		return STATE_E_SCRATCH;
	}
	items_fill(t);
	items_sort(t->items, t->n_items);
	t->n_items = items_unique(t->items, t->n_items);
	return t->n_items == 0 ? STATE_OK : buckets_make(t);
}

struct state_item *state_item_find(const struct state_transfer *t, uint64_t value)
{
	uint64_t bucket;
	uint32_t at;

	if (t->n_items == 0 || value < t->items[0].start) {
		return NULL;
	}
	bucket = (value - t->items[0].start) >> t->bucket_shift;
	at = t->buckets[bucket < t->n_buckets ? bucket : t->n_buckets - 1];
	while (at + 1 < t->n_items && t->items[at + 1].start <= value) {
		at++;
	}
	/* One past the end belongs to the item; the link leaves a gap before the next one. */
	return value - t->items[at].start <= t->items[at].size ? &t->items[at] : NULL;
}
