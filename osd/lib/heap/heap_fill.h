#pragma once
/*
 * Places for many objects of one class at once, a page at a time, for the transfer engine: an
 * eighth of the cost of single allocations. Which page is random, the order inside a page is not:
 * whoever needs it random deals the places out at random.
 */
#include "osd/lib/heap/heap_layout.h"

/* What the objects of a page have in common. */
struct heap_class {
	uint64_t site;
	uint32_t element_bytes;
	uint32_t stride; /* heap_stride_of(), and small */
	bool is_array;   /* counts may differ from 1 */
};

/* Has a page more than one slot of this stride? */
static inline bool heap_stride_is_small(size_t stride)
{
	return stride + 2 <= HEAP_PAGE_BYTES / 2;
}

/*
 * Take n slots, zeroed, in new pages; ret_objects gets their addresses. From then on they are live
 * objects of one element; of an array class heap_fill_count() says how many. False: the heap is
 * full, and what was taken so far is lost in it.
 */
bool heap_fill(const struct heap_class *class, uint64_t n, uint64_t ret_objects[]);
/* Tell the heap how many bytes of elements were placed by heap_fill() since it was told last. */
void heap_fill_done(uint64_t object_bytes);

/* Set the number of elements of an object of an array class; they must fit its stride. */
static inline void heap_fill_count(const struct heap_class *class, uint64_t object, uint32_t count)
{
	uint64_t page = object & ~(uint64_t)(HEAP_PAGE_BYTES - 1);
	uint32_t slot = (uint32_t)(object - page) / class->stride;

	*(uint16_t *)(uintptr_t)(page + heap_count_offset(slot)) = (uint16_t)count;
}
