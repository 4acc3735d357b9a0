/*
 * The store of regions and the lists that they are in. Its memory is taken when the machine starts: VM must
 * not run out of memory for its own books while it hands out that of others, so their number has a limit,
 * which region_new() reports, and no allocator is in the way.
 */
#include "osd/servers/vm/region.h"

#include <assert.h>

#include "osd/abi/errors.h"

/* A process has some eight regions, and no fewer than thirty frames but for the smallest ones. */
#define FRAMES_PER_REGION 4u
#define REGIONS_MIN 1024u

static struct region *store; /* those behind the first n_touched have never been used */
static uint32_t n_touched;
static struct region *free_list;
static uint32_t n_free;

uint32_t regions_max(uint64_t n_frames)
{
	return REGIONS_MIN + (uint32_t)(n_frames / FRAMES_PER_REGION);
}

void region_init(struct region *storage, uint32_t n)
{
	store = storage;
	n_touched = 0;
	free_list = NULL;
	n_free = n;
}

struct region *region_new(void)
{
	struct region *region = free_list;

	if (n_free == 0) {
		return NULL;
	}
	if (region) {
		free_list = region->next;
	} else {
		region = &store[n_touched++];
	}
	n_free--;
	*region = (struct region){.runs = FRAME_NONE};
	return region;
}

struct region *region_free(struct region *region)
{
	assert(region->runs == FRAME_NONE && region->n_shares == 0);
	region->next = free_list;
	free_list = region;
	n_free++;
	return NULL;
}

uint32_t region_n_free(void)
{
	return n_free;
}

bool region_range_is_valid(vaddr_t va, uint64_t n_pages)
{
	return va % PAGE_SIZE == 0 && va >= REGION_LOW && va < REGION_END && n_pages > 0 &&
	       n_pages <= (REGION_END - va) / PAGE_SIZE;
}

err_t region_insert(struct region **list, struct region *region)
{
	struct region **link = list;

	while (*link && region_end(*link) <= region->va) {
		link = &(*link)->next;
	}
	if (*link && (*link)->va < region_end(region)) {
		return E_EXISTS;
	}
	region->next = *link;
	*link = region;
	return E_OK;
}

void region_remove(struct region **list, struct region *region)
{
	struct region **link = list;

	while (*link != region) {
		assert(*link);
		link = &(*link)->next;
	}
	*link = region->next;
	region->next = NULL;
}

struct region *region_find(struct region *list, vaddr_t va)
{
	while (list && region_end(list) <= va) {
		list = list->next;
	}
	return list && list->va <= va ? list : NULL;
}

bool region_hits(const struct region *list, vaddr_t va, vaddr_t end)
{
	while (list && region_end(list) <= va) {
		list = list->next;
	}
	return list && list->va < end;
}
