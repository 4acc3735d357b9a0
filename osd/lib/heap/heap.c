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

/* What the objects of a page have in common. */
struct object_class {
	uint64_t site;
	uint32_t element_bytes;
	uint32_t stride;
	bool is_array; /* count is not 1 */
};

static inline bool class_is(const struct heap_page *entry, const struct object_class *class)
{
	return entry->site == class->site && entry->element_bytes == class->element_bytes &&
	       entry->stride == class->stride && entry->is_array == class->is_array;
}

/* Find the bucket's page of this class, behind the first, and put it first. HEAP_NO_PAGE: none. */
static uint32_t heap_bucket_find(uint32_t *bucket, const struct object_class *class)
{
	uint32_t *link = bucket;

	for (uint32_t page = *link; page != HEAP_NO_PAGE; page = *link) {
		struct heap_page *entry = heap_page_entry(page);

		if (class_is(entry, class)) {
			*link = entry->next;
			entry->next = *bucket;
			*bucket = page;
			return page;
		}
		link = &entry->next;
	}
	return HEAP_NO_PAGE;
}

static void heap_bucket_remove(uint32_t *bucket, uint32_t page)
{
	uint32_t *link = bucket;

	while (*link != page) {
		assert(*link != HEAP_NO_PAGE);
		link = &heap_page_entry(*link)->next;
	}
	*link = heap_page_entry(page)->next;
	heap_page_entry(page)->next = HEAP_NO_PAGE;
}

/* First free slot in the words from `word` on, wrapping around. The page has a free slot. */
static __attribute__((noinline)) uint32_t slot_search(const struct heap_page *entry, uint32_t word)
{
	uint32_t n_words = (entry->n_slots + 63u) / 64;

	for (;; word++) {
		uint64_t free;

		word = word < n_words ? word : 0;
		free = ~entry->live[word];
		if (free && word * 64 + (uint32_t)__builtin_ctzl(free) < entry->n_slots) {
			return word * 64 + (uint32_t)__builtin_ctzl(free);
		}
	}
}

/* First free slot at or, wrapping around, after a random one. The page has a free slot. */
static inline uint32_t slot_draw(const struct heap_page *entry)
{
	uint32_t start = heap_random_slot(entry->n_slots);
	uint64_t free = ~entry->live[start / 64] >> (start % 64);
	uint32_t slot = start + (uint32_t)__builtin_ctzl(free | UINT64_C(1) << 63);

	if (__builtin_expect(free != 0 && slot < entry->n_slots, 1)) {
		return slot;
	}
	return slot_search(entry, start / 64 + 1);
}

static inline uint16_t *slot_count(uint8_t *memory, uint32_t slot)
{
	return (uint16_t *)(void *)(memory + heap_count_offset(slot));
}

/* Take a slot of the first page of a bucket. */
static inline __attribute__((always_inline)) void *slot_take(
        uint32_t *bucket, struct heap_page *entry, uint32_t count)
{
	uint8_t *memory = heap_page_memory(*bucket);
	uint32_t slot = slot_draw(entry);

	entry->live[slot / 64] |= UINT64_C(1) << (slot % 64);
	*slot_count(memory, slot) = (uint16_t)count;
	if (++entry->n_live == entry->n_slots) {
		*bucket = entry->next;
		entry->next = HEAP_NO_PAGE;
	}
	heap_root.n_objects++;
	heap_root.object_bytes += (uint64_t)count * entry->element_bytes;
	return memory + slot * entry->stride;
}

/* Have a page of this class with a free slot stand first in its bucket. False: the heap is full. */
static bool heap_class_page(const struct object_class *class, uint32_t **ret_bucket)
{
	uint32_t *bucket = heap_bucket_of(class->site, class->stride, class->is_array);
	uint32_t page = heap_bucket_find(bucket, class);

	*ret_bucket = bucket;
	if (page != HEAP_NO_PAGE) {
		return true;
	}
	page = heap_page_take(1);
	if (page == HEAP_NO_PAGE) {
		return false;
	}
	*heap_page_entry(page) = (struct heap_page){
	        .site = class->site,
	        .stride = class->stride,
	        .element_bytes = class->element_bytes,
	        .kind = HEAP_PAGE_SMALL,
	        .n_slots = (uint16_t)heap_slots_of_stride(class->stride),
	        .is_array = class->is_array,
	        .next = *bucket,
	};
	*bucket = page;
	return true;
}

static void *heap_alloc_small(const struct object_class *class, uint32_t count)
{
	uint32_t *bucket;

	if (!heap_class_page(class, &bucket)) {
		return NULL;
	}
	return slot_take(bucket, heap_page_entry(*bucket), count);
}

