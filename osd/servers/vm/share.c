/* Showing pages of one space in another, read-only: descriptions, address vectors, boot parts. */
#include "osd/servers/vm/priv.h"

/* Pages of a region that lie in [first, first + n) and are backed by one run, as batch operations
 * on `to_va`. */
static uint64_t share_run_show(
        const struct frame_run *run, paddr_t pa, uint64_t first, uint64_t n, vaddr_t to_va)
{
	uint64_t low = run->page > first ? run->page : first;
	uint64_t run_end = (uint64_t)run->page + run->n;
	uint64_t high = run_end < first + n ? run_end : first + n;

	if (low >= high) {
		return 0;
	}
	batch_add(SPACE_MAP, to_va + (low - first) * PAGE_SIZE, pa + (low - run->page) * PAGE_SIZE,
	        high - low, PROT_R);
	return high - low;
}

/* Map what backs the pages; returns how many are backed. */
static uint64_t share_pages_show(
        const struct region *source, uint64_t first, uint64_t n, vaddr_t to_va)
{
	uint64_t shown = 0;

	if (source->kind == REGION_FIXED) {
		struct frame_run whole = {.page = 0, .n = (uint32_t)source->n_pages};

		return share_run_show(&whole, source->pa, first, n, to_va);
	}
	for (uint32_t frame = source->runs; frame != FRAME_NONE;) {
		const struct frame_run *run = frame_run_of(frame);

		shown += share_run_show(run, frame_run_pa(frame), first, n, to_va);
		frame = run->next;
	}
	return shown;
}

static err_t share_check(struct space *from, vaddr_t from_va, vaddr_t to_va, uint64_t n_pages,
        struct region **ret_source)
{
	struct region *source = region_find(from->regions, from_va);

	if (!region_range_is_valid(from_va, n_pages) || !region_range_is_valid(to_va, n_pages)) {
		return E_INVAL;
	}
	if (!source || region_end(source) - from_va < n_pages * PAGE_SIZE) {
		return E_FAULT;
	}
	if (source->kind != REGION_ANONYMOUS && source->kind != REGION_FIXED) {
		return E_PERM;
	}
	*ret_source = source;
	return E_OK;
}

static err_t share_commit(struct space *to, struct region *region, uint64_t first)
{
	uint64_t shown;
	err_t err;

	batch_begin(to);
	shown = share_pages_show(region->source, first, region->n_pages, region->va);
	err = batch_end();
	if (err == E_OK && shown == region->n_pages) {
		return E_OK;
	}
	(void)batch_unmap(to, region->va, region->n_pages);
	return err == E_OK ? E_FAULT : err;
}

err_t share_map(
        struct space *from, vaddr_t from_va, struct space *to, vaddr_t to_va, uint64_t n_pages)
{
	struct region *source, *region;
	err_t err = share_check(from, from_va, to_va, n_pages, &source);

	if (err != E_OK) {
		return err;
	}
	region = region_new();
	if (!region) {
		return E_FULL;
	}
	region->kind = REGION_SHARED;
	region->va = to_va;
	region->n_pages = n_pages;
	region->prot = PROT_R;
	region->source = source;
	err = region_insert(&to->regions, region);
	if (err == E_OK) {
		err = share_commit(to, region, (from_va - source->va) / PAGE_SIZE);
		if (err != E_OK) {
			region_remove(&to->regions, region);
		}
	}
	if (err != E_OK) {
		(void)region_free(region);
		return err;
	}
	source->n_shares++;
	return E_OK;
}
