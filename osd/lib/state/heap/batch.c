/*
 * Classes of new objects. The heap fills a whole page of one class at an eighth of what single
 * allocations cost (osd/lib/heap/heap_fill.h), but in order; an attacker who knows the old order
 * must not learn the new one. So all objects of a class are counted first, their places are taken
 * together, and each object draws one of them.
 *
 * A class is what objects of a page have in common: the site, the stride, and whether they are
 * arrays. For single objects the stride follows from the new type. Arrays of one page differ in
 * length, so their new stride is only known if elements kept their size: then it is the old one.
 */
#include "osd/lib/state/heap/priv.h"

/* A site has few classes: one, or as many as its arrays have strides. */
static struct state_batch *batch_find(const struct state_site *site, size_t stride, bool is_array)
{
	struct state_batch *batch = site->batches;

	while (batch != NULL &&
	        (batch->class.stride != stride || batch->class.is_array != is_array)) {
		batch = batch->next;
	}
	return batch;
}

static struct state_batch *batch_new(
        struct state_report *r, struct state_site *site, size_t stride, bool is_array)
{
	struct state_batch *batch = state_keep(r, sizeof(*batch));

	if (batch == NULL) {
		return NULL;
	}
	batch->class = (struct heap_class){
	        .site = site->new_addr,
	        .element_bytes = site->size[STATE_NEW],
	        .stride = (uint32_t)stride,
	        .is_array = is_array,
	};
	batch->next = site->batches;
	site->batches = batch;
	return batch;
}

bool state_batch_get(struct state_report *r, struct state_site *site, uint32_t old_stride,
        bool is_array, struct state_batch **ret)
{
	size_t stride =
	        is_array ? old_stride : heap_stride_of(site->size[STATE_NEW], 1, site->align);

	*ret = NULL;
	/* A new stride for arrays of all lengths of the page is known only if nothing changed. */
	if (site->new_addr == 0 || !heap_stride_is_small(stride) || stride % 8 != 0 ||
	        stride % site->align != 0 ||
	        (is_array && site->size[STATE_OLD] != site->size[STATE_NEW])) {
		return true;
	}
	*ret = batch_find(site, stride, is_array);
	if (*ret == NULL) {
		*ret = batch_new(r, site, stride, is_array);
	}
	return *ret != NULL;
}

enum state_code state_batch_fill(
        struct state_report *r, struct state_batch *batch, uint64_t places[])
{
	batch->places = places;
	if (places == NULL) {
		return STATE_E_SCRATCH;
	}
	return heap_fill(&batch->class, batch->n, places)
	               ? STATE_OK
	               : state_fail(r, STATE_E_ARENA, "new heap is full", 0);
}

/*
 * Draw below a number. The heap's own generator has chosen the pages; a fast one, seeded by RS,
 * unties the places in them from the old order.
 */
static inline uint64_t batch_random(struct state_heap *h, uint64_t below)
{
	h->random = h->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (h->random >> 32) * below >> 32;
}

/*
 * Spare places go first: they were dealt at random once. Else any of those left, whose gap the
 * last one fills. The caller has made sure that there is one.
 */
uint64_t state_batch_deal(struct state_heap *h, struct state_batch *batch)
{
	uint64_t k;
	uint64_t place;

	if (batch->n_spare > 0) {
		return batch->spare[--batch->n_spare];
	}
	k = batch_random(h, batch->n);
	place = batch->places[k];
	batch->places[k] = batch->places[--batch->n];
	return place;
}
