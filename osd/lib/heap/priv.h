#pragma once
/* Inside the heap: the root, its pages, its random numbers. */
#include "osd/lib/heap/heap.h"

extern struct heap_root heap_root;

/* The directory entry of a page number. */
struct heap_page *heap_page_entry(uint32_t page);
/* First byte of a page. */
uint8_t *heap_page_memory(uint32_t page);
/* Page number of an address, or HEAP_NO_PAGE: outside of every opened chunk. */
uint32_t heap_page_of(const void *address);

/* Take a random run of `span` zero pages; kind is still FREE. HEAP_NO_PAGE: none. */
uint32_t heap_page_take(uint32_t span);
/* Give a run back; its memory must be zero. Clears the entries. */
void heap_page_give(uint32_t page, uint32_t span);

/* Start the generator (ChaCha with 8 rounds) with a key. */
void heap_random_init(const uint8_t key[32]);
/* Draw from [0, below), below in 1 .. 65536. */
uint32_t heap_random_below(uint32_t below);
