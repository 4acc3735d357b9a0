/* Regions of memory: making, backing, changing and removing them. */
#include "osd/servers/vm/priv.h"

bool map_prot_is_valid(uint32_t prot)
{
	return prot & PROT_R && !(prot & ~(PROT_R | PROT_W | PROT_X)) &&
	       (prot & (PROT_W | PROT_X)) != (PROT_W | PROT_X);
}

err_t map_back(struct space *space, struct region *region, uint64_t page, uint64_t n)
{
	batch_begin(space);
	while (n > 0) {
		uint32_t got;
		paddr_t pa = frame_take(n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, &got);

		if (pa == FRAME_PA_NONE) {
			(void)batch_end();
			return E_NOMEM;
		}
		frame_run_link(&region->runs, pa, (uint32_t)page, got);
		region->n_backed += got;
		batch_add(SPACE_MAP, region->va + page * PAGE_SIZE, pa, got,
		        region->prot | SPACE_OP_ZERO);
		page += got;
		n -= got;
	}
	return batch_end();
}

err_t map_back_page(struct space *space, struct region *region, uint64_t page)
{
	uint32_t n;
	paddr_t pa = frame_take(1, &n);
	err_t err;

	if (pa == FRAME_PA_NONE) {
		return E_NOMEM;
	}
	batch_begin(space);
	batch_add(SPACE_MAP, region->va + page * PAGE_SIZE, pa, 1, region->prot | SPACE_OP_ZERO);
	err = batch_end();
	if (err != E_OK) {
		frame_give(pa, 1);
		return err;
	}
	frame_run_link(&region->runs, pa, (uint32_t)page, 1);
	region->n_backed++;
	return E_OK;
}

void map_release(struct region *region)
{
	if (region->kind == REGION_DMA) {
		device_dma_keep(region->pa, (uint32_t)region->n_pages);
	}
	if (region->source) {
		region->source->n_shares--;
	}
	frame_run_give_all(&region->runs);
	(void)region_free(region);
}

/* Unmap a region's pages and forget it. The pages go from the tables before the frames are free. */
static err_t map_region_drop(struct space *space, struct region *region)
{
	err_t err = batch_unmap(space, region->va, region->n_pages);

	if (err == E_OK) {
		region_remove(&space->regions, region);
		map_release(region);
		space->n_changes++;
	}
	return err;
}

static err_t map_check(const struct map_request *request)
{
	uint64_t spare = request->may_use_reserve ? 0 : VM_RESERVE_FRAMES;

	if (!region_range_is_valid(request->va, request->n_pages) ||
	        !map_prot_is_valid(request->prot) || request->n_populate > request->n_pages ||
	        request->n_pages > UINT32_MAX) {
		return E_INVAL;
	}
	/* Page tables: one for 512 pages, and a few above them. */
	return request->n_populate + request->n_populate / 512 + 8 + spare <= frame_n_free()
	               ? E_OK
	               : E_NOMEM;
}

static err_t map_check_regions(const struct space *space)
{
	const struct region *region = space->regions;
	uint32_t n = 0;

	for (; region && n < VM_SPACE_REGIONS_MAX; region = region->next) {
		n++;
	}
	return n < VM_SPACE_REGIONS_MAX && region_n_free() > VM_RESERVE_REGIONS ? E_OK : E_FULL;
}

err_t map_anonymous(struct space *space, const struct map_request *request)
{
	err_t err = map_check(request);
	struct region *region;

	if (err == E_OK && !request->may_use_reserve) {
		err = map_check_regions(space);
	}
	if (err != E_OK) {
		return err;
	}
	region = region_new();
	if (!region) {
		return E_FULL;
	}
	region->kind = REGION_ANONYMOUS;
	region->va = request->va;
	region->n_pages = request->n_pages;
	region->prot = request->prot;
	err = region_insert(&space->regions, region);
	if (err != E_OK) {
		(void)region_free(region);
		return err;
	}
	space->n_changes++;
	if (request->n_populate > 0) {
		err = map_back(space, region, 0, request->n_populate);
	}
	if (err != E_OK) {
		(void)map_region_drop(space, region);
	}
	return err;
}

/* The region that starts at va and has this many pages. */
static err_t map_region_named(
        struct space *space, vaddr_t va, uint64_t n_pages, struct region **ret_region)
{
	struct region *region = region_find(space->regions, va);

	if (!region || region->va != va || region->n_pages != n_pages) {
		return E_NOTFOUND;
	}
	if (region->kind == REGION_FIXED || region->kind == REGION_MIRROR ||
	        region->kind == REGION_GATE) {
		return E_PERM;
	}
	*ret_region = region;
	return E_OK;
}

err_t map_remove(struct space *space, vaddr_t va, uint64_t n_pages)
{
	struct region *region;
	err_t err = map_region_named(space, va, n_pages, &region);

	if (err != E_OK) {
		return err;
	}
	return region->n_shares > 0 ? E_BUSY : map_region_drop(space, region);
}

err_t map_protect(struct space *space, vaddr_t va, uint64_t n_pages, uint32_t prot)
{
	struct region *region;
	err_t err = map_region_named(space, va, n_pages, &region);

	if (err != E_OK) {
		return err;
	}
	if (region->kind != REGION_ANONYMOUS) {
		return E_PERM;
	}
	if (!map_prot_is_valid(prot)) {
		return E_INVAL;
	}
	batch_begin(space);
	batch_add(SPACE_PROTECT, va, 0, n_pages, prot);
	err = batch_end();
	if (err == E_OK) {
		region->prot = prot;
	}
	return err;
}

err_t map_gate(struct space *space, vaddr_t va)
{
	struct region *region;
	err_t err;

	if (!region_range_is_valid(va, 1)) {
		return E_INVAL;
	}
	region = region_new();
	if (!region) {
		return E_FULL;
	}
	region->kind = REGION_GATE;
	region->va = va;
	region->n_pages = 1;
	region->prot = PROT_R | PROT_X;
	err = region_insert(&space->regions, region);
	if (err == E_OK) {
		batch_begin(space);
		batch_add(SPACE_GATE, va, 0, 1, 0);
		err = batch_end();
		if (err != E_OK) {
			region_remove(&space->regions, region);
		}
	}
	if (err != E_OK) {
		(void)region_free(region);
	}
	return err;
}
