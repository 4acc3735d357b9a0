/*
 * Memory of drivers that cannot be mapped: what no device was told of is free again, what one was
 * told of never is, and nothing of either stays in a table.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/vm/priv.h"

#define BASE UINT64_C(0x40000000)
#define N (VM_RESERVE_FRAMES + 64u)

static struct space driver = {.is_live = true, .id = 1};
static bool fails;
static uint64_t n_shown; /* pages in the driver's tables */
static err_t batch_err;

/* The kernel: a random word is its second result. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_random);
	r->rax = E_OK;
	r->rdx = 7;
}

void batch_begin(struct space *space)
{
	batch_err = E_OK;
}

/* One that fails has done a part. */
void batch_add(enum space_op_kind kind, vaddr_t va, uint64_t arg, uint64_t n_pages, uint32_t prot)
{
	if (kind == SPACE_UNMAP) {
		n_shown = 0;
		return;
	}
	n_shown += fails ? 1 : n_pages;
	batch_err = fails ? E_NOMEM : E_OK;
}

err_t batch_end(void)
{
	return batch_err;
}

static void start(void)
{
	static void *storage;

	free(storage);
	storage = calloc(1, frame_storage_bytes(N));
	driver.regions = NULL;
	n_shown = 0;
	region_init();
	frame_init(storage, BASE, N);
	frame_give(BASE, N);
}

static void test_untold(void)
{
	vaddr_t va;
	paddr_t pa;

	start();
	fails = true;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &pa) == E_NOMEM);
	assert(frame_n_free() == N && n_shown == 0 && driver.regions == NULL);
}

/* A device may write there still: the frames come back to drivers and to nobody else. */
static void test_told(void)
{
	struct region *region;
	vaddr_t va;
	paddr_t pa, again;

	start();
	fails = false;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &pa) == E_OK && n_shown == 3);
	region = driver.regions;
	region_remove(&driver.regions, region);
	device_dma_keep(region->pa, (uint32_t)region->n_pages);
	(void)region_free(region);
	fails = true;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &again) == E_NOMEM);
	assert(frame_n_free() == N - 3 && n_shown == 0);
	fails = false;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &again) == E_OK && again == pa);
	assert(frame_n_free() == N - 3);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_untold();
	test_told();
	return 0;
}
