#include "osd/servers/vm/test/half.h"

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#define HALF_BASE UINT64_C(0x40000000)
#define HALF_REGIONS (VM_SPACE_REGIONS_MAX + VM_RESERVE_REGIONS + 512u)

bool half_fails;
uint64_t half_n_shown;
static err_t batch_err;
static bool is_begun;
static uint32_t n_regions;

void half_start(void)
{
	static struct region regions[HALF_REGIONS];
	static void *storage;

	free(storage);
	storage = calloc(1, frame_storage_bytes(HALF_FRAMES));
	half_fails = false;
	half_n_shown = 0;
	region_init(regions, HALF_REGIONS);
	n_regions = region_n_free();
	frame_init(storage, HALF_BASE, HALF_FRAMES);
	frame_give(HALF_BASE, HALF_FRAMES);
}

bool half_is_as_before(void)
{
	return frame_n_free() == HALF_FRAMES && half_n_shown == 0 && region_n_free() == n_regions;
}

void batch_begin(struct space *space)
{
	assert(!is_begun);
	is_begun = true;
	batch_err = E_OK;
}

/* No frame is in a table while it is free. */
void batch_add(enum space_op_kind kind, vaddr_t va, uint64_t arg, uint64_t n_pages, uint32_t prot)
{
	assert(is_begun && frame_n_free() + half_n_shown <= HALF_FRAMES);
	if (kind == SPACE_UNMAP) {
		half_n_shown = 0;
	} else if (batch_err == E_OK) {
		half_n_shown += half_fails ? n_pages - 1 : n_pages;
		batch_err = half_fails ? E_NOMEM : E_OK;
	}
}

err_t batch_end(void)
{
	is_begun = false;
	return batch_err;
}
