/*
 * Memory of drivers that cannot be mapped: what no device was told of is free again, what one was
 * told of never is, and nothing of either stays in a table.
 */
#undef NDEBUG
#include <assert.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/vm/test/half.h"

#define KEPT_MAX 64u /* runs that are remembered; see device.c */

static struct space driver = {.is_live = true, .id = 1};

/* The kernel: a random word is its second result. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_random);
	r->rax = E_OK;
	r->rdx = 7;
}

static void start(void)
{
	half_start();
	driver.regions = NULL;
}

static void test_untold(void)
{
	vaddr_t va;
	paddr_t pa;

	start();
	half_fails = true;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &pa) == E_NOMEM);
	assert(half_is_as_before() && driver.regions == NULL);
}

/* What is left for RS is not for drivers. */
static void test_reserve(void)
{
	vaddr_t va;
	paddr_t pa;

	start();
	assert(device_map_dma(&driver, (HALF_SPARE + 1) * PAGE_SIZE, &va, &pa) == E_NOMEM);
	assert(half_is_as_before());
	assert(device_map_dma(&driver, HALF_SPARE * PAGE_SIZE, &va, &pa) == E_OK);
	assert(frame_n_free() == VM_RESERVE_FRAMES);
}

/* A device may write there still: the frames come back to drivers and to nobody else. */
static void test_told(void)
{
	struct region *region;
	vaddr_t va;
	paddr_t pa, again;

	start();
	half_fails = false;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &pa) == E_OK && half_n_shown == 3);
	region = driver.regions;
	region_remove(&driver.regions, region);
	device_dma_keep(region->pa, (uint32_t)region->n_pages);
	(void)region_free(region);
	half_n_shown = 0; /* its tables went with it */
	half_fails = true;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &again) == E_NOMEM);
	assert(frame_n_free() == HALF_FRAMES - 3 && half_n_shown == 0);
	half_fails = false;
	assert(device_map_dma(&driver, 3 * PAGE_SIZE, &va, &again) == E_OK && again == pa);
	assert(frame_n_free() == HALF_FRAMES - 3);
}

/* More than can be remembered: those come back that are, and the others are never free again. */
static void test_kept_full(void)
{
	uint32_t n;
	vaddr_t va;
	paddr_t pa;

	start();
	for (uint32_t i = 0; i < KEPT_MAX + 1; i++) {
		device_dma_keep(frame_take(1, &n), 1);
	}
	for (uint32_t i = 0; i < KEPT_MAX; i++) {
		assert(device_map_dma(&driver, PAGE_SIZE, &va, &pa) == E_OK);
		assert(frame_n_free() == HALF_FRAMES - KEPT_MAX - 1);
		region_remove(&driver.regions, driver.regions);
		half_n_shown = 0;
	}
	assert(device_map_dma(&driver, PAGE_SIZE, &va, &pa) == E_OK);
	assert(frame_n_free() == HALF_FRAMES - KEPT_MAX - 2);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_untold();
	test_reserve();
	test_told();
	test_kept_full();
	return 0;
}
