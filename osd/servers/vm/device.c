/*
 * Memory of drivers. Frames that a device was told of are never used for anything else again: a
 * driver that died leaves its device writing.
 */
#include "osd/servers/vm/priv.h"

#define DMA_KEPT_MAX 64u
#define PLACE_TRIES 16
#define DMA_BYTES_MAX (UINT64_C(16) << 20)
#define MMIO_BYTES_MAX (UINT64_C(256) << 20)

struct dma_run {
	paddr_t pa;
	uint32_t n;
};
static struct dma_run kept[DMA_KEPT_MAX];
static uint32_t n_kept;

void device_dma_keep(paddr_t pa, uint32_t n)
{
	/* A full table loses frames, which is safe. */
	if (n_kept < DMA_KEPT_MAX) {
		kept[n_kept++] = (struct dma_run){.pa = pa, .n = n};
	}
}

/* *ret_is_fresh: no device was ever told of it. */
static paddr_t device_dma_take(uint32_t n, bool *ret_is_fresh)
{
	for (uint32_t i = 0; i < n_kept; i++) {
		if (kept[i].n == n) {
			paddr_t pa = kept[i].pa;

			kept[i] = kept[--n_kept];
			*ret_is_fresh = false;
			return pa;
		}
	}
	*ret_is_fresh = true;
	return frame_take_run(n);
}

/* A random place with an unused chunk on both sides. */
static err_t device_place_draw(const struct space *space, uint64_t n_pages, vaddr_t *ret_va)
{
	uint64_t bytes = n_pages * PAGE_SIZE;
	uint64_t n_places = (REGION_END - bytes) / VM_CHUNK_BYTES - 4;

	for (int i = 0; i < PLACE_TRIES; i++) {
		vaddr_t va = (2 + sys_random() % n_places) * VM_CHUNK_BYTES;

		if (!region_hits(
		            space->regions, va - VM_CHUNK_BYTES, va + bytes + 2 * VM_CHUNK_BYTES)) {
			*ret_va = va;
			return E_OK;
		}
	}
	return E_NOMEM;
}

static err_t device_show(struct space *space, const struct region *region)
{
	uint32_t flags = region->kind == REGION_DEVICE ? SPACE_OP_DEVICE : SPACE_OP_ZERO;
	err_t err;

	batch_begin(space);
	batch_add(SPACE_MAP, region->va, region->pa, region->n_pages, region->prot | flags);
	err = batch_end();
	if (err != E_OK) {
		(void)batch_unmap(space, region->va, region->n_pages);
	}
	return err;
}

static err_t device_place_map(struct space *space, const struct region *wanted, vaddr_t *ret_va)
{
	struct region *region = region_new();
	err_t err;

	if (!region) {
		return E_FULL;
	}
	*region = *wanted;
	err = device_place_draw(space, region->n_pages, &region->va);
	if (err == E_OK) {
		err = region_insert(&space->regions, region);
	}
	if (err == E_OK) {
		err = device_show(space, region);
		if (err != E_OK) {
			region_remove(&space->regions, region);
		}
	}
	if (err != E_OK) {
		(void)region_free(region);
		return err;
	}
	*ret_va = region->va;
	return E_OK;
}

err_t device_map_dma(struct space *space, uint64_t bytes, vaddr_t *ret_va, paddr_t *ret_pa)
{
	struct region wanted = {.kind = REGION_DMA, .prot = PROT_R | PROT_W, .runs = FRAME_NONE};
	bool is_fresh;
	err_t err;

	if (bytes == 0 || bytes > DMA_BYTES_MAX) {
		return E_INVAL;
	}
	wanted.n_pages = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
	wanted.n_backed = wanted.n_pages;
	if (wanted.n_pages + VM_RESERVE_FRAMES > frame_n_free()) {
		return E_NOMEM;
	}
	wanted.pa = device_dma_take((uint32_t)wanted.n_pages, &is_fresh);
	if (wanted.pa == FRAME_PA_NONE) {
		return E_NOMEM;
	}
	err = device_place_map(space, &wanted, ret_va);
	if (err != E_OK && is_fresh) {
		frame_give(wanted.pa, (uint32_t)wanted.n_pages);
		return err;
	}
	if (err != E_OK) {
		device_dma_keep(wanted.pa, (uint32_t)wanted.n_pages);
		return err;
	}
	*ret_pa = wanted.pa;
	return E_OK;
}

err_t device_map_registers(struct space *space, paddr_t pa, uint64_t bytes, vaddr_t *ret_va)
{
	struct region wanted = {.kind = REGION_DEVICE, .prot = PROT_R | PROT_W, .runs = FRAME_NONE};
	uint64_t offset = pa % PAGE_SIZE;
	err_t err;

	if (bytes == 0 || bytes > MMIO_BYTES_MAX || pa > UINT64_MAX - MMIO_BYTES_MAX - PAGE_SIZE) {
		return E_INVAL;
	}
	wanted.pa = pa - offset;
	wanted.n_pages = (offset + bytes + PAGE_SIZE - 1) / PAGE_SIZE;
	err = device_place_map(space, &wanted, ret_va);
	if (err == E_OK) {
		*ret_va += offset;
	}
	return err;
}
