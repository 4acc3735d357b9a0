#include "osd/lib/heap/heap_batch.h"

#include "osd/lib/heap/priv.h"

void heap_batch_open(struct heap_batch *batch, uint64_t site, uint32_t element_bytes,
        uint32_t stride, bool is_array)
{
	*batch = (struct heap_batch){
	        .site = site,
	        .element_bytes = element_bytes,
	        .stride = stride,
	        .is_array = is_array,
	        .n_slots = heap_slots_of_stride(stride),
	};
}

/* Enter the taken slots of the page into its directory entry. */
static void batch_settle(struct heap_batch *batch)
{
	uint32_t n = batch->n_slots - batch->n_left;

	if (!batch->entry) {
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = (batch->first + i) % batch->n_slots;

		batch->entry->live[slot / 64] |= UINT64_C(1) << (slot % 64);
	}
	batch->entry->n_live = (uint16_t)n;
	heap_root.n_objects += n;
}

/* As batch_settle(), for a page that is full. */
static void batch_settle_full(struct heap_batch *batch)
{
	uint32_t left = batch->n_slots;

	for (uint32_t word = 0; left > 0; word++) {
		uint32_t n = left < 64 ? left : 64;

		batch->entry->live[word] = UINT64_MAX >> (64 - n);
		left -= n;
	}
	batch->entry->n_live = (uint16_t)batch->n_slots;
	heap_root.n_objects += batch->n_slots;
}

bool heap_batch_refill(struct heap_batch *batch)
{
	uint32_t page = heap_page_take(1);

	if (page == HEAP_NO_PAGE) {
		return false;
	}
	if (batch->entry) {
		batch_settle_full(batch);
	}
	batch->entry = heap_page_entry(page);
	*batch->entry = (struct heap_page){
	        .site = batch->site,
	        .stride = batch->stride,
	        .element_bytes = batch->element_bytes,
	        .kind = HEAP_PAGE_SMALL,
	        .n_slots = (uint16_t)batch->n_slots,
	        .is_array = batch->is_array,
	        .next = HEAP_NO_PAGE,
	};
	batch->memory = heap_page_memory(page);
	batch->first = heap_random_slot(batch->n_slots);
	batch->slot = batch->first;
	batch->n_left = batch->n_slots;
	return true;
}

void heap_batch_close(struct heap_batch *batch)
{
	uint32_t *bucket = heap_bucket_of(batch->site, batch->stride, batch->is_array);

	batch_settle(batch);
	heap_root.object_bytes += batch->n_elements * batch->element_bytes;
	if (batch->entry && batch->n_left > 0) {
		batch->entry->next = *bucket;
		*bucket = (uint32_t)(((uintptr_t)batch->memory - heap_root.base) / HEAP_PAGE_BYTES);
	}
}
