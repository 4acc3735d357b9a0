#pragma once
/*
 * Many objects of one class at once, a whole page at a time, for the transfer engine. Slots are given
 * out in a row from a random one on: who wants their order random shuffles the objects. The heap does
 * not know of the objects until heap_batch_close(); batches of different classes may be open
 * side by side, but no object is freed meanwhile.
 */
#include "osd/lib/heap/heap_layout.h"

struct heap_batch {
	uint64_t site;
	uint32_t element_bytes;
	uint32_t stride;
	bool is_array; /* count is not 1 */
	struct heap_page *entry; /* of the page being filled */
	uint8_t *memory;
	uint32_t first;
	uint32_t slot; /* next */
	uint32_t n_slots;
	uint32_t n_left;
	uint64_t n_elements;
};

/* Objects of element_bytes per element, in slots of `stride` bytes (heap_stride_of, small). */
void heap_batch_open(struct heap_batch *batch, uint64_t site, uint32_t element_bytes,
        uint32_t stride, bool is_array);
/* Hand over to the heap what was taken. The batch may not be used afterwards. */
void heap_batch_close(struct heap_batch *batch);
/* A new page. False: the heap is full. For heap_batch_take(). */
bool heap_batch_refill(struct heap_batch *batch);

/* The largest stride that has more than one slot in a page. */
static inline bool heap_stride_is_small(size_t stride)
{
	return stride + 2 <= HEAP_PAGE_BYTES / 2;
}

/* Memory for `count` elements, which fit the stride; zeroed. NULL: the heap is full. */
static inline void *heap_batch_take(struct heap_batch *batch, uint32_t count)
{
	uint32_t slot;

	if (batch->n_left == 0 && !heap_batch_refill(batch)) {
		return NULL;
	}
	slot = batch->slot;
	batch->n_left--;
	batch->slot = slot + 1 < batch->n_slots ? slot + 1 : 0;
	batch->n_elements += count;
	*(uint16_t *)(void *)(batch->memory + heap_count_offset(slot)) = (uint16_t)count;
	return batch->memory + slot * batch->stride;
}
