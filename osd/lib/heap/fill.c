/*
 * Many objects of one class at once; see heap_fill.h. An allocation draws a slot each time; the
 * transfer engine makes thousands of objects while callers wait, so here a page is drawn and its
 * slots are taken in order, from a random one on.
 *
 * Only fresh pages are filled: so there is no slot to look for, and no old object beside a new
 * one. A page that stays partly empty goes into the bucket of its class, where ordinary
 * allocations find it. Nothing is undone when the heap is full.
 */
#include "osd/lib/heap/heap_fill.h"

#include "osd/lib/heap/priv.h"

static struct heap_page *fill_page_take(const struct heap_class *class, uint32_t *ret_page)
{
	uint32_t page = heap_page_take(1);
	struct heap_page *entry;

	if (page == HEAP_NO_PAGE) {
		return NULL;
	}
	entry = heap_page_entry(page);
	*entry = (struct heap_page){
	        .site = class->site,
	        .stride = class->stride,
	        .element_bytes = class->element_bytes,
	        .kind = HEAP_PAGE_SMALL,
	        .n_slots = (uint16_t)heap_slots_of_stride(class->stride),
	        .is_array = class->is_array,
	        .next = HEAP_NO_PAGE,
	};
	*ret_page = page;
	return entry;
}

/* Set the bits of n slots from `first` on, wrapping around. */
static void fill_mark(struct heap_page *entry, uint32_t first, uint32_t n)
{
	entry->n_live = (uint16_t)n;
	if (n == entry->n_slots) {
		for (uint32_t word = 0; word * 64 < n; word++) {
			uint32_t left = n - word * 64;

			entry->live[word] = left >= 64 ? UINT64_MAX : (UINT64_C(1) << left) - 1;
		}
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = first + i < entry->n_slots ? first + i : first + i - entry->n_slots;

		entry->live[slot / 64] |= UINT64_C(1) << (slot % 64);
	}
}

/* The addresses of n slots from `first` on, wrapping around; each gets the count 1. */
static void fill_slots(
        uint8_t *memory, const struct heap_page *entry, uint32_t first, uint32_t n, uint64_t *ret)
{
	uint32_t slot = first;

	for (uint32_t i = 0; i < n; i++) {
		ret[i] = (uintptr_t)memory + slot * entry->stride;
		*(uint16_t *)(void *)(memory + heap_count_offset(slot)) = 1;
		slot = slot + 1 < entry->n_slots ? slot + 1 : 0;
	}
}

bool heap_fill(const struct heap_class *class, uint64_t n, uint64_t ret_objects[])
{
	uint32_t *bucket = heap_bucket_of(class->site, class->stride, class->is_array);

	while (n > 0) {
		uint32_t page;
		struct heap_page *entry = fill_page_take(class, &page);
		uint32_t first, take;

		if (!entry) {
			return false;
		}
		first = heap_random_slot(entry->n_slots);
		take = n < entry->n_slots ? (uint32_t)n : entry->n_slots;
		fill_mark(entry, first, take);
		fill_slots(heap_page_memory(page), entry, first, take, ret_objects);
		if (take < entry->n_slots) {
			entry->next = *bucket;
			*bucket = page;
		}
		heap_root.n_objects += take;
		ret_objects += take;
		n -= take;
	}
	return true;
}

void heap_fill_done(uint64_t object_bytes)
{
	heap_root.object_bytes += object_bytes;
}
