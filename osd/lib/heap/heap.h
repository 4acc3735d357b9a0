#pragma once
/*
 * The typed heap: the only dynamic memory of a service. Every object knows its allocation site,
 * hence (through the state description) its type, and its number of elements. Objects come zeroed;
 * slots and pages are drawn at random. An allocation is a few dozen instructions.
 *
 *	struct key *key = heap_new(struct key);
 *	char *text = heap_new_n(char, n + 1);
 *	heap_free(text);
 *
 * NULL: out of memory (the reserved range is full, or, before the commit of an update, the
 * populated part of it). Larger memory than HEAP_OBJECT_MAX is a mapping of VM, not an object.
 */
#include "osd/lib/heap/heap_layout.h"

struct heap_root;

/* Allocate one zeroed T, or an array of n. T may be any type that a declaration `T *p` can name
 * through typeof. */
#define heap_new(T) heap_new_at_(T, 1)
#define heap_new_n(T, n) heap_new_at_(T, n)
/*
 * The static pointer is the site's witness: never read or written, its
 * debug data names the type.
 */
#define heap_new_at_(T, n)                                                                         \
	({                                                                                         \
		static __typeof__(T) *lu_site_ __attribute__((section("lu_sites"), used));         \
		(__typeof__(T) *)heap_alloc_at_site(                                               \
		        &lu_site_, sizeof(T), (n), _Alignof(__typeof__(T)));                       \
	})

/*
 * Start the heap of this process: [base, base + limit), of which `usable` bytes may be touched.
 * `random`: 32 bytes that decide all placement.
 */
void heap_init(uint64_t base, uint64_t limit, uint64_t usable, const uint8_t random[32]);

/* From now on this many bytes from base may be touched (after a commit: all). Never shrinks. */
void heap_set_usable(uint64_t bytes);

/*
 * Allocate `count` elements of element_bytes each, zeroed, as if by the site whose witness is at
 * `site`. align: a power of two up to a page. NULL when nothing fits or the size is absurd. For the
 * macros and the transfer engine.
 */
void *heap_alloc_at_site(const void *site, size_t element_bytes, size_t count, size_t align);

/* Free an object (NULL: nothing). What is not the start of a live object is a panic. */
void heap_free(void *object);

/* What the heap knows of the live object that holds, or ends at, an address. */
struct heap_object {
	uint64_t start;
	uint64_t site;
	uint32_t element_bytes;
	uint64_t count;
};
/* Find it. False: no live object there. */
bool heap_find(const void *address, struct heap_object *ret_object);

struct heap_stats {
	uint64_t n_objects, object_bytes, n_pages, n_chunks, usable, limit;
};
void heap_stats_get(struct heap_stats *ret_stats);
