/*
 * Objects of the typed heap (layout: heap_layout.h). Pages that have a free slot hang in buckets by
 * (site, stride); the one that served last stands first. Memory is zeroed when it is freed, so
 * allocating writes only the object's bit and count: a state transfer allocates thousands of
 * objects while callers wait.
 */
#include "osd/lib/heap/priv.h"
#include "osd/lib/annotate/annotate.h"

#include <assert.h>
#include <string.h>

struct heap_root heap_root STATE_SKIP;

void heap_init(uint64_t base, uint64_t limit, uint64_t usable, const uint8_t random[32])
{
	struct heap_root *root = &heap_root;

	assert(base % HEAP_PAGE_BYTES == 0 && limit / HEAP_PAGE_BYTES < HEAP_NO_PAGE);
	*root = (struct heap_root){
	        .magic = HEAP_MAGIC,
	        .version = HEAP_VERSION,
	        .base = base,
	        .limit = limit,
	        .usable = usable < limit ? usable : limit,
	};
	for (uint32_t i = 0; i < HEAP_BUCKETS; i++) {
		root->bucket[i] = HEAP_NO_PAGE;
	}
	heap_random_init(random);
}

void heap_set_usable(uint64_t bytes)
{
	bytes = bytes < heap_root.limit ? bytes : heap_root.limit;
	assert(bytes >= heap_root.usable);
	heap_root.usable = bytes;
}

/*
 * Slot size: at least one byte more than the object. Arrays go into classes, four to a doubling, so
 * that strings of many lengths share pages.
 */
static size_t stride_of(size_t bytes, size_t count, size_t align)
{
	size_t need = bytes + 1 > HEAP_STRIDE_MIN ? bytes + 1 : HEAP_STRIDE_MIN;
	size_t step = align > 8 ? align : 8;

	if (count > 1 && need > 64) {
		size_t class_step = (size_t)1 << (61 - __builtin_clzl(need - 1));

		step = step > class_step ? step : class_step;
	}
	return (need + step - 1) & ~(step - 1);
}

static uint32_t *bucket_of(uint64_t site, uint32_t stride)
{
	uint64_t key = (site >> 3) + ((uint64_t)stride << 32);

	return &heap_root.bucket[key * UINT64_C(0x9e3779b97f4a7c15) >> 56];
}

/* Find the bucket's page of this site and stride and put it first. HEAP_NO_PAGE: there is none. */
static uint32_t bucket_find(
        uint32_t *bucket, uint64_t site, uint32_t stride, uint32_t element_bytes)
{
	uint32_t *link = bucket;

	for (uint32_t page = *link; page != HEAP_NO_PAGE; page = *link) {
		struct heap_page *entry = heap_page_entry(page);

		if (entry->site == site && entry->stride == stride &&
		        entry->element_bytes == element_bytes) {
			*link = entry->next;
			entry->next = *bucket;
			*bucket = page;
			return page;
		}
		link = &entry->next;
	}
	return HEAP_NO_PAGE;
}

static void bucket_remove(uint32_t *bucket, uint32_t page)
{
	uint32_t *link = bucket;

	while (*link != page) {
		assert(*link != HEAP_NO_PAGE);
		link = &heap_page_entry(*link)->next;
	}
	*link = heap_page_entry(page)->next;
	heap_page_entry(page)->next = HEAP_NO_PAGE;
}

/* First free slot at or, wrapping around, after a random one. The page has a free slot. */
static uint32_t slot_draw(const struct heap_page *entry)
{
	uint32_t n_words = (entry->n_slots + 63) / 64;
	uint32_t start = heap_random_below(entry->n_slots);
	uint32_t word = start / 64;
	uint64_t free = ~entry->live[word] & (UINT64_MAX << (start % 64));

	for (;;) {
		if (word == n_words - 1 && entry->n_slots % 64) {
			free &= (UINT64_C(1) << (entry->n_slots % 64)) - 1;
		}
		if (free) {
			return word * 64 + (uint32_t)__builtin_ctzl(free);
		}
		word = word + 1 < n_words ? word + 1 : 0;
		free = ~entry->live[word];
	}
}

static uint16_t *slot_count(uint32_t page, uint32_t slot)
{
	return (uint16_t *)(void *)(heap_page_memory(page) + heap_count_offset(slot));
}

static void *alloc_small(uint64_t site, uint32_t stride, uint32_t element_bytes, uint16_t count)
{
	uint32_t *bucket = bucket_of(site, stride);
	uint32_t page = bucket_find(bucket, site, stride, element_bytes);
	struct heap_page *entry;
	uint32_t slot;

	if (page == HEAP_NO_PAGE) {
		page = heap_page_take(1);
		if (page == HEAP_NO_PAGE) {
			return NULL;
		}
		*heap_page_entry(page) = (struct heap_page){
		        .site = site,
		        .stride = stride,
		        .element_bytes = element_bytes,
		        .kind = HEAP_PAGE_SMALL,
		        .n_slots = (uint16_t)heap_slots_of_stride(stride),
		        .next = *bucket,
		};
		*bucket = page;
	}
	entry = heap_page_entry(page);
	slot = slot_draw(entry);
	entry->live[slot / 64] |= UINT64_C(1) << (slot % 64);
	*slot_count(page, slot) = count;
	if (++entry->n_live == entry->n_slots) {
		*bucket = entry->next;
		entry->next = HEAP_NO_PAGE;
	}
	return heap_page_memory(page) + (size_t)slot * stride;
}