static void *heap_alloc_large(uint64_t site, size_t bytes, uint32_t element_bytes, size_t count)
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
	heap_root.n_objects++;
	heap_root.object_bytes += bytes;
	for (uint32_t i = 1; i < span; i++) {
		*heap_page_entry(page + i) =
		        (struct heap_page){.kind = HEAP_PAGE_TAIL, .span = (uint16_t)i};
	}
	return heap_page_memory(page);
}

/*
 * The way that is nearly always taken: a single object, whose bucket
 * begins with a page of its site.
 */
static inline void *alloc_single(uint64_t site, size_t element_bytes, size_t align)
{
	uint32_t *bucket = heap_bucket_of(site, 0, false);
	struct heap_page *entry;

	if (*bucket == HEAP_NO_PAGE) {
		return NULL;
	}
	entry = heap_page_entry(*bucket);
	if (entry->site != site || entry->element_bytes != element_bytes || entry->is_array ||
	        entry->stride & (align - 1)) {
		return NULL;
	}
	return slot_take(bucket, entry, 1);
}

static __attribute__((noinline)) void *alloc_any(
        uint64_t site, size_t element_bytes, size_t count, size_t align)
{
	size_t bytes, stride;

	if (__builtin_mul_overflow(element_bytes, count, &bytes) || bytes > HEAP_OBJECT_MAX ||
	        align > HEAP_PAGE_BYTES) {
		return NULL;
	}
	stride = heap_stride_of(bytes, count, align);
	if (count > UINT16_MAX || stride + 2 > HEAP_PAGE_BYTES / 2) {
		return heap_alloc_large(site, bytes, (uint32_t)element_bytes, count);
	}
	return heap_alloc_small(
	        &(struct object_class){site, (uint32_t)element_bytes, (uint32_t)stride, count != 1},
	        (uint32_t)count);
}

void *heap_alloc_at_site(const void *site, size_t element_bytes, size_t count, size_t align)
{
	if (count == 1) {
		void *object = alloc_single((uintptr_t)site, element_bytes, align);

		if (object) {
			return object;
		}
	}
	return alloc_any((uintptr_t)site, element_bytes, count, align);
}

/*
 * The page and slot of the live object that holds an address (slot 0 of the
 * first page of a LARGE one).
 */
static bool heap_locate(const void *address, uint32_t *ret_page, uint32_t *ret_slot)
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

static void heap_free_small(struct heap_page *entry, uint32_t page, uint32_t slot)
{
	uint32_t *bucket = heap_bucket_of(entry->site, entry->stride, entry->is_array);
	uint8_t *memory = heap_page_memory(page);

	heap_root.object_bytes -= (uint64_t)*slot_count(memory, slot) * entry->element_bytes;
	memset(memory + (size_t)slot * entry->stride, 0, entry->stride);
	*slot_count(memory, slot) = 0;
	entry->live[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	if (entry->n_live-- == entry->n_slots) {
		entry->next = *bucket;
		*bucket = page;
	}
	if (entry->n_live == 0) {
		heap_bucket_remove(bucket, page);
		heap_page_give(page, 1);
	}
}

void heap_free(void *object)
{
	struct heap_page *entry;
	uint32_t page, slot;
	bool is_live;

	if (!object) {
		return;
	}
	is_live = heap_locate(object, &page, &slot);
	assert(is_live && "heap_free: no live object");
	entry = heap_page_entry(page);
	assert((uint8_t *)object == heap_page_memory(page) + (size_t)slot * entry->stride &&
	        "heap_free: not the start of an object");
	heap_root.n_objects--;
	if (entry->kind == HEAP_PAGE_SMALL) {
		heap_free_small(entry, page, slot);
		return;
	}
	heap_root.object_bytes -= entry->count * entry->element_bytes;
	memset(object, 0, entry->count * entry->element_bytes);
	heap_page_give(page, entry->span);
}

bool heap_find(const void *address, struct heap_object *ret_object)
{
	struct heap_page *entry;
	uint32_t page, slot;
	bool is_small;

	if (!heap_locate(address, &page, &slot)) {
		return false;
	}
	entry = heap_page_entry(page);
	is_small = entry->kind == HEAP_PAGE_SMALL;
	*ret_object = (struct heap_object){
	        .start = (uintptr_t)heap_page_memory(page) + (uint64_t)slot * entry->stride,
	        .site = entry->site,
	        .element_bytes = entry->element_bytes,
	        .count = is_small ? *slot_count(heap_page_memory(page), slot) : entry->count,
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
