#pragma once
/* Inside the heap: the root, its pages, its random numbers. */
#include <string.h>

#include "osd/lib/heap/heap.h"

extern struct heap_root heap_root;

/* The directory entry of a page number. */
static inline struct heap_page *heap_page_entry(uint32_t page)
{
	return (struct heap_page *)(uintptr_t)(heap_root.base + heap_entry_offset(page));
}

/* First byte of a page. */
static inline uint8_t *heap_page_memory(uint32_t page)
{
	return (uint8_t *)(uintptr_t)(heap_root.base + (uint64_t)page * HEAP_PAGE_BYTES);
}

/* Page number of an address, or HEAP_NO_PAGE: outside of every opened chunk. */
uint32_t heap_page_of(const void *address);

/* Take a random run of `span` zero pages; kind is still FREE. HEAP_NO_PAGE: none. */
uint32_t heap_page_take(uint32_t span);
/* Give a run back; its memory must be zero. Clears the entries. */
void heap_page_give(uint32_t page, uint32_t span);

/* Start the generator (ChaCha with 8 rounds) with a key. */
void heap_random_init(const uint8_t key[32]);
/* Make the next bytes of the pool. */
void heap_random_refill(void);

/* Draw from [0, below), below in 1 .. 65536. */
static inline uint32_t heap_random_below(uint32_t below)
{
	uint16_t draw;

	if (heap_root.random_left < sizeof(draw)) {
		heap_random_refill();
	}
	heap_root.random_left -= sizeof(draw);
	memcpy(&draw, heap_root.random_pool + heap_root.random_left, sizeof(draw));
	return draw * below >> 16;
}

/* As heap_random_below, for slots: below in 1 .. 256, not quite even, half the cost. */
static inline uint32_t heap_random_slot(uint32_t below)
{
	if (heap_root.random_left == 0) {
		heap_random_refill();
	}
	heap_root.random_left--;
	return heap_root.random_pool[heap_root.random_left] * below >> 8;
}

/* Pages of single objects are found by the site alone: their stride follows from it. */
static inline uint32_t *heap_bucket_of(uint64_t site, uint32_t stride, bool is_array)
{
	uint64_t key = (site >> 3) + (is_array ? (uint64_t)stride << 32 : 0);

	return &heap_root.bucket[key * UINT64_C(0x9e3779b97f4a7c15) >> 56];
}