static void *alloc_large(uint64_t site, size_t bytes, uint32_t element_bytes, size_t count)
{
	uint32_t span = (uint32_t)(bytes / HEAP_PAGE_BYTES) + 1;
	uint32_t page = heap_page_take(span);

	if (page == HEAP_NO_PAGE) {
		return NULL;
	}
	*heap_page_entry(page) = (struct heap_page){
	        .site = site,
	        .stride = span * HEAP_PAGE_BYTES,
	        .element_bytes = element_bytes,
	        .kind = HEAP_PAGE_LARGE,
	        .n_live = 1,
	        .span = (uint16_t)span,
	        .next = HEAP_NO_PAGE,
	        .count = count,
	};
	for (uint32_t i = 1; i < span; i++) {
		*heap_page_entry(page + i) =
		        (struct heap_page){.kind = HEAP_PAGE_TAIL, .span = (uint16_t)i};
	}
	return heap_page_memory(page);
}

void *heap_alloc_at_site(const void *site, size_t element_bytes, size_t count, size_t align)
{
	size_t bytes, stride;
	void *object;

	if (__builtin_mul_overflow(element_bytes, count, &bytes) || bytes > HEAP_OBJECT_MAX ||
	        align > HEAP_PAGE_BYTES) {
		return NULL;
	}
	stride = stride_of(bytes, count, align);
	if (count <= UINT16_MAX && stride + 2 <= HEAP_PAGE_BYTES / 2) {
		object = alloc_small((uintptr_t)site, (uint32_t)stride, (uint32_t)element_bytes,
		        (uint16_t)count);
	} else {
		object = alloc_large((uintptr_t)site, bytes, (uint32_t)element_bytes, count);
	}
	if (object) {
		heap_root.n_objects++;
		heap_root.object_bytes += bytes;
	}
	return object;
}

/* The page and slot of the live object that holds an address (slot 0 of the first page of a LARGE
 * one). */
static bool locate(const void *address, uint32_t *ret_page, uint32_t *ret_slot)
{
	uint32_t page = heap_page_of(address);
	struct heap_page *entry;
	uint32_t slot;

	if (page == HEAP_NO_PAGE) {
		return false;
	}
	entry = heap_page_entry(page);
	switch ((enum heap_page_kind)entry->kind) {
	case HEAP_PAGE_SMALL:
		slot = (uint32_t)((uintptr_t)address % HEAP_PAGE_BYTES) / entry->stride;
		if (slot >= entry->n_slots || !(entry->live[slot / 64] >> (slot % 64) & 1)) {
			return false;
		}
		break;
	case HEAP_PAGE_LARGE:
		slot = 0;
		break;
	case HEAP_PAGE_TAIL:
		page -= entry->span;
		slot = 0;
		break;
	case HEAP_PAGE_FREE:
	case _HEAP_PAGE_N:
		return false;
	}
	*ret_page = page;
	*ret_slot = slot;
	return true;
}

static void free_small(uint32_t page, uint32_t slot)
{
	struct heap_page *entry = heap_page_entry(page);
	uint32_t *bucket = bucket_of(entry->site, entry->stride);

	memset(heap_page_memory(page) + (size_t)slot * entry->stride, 0, entry->stride);
	*slot_count(page, slot) = 0;
	entry->live[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	if (entry->n_live-- == entry->n_slots) {
		entry->next = *bucket;
		*bucket = page;
	}
	if (entry->n_live == 0) {
		bucket_remove(bucket, page);
		heap_page_give(page, 1);
	}
}

void heap_free(void *object)
{
	struct heap_object found;
	struct heap_page *entry;
	uint32_t page, slot;

	if (!object) {
		return;
	}
	assert(heap_find(object, &found) && found.start == (uintptr_t)object &&
	        "heap_free: not the start of a live object");
	(void)locate(object, &page, &slot);
	entry = heap_page_entry(page);
	heap_root.n_objects--;
	heap_root.object_bytes -= found.count * found.element_bytes;
	if (entry->kind == HEAP_PAGE_SMALL) {
		free_small(page, slot);
		return;
	}
	memset(object, 0, found.count * found.element_bytes);
	heap_page_give(page, entry->span);
}

bool heap_find(const void *address, struct heap_object *ret_object)
{
	struct heap_page *entry;
	uint32_t page, slot;
	bool is_small;

	if (!locate(address, &page, &slot)) {
		return false;
	}
	entry = heap_page_entry(page);
	is_small = entry->kind == HEAP_PAGE_SMALL;
	*ret_object = (struct heap_object){
	        .start = (uintptr_t)heap_page_memory(page) + (uint64_t)slot * entry->stride,
	        .site = entry->site,
	        .element_bytes = entry->element_bytes,
	        .count = is_small ? *slot_count(page, slot) : entry->count,
	};
	return true;
}

void heap_stats_get(struct heap_stats *ret_stats)
{
	*ret_stats = (struct heap_stats){
	        .n_objects = heap_root.n_objects,
	        .object_bytes = heap_root.object_bytes,
	        .n_pages = heap_root.n_pages,
	        .n_chunks = heap_root.n_chunks,
	        .usable = heap_root.usable,
	        .limit = heap_root.limit,
	};
}
