/*
 * Pages of the heap: which are used, and taking a random run of free ones. Chunks are opened in
 * order, so that what is usable before a commit (a prefix of the range) always has its directories.
 */
#include "osd/lib/heap/priv.h"

#include <assert.h>
#include <string.h>

uint32_t heap_page_of(const void *address)
{
	uint64_t offset = (uintptr_t)address - heap_root.base;
	uint64_t page = offset / HEAP_PAGE_BYTES;

	if (page >= (uint64_t)heap_root.n_chunks * HEAP_CHUNK_PAGES ||
	        heap_page_is_directory(page) || offset >= heap_root.usable) {
		return HEAP_NO_PAGE;
	}
	return (uint32_t)page;
}

static struct heap_chunk *page_chunk_header(uint32_t chunk)
{
	return (struct heap_chunk *)(uintptr_t)(heap_root.base + chunk * HEAP_CHUNK_BYTES);
}

/* Pages of a chunk that may be touched. */
static uint32_t page_chunk_n_usable(uint32_t chunk)
{
	uint64_t before = (uint64_t)chunk * HEAP_CHUNK_PAGES;
	uint64_t usable = heap_root.usable / HEAP_PAGE_BYTES;

	if (usable <= before) {
		return 0;
	}
	return usable - before < HEAP_CHUNK_PAGES ? (uint32_t)(usable - before) : HEAP_CHUNK_PAGES;
}

static bool page_chunk_is_used(const struct heap_chunk *header, uint32_t page)
{
	return header->used[page / 64] >> (page % 64) & 1;
}

/* First run of free pages in [from, end), or HEAP_NO_PAGE. */
static uint32_t page_chunk_find_run(
        const struct heap_chunk *header, uint32_t from, uint32_t end, uint32_t span)
{
	uint32_t length = 0;

	for (uint32_t page = from; page < end; page++) {
		if (page % 64 == 0 && header->used[page / 64] == UINT64_MAX) {
			length = 0;
			page += 63;
			continue;
		}
		length = page_chunk_is_used(header, page) ? 0 : length + 1;
		if (length == span) {
			return page + 1 - span;
		}
	}
	return HEAP_NO_PAGE;
}

/* Take a run inside a chunk, searched from a random place on. */
static uint32_t page_chunk_take(uint32_t chunk, uint32_t span)
{
	struct heap_chunk *header = page_chunk_header(chunk);
	uint32_t end = page_chunk_n_usable(chunk);
	uint32_t from, page;

	if (header->n_used + span > end) {
		return HEAP_NO_PAGE;
	}
	from = HEAP_DIRECTORY_PAGES + heap_random_below(end - HEAP_DIRECTORY_PAGES);
	page = page_chunk_find_run(header, from, end, span);
	if (page == HEAP_NO_PAGE) {
		uint32_t stop = from + span - 1 < end ? from + span - 1 : end;

		page = page_chunk_find_run(header, HEAP_DIRECTORY_PAGES, stop, span);
	}
	if (page == HEAP_NO_PAGE) {
		return HEAP_NO_PAGE;
	}
	for (uint32_t i = page; i < page + span; i++) {
		header->used[i / 64] |= UINT64_C(1) << (i % 64);
	}
	header->n_used += span;
	heap_root.n_pages += span;
	return chunk * HEAP_CHUNK_PAGES + page;
}

/* Open the next chunk if its directory and one more page are usable. */
static bool page_chunk_open(void)
{
	uint32_t chunk = heap_root.n_chunks;
	struct heap_chunk *header = page_chunk_header(chunk);

	if (page_chunk_n_usable(chunk) <= HEAP_DIRECTORY_PAGES) {
		return false;
	}
	*header = (struct heap_chunk){.n_used = HEAP_DIRECTORY_PAGES};
	header->used[0] = (UINT64_C(1) << HEAP_DIRECTORY_PAGES) - 1;
	heap_root.n_pages += HEAP_DIRECTORY_PAGES;
	heap_root.n_chunks++;
	return true;
}

uint32_t heap_page_take(uint32_t span)
{
	uint32_t n = heap_root.n_chunks;
	uint32_t first = n ? heap_random_below(n) : 0;
	uint32_t page;

	for (uint32_t i = 0; i < n; i++) {
		page = page_chunk_take((first + i) % n, span);
		if (page != HEAP_NO_PAGE) {
			return page;
		}
	}
	return page_chunk_open() ? page_chunk_take(n, span) : HEAP_NO_PAGE;
}

void heap_page_give(uint32_t page, uint32_t span)
{
	struct heap_chunk *header = page_chunk_header(page / HEAP_CHUNK_PAGES);

	for (uint32_t i = 0; i < span; i++) {
		uint32_t bit = (page + i) % HEAP_CHUNK_PAGES;

		assert(page_chunk_is_used(header, bit));
		header->used[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
		memset(heap_page_entry(page + i), 0, sizeof(struct heap_page));
	}
	header->n_used -= span;
	heap_root.n_pages -= span;
}
