#pragma once
/*
 * Regions: what the pages of an address space are. A space's regions are a list sorted by address,
 * without overlaps. Pure; builds on the host.
 */
#include "osd/servers/vm/frame.h"

/* First address above user memory, as the kernel has it. */
#define REGION_END UINT64_C(0x00007ffffffff000)
#define REGION_LOW UINT64_C(0x10000)

enum region_kind {
	REGION_ANONYMOUS, /* demand-zero; owns its runs */
	REGION_FIXED,     /* made by the kernel at boot, contiguous at pa, never freed */
	REGION_DMA,       /* contiguous at pa, owned; its frames are only ever used for DMA again */
	REGION_DEVICE,    /* registers at pa */
	REGION_SHARED,    /* read-only view of pages of `source` */
	REGION_MIRROR,    /* read-only view of another space at its own addresses */
	REGION_GATE,
	REGION_KIND_N
};

struct region {
	struct region *next;
	vaddr_t va;
	uint64_t n_pages;
	enum region_kind kind;
	uint32_t prot;     /* PROT_* */
	uint64_t n_backed; /* pages of memory */
	uint32_t runs;     /* ANONYMOUS: list of frame_run */
	uint32_t n_shares; /* SHARED regions that show pages of this one */
	paddr_t pa;        /* FIXED, DMA, DEVICE */
	struct region *source;
};

/* How many there can be on a machine of so many frames: as many as those who have the frames will need. */
uint32_t regions_max(uint64_t n_frames);
/* So many regions, none of them in use, in memory that may hold anything. */
void region_init(struct region *storage, uint32_t n);
/* A region that is in no list, zeroed but for runs; NULL: none left. */
struct region *region_new(void);
/* Give it back; it is in no list and owns nothing. Returns NULL. */
struct region *region_free(struct region *region);
uint32_t region_n_free(void);

static inline vaddr_t region_end(const struct region *region)
{
	return region->va + region->n_pages * PAGE_SIZE;
}

/* Is this a page-aligned, non-empty range of user memory? */
bool region_range_is_valid(vaddr_t va, uint64_t n_pages);
/* Put a region into a list: E_EXISTS when it overlaps one. */
err_t region_insert(struct region **list, struct region *region);
void region_remove(struct region **list, struct region *region);
/* The region that holds an address, or NULL. */
struct region *region_find(struct region *list, vaddr_t va);
/* Does a region of the list touch [va, end)? */
bool region_hits(const struct region *list, vaddr_t va, vaddr_t end);
