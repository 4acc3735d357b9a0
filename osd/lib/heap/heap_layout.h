#pragma once
/*
 * Layout of the typed heap, read by the state transfer engine in old instances and by host tools.
 * Pure: no functions of the heap itself, builds anywhere.
 *
 * The heap is a range [base, base + limit) cut into chunks of 2 MiB. A chunk starts with its
 * directory: one struct heap_page for each of its 512 pages, in 8 pages; the entries of those 8
 * pages hold the struct heap_chunk instead. A SMALL page holds objects of one allocation site and
 * one stride in slots from its start; from its end downwards it holds a u16 per slot: the number of
 * elements of the object (slot 0's is the last two bytes). A LARGE object owns a run of pages
 * inside one chunk and starts at the first byte. An object is always at least one byte smaller than
 * its slot or run: one-past-the-end is never another object. Free slots and free pages are zero.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/image/place.h"

#define HEAP_MAGIC UINT64_C(0x31504145484d4153) /* "SAMHEAP1" */
#define HEAP_VERSION 1u
#define HEAP_PAGE_BYTES 4096u
#define HEAP_CHUNK_PAGES PLACE_CHUNK_PAGES
#define HEAP_CHUNK_BYTES ((uint64_t)HEAP_CHUNK_PAGES * HEAP_PAGE_BYTES)
#define HEAP_DIRECTORY_PAGES PLACE_CHUNK_DIRECTORY
#define HEAP_SLOTS_MAX 256u
#define HEAP_STRIDE_MIN 16u
#define HEAP_BUCKETS 256u
#define HEAP_NO_PAGE UINT32_MAX
/* Largest object: a run of all pages of a chunk, less the byte behind it. */
#define HEAP_OBJECT_MAX ((size_t)(HEAP_CHUNK_PAGES - HEAP_DIRECTORY_PAGES) * HEAP_PAGE_BYTES - 1)

enum heap_page_kind {
	HEAP_PAGE_FREE,
	HEAP_PAGE_SMALL,
	HEAP_PAGE_LARGE,
	HEAP_PAGE_TAIL,
	_HEAP_PAGE_N
};

struct heap_page {
	uint64_t site; /* address of the site's witness; SMALL and LARGE */
	uint32_t
	        stride; /* SMALL: bytes from slot to slot; LARGE: bytes of the run, at most 4 GiB */
	uint32_t element_bytes; /* bytes of one element (sizeof the site's type) */
	uint16_t kind;          /* enum heap_page_kind */
	uint16_t n_slots;       /* SMALL */
	uint16_t n_live;        /* SMALL: bits set in live; LARGE: 1 */
	uint16_t span;          /* LARGE: pages of the run; TAIL: pages back to its first page */
	uint32_t next;          /* SMALL, not full: next page number of the bucket's list */
	uint32_t is_array;      /* SMALL: its objects were allocated with a count other than 1 */
	union {
		uint64_t live[HEAP_SLOTS_MAX / 64]; /* SMALL: bit per slot */
		uint64_t count;                     /* LARGE: elements */
	};
};

/* In place of the first entries of a chunk's directory. */
struct heap_chunk {
	uint32_t n_used; /* pages, directory included */
	uint32_t zero;
	uint64_t used[HEAP_CHUNK_PAGES / 64]; /* bit per page, directory included */
};

/* The variable `heap_root` of every instance. Page numbers count from base. */
struct heap_root {
	uint64_t magic;
	uint32_t version;
	uint32_t n_chunks;             /* opened so far: chunks 0 .. n_chunks - 1 */
	uint64_t base;                 /* page aligned */
	uint64_t limit;                /* bytes reserved */
	uint64_t usable;               /* bytes from base that may be touched now */
	uint64_t n_objects, n_pages;   /* live objects; pages used, directories included */
	uint64_t object_bytes;         /* elements times their size, all live objects */
	uint32_t bucket[HEAP_BUCKETS]; /* first page, with a free slot, of the (site, stride) pairs
	                                  of a bucket */
	uint32_t random_key[8];
	uint64_t random_block;
	uint8_t random_pool[64];
	uint32_t random_left; /* bytes of the pool not yet used */
	uint32_t zero;
};

_Static_assert(sizeof(struct heap_page) == 64, "directory layout");
_Static_assert(
        sizeof(struct heap_page) * HEAP_CHUNK_PAGES == HEAP_DIRECTORY_PAGES * HEAP_PAGE_BYTES,
        "directory layout");
_Static_assert(sizeof(struct heap_chunk) <= HEAP_DIRECTORY_PAGES * sizeof(struct heap_page),
        "directory layout");

/* Offset from base of a page's directory entry. */
static inline uint64_t heap_entry_offset(uint64_t page)
{
	return page / HEAP_CHUNK_PAGES * HEAP_CHUNK_BYTES +
	       page % HEAP_CHUNK_PAGES * sizeof(struct heap_page);
}

/* Is this page number one of a directory, whose entry is not a struct heap_page? */
static inline bool heap_page_is_directory(uint64_t page)
{
	return page % HEAP_CHUNK_PAGES < HEAP_DIRECTORY_PAGES;
}

/* Offset inside a SMALL page of a slot's element count (u16). */
static inline uint32_t heap_count_offset(uint32_t slot)
{
	return HEAP_PAGE_BYTES - 2 * (slot + 1);
}

/* Slots of a page of this stride. */
static inline uint32_t heap_slots_of_stride(uint32_t stride)
{
	return HEAP_PAGE_BYTES / (stride + 2) < HEAP_SLOTS_MAX ? HEAP_PAGE_BYTES / (stride + 2)
	                                                       : HEAP_SLOTS_MAX;
}

/*
 * Slot size: at least one byte more than the object. Arrays go into classes, four to a doubling, so
 * that strings of many lengths share pages.
 */
static inline size_t heap_stride_of(size_t bytes, size_t count, size_t align)
{
	size_t need = bytes + 1 > HEAP_STRIDE_MIN ? bytes + 1 : HEAP_STRIDE_MIN;
	size_t step = align > 8 ? align : 8;

	if (count > 1 && need > 64) {
		size_t class_step = (size_t)1 << (61 - __builtin_clzl(need - 1));

		step = step > class_step ? step : class_step;
	}
	return (need + step - 1) & ~(step - 1);
}

/* Bytes from base that must be usable so that n object pages (small ones, runs of up to `run` >= 1
 * pages) fit. */
static inline uint64_t heap_bytes_for_pages(uint64_t n, uint64_t run)
{
	uint64_t per_chunk = HEAP_CHUNK_PAGES - HEAP_DIRECTORY_PAGES;
	uint64_t usable = run > 1 && run <= per_chunk ? per_chunk - run + 1 : per_chunk;
	uint64_t chunks = n / usable;

	return chunks * HEAP_CHUNK_BYTES +
	       (n % usable ? (n % usable + run - 1 + HEAP_DIRECTORY_PAGES) * HEAP_PAGE_BYTES : 0);
}
