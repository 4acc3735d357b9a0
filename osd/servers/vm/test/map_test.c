/*
 * Memory that can be mapped in part only, since frames for page tables ran out: of the part nothing
 * stays in the tables, its frames are free, and the place can be asked for again.
 */
#undef NDEBUG
#include <assert.h>

#include "osd/servers/vm/test/half.h"

#define HERE UINT64_C(0x10000000)
#define THERE UINT64_C(0x20000000)
#define N_PAGES 9u
#define MAP_TABLES 8u /* frames kept free for page tables of so few pages */

static struct space us = {.is_live = true, .id = 1}, them = {.is_live = true, .id = 2};

/* What frees a region of a driver's asks for it; there is none here. */
void device_dma_keep(paddr_t pa, uint32_t n)
{
	assert(false);
}

static void start(void)
{
	half_start();
	us.regions = them.regions = NULL;
}

static err_t map(uint64_t n_populate)
{
	return map_anonymous(&us, &(struct map_request){.va = HERE,
	                                  .n_pages = N_PAGES,
	                                  .n_populate = n_populate,
	                                  .prot = PROT_R | PROT_W});
}

static void test_populated(void)
{
	start();
	half_fails = true;
	assert(map(N_PAGES) == E_NOMEM);
	assert(us.regions == NULL && half_is_as_before());
	half_fails = false;
	assert(map(N_PAGES) == E_OK && half_n_shown == N_PAGES);
}

/* A page that a fault asks for: the region stays as it was. */
static void test_page(void)
{
	start();
	assert(map(0) == E_OK);
	half_fails = true;
	assert(map_back_page(&us, us.regions, 3) == E_NOMEM);
	assert(us.regions->n_backed == 0 && us.regions->runs == FRAME_NONE);
	assert(frame_n_free() == HALF_FRAMES);
	half_fails = false;
	assert(map_back_page(&us, us.regions, 3) == E_OK && us.regions->n_backed == 1);
	assert(frame_n_free() == HALF_FRAMES - 1);
	assert(map_remove(&us, HERE, N_PAGES) == E_OK && half_is_as_before());
}

/* By page tables that ran out, and by pages of the source that are not there. */
static void test_shared(void)
{
	for (int i = 0; i < 2; i++) {
		uint64_t n_backed = N_PAGES - (i == 1);
		uint32_t n_free;

		start();
		assert(map(n_backed) == E_OK);
		half_n_shown = 0; /* from here on those of the other space */
		half_fails = i == 0;
		n_free = region_n_free();
		assert(share_map(&us, HERE, &them, THERE, N_PAGES) == (i == 0 ? E_NOMEM : E_FAULT));
		assert(them.regions == NULL && half_n_shown == 0 && us.regions->n_shares == 0);
		assert(region_n_free() == n_free);
		half_fails = false;
		assert(share_map(&us, HERE, &them, THERE, n_backed) == E_OK);
		assert(half_n_shown == n_backed && us.regions->n_shares == 1);
		assert(map_remove(&us, HERE, N_PAGES) == E_BUSY && us.regions != NULL);
	}
}

/* The gate page is one: it is there or not, and its region is where it is. */
static void test_gate(void)
{
	start();
	half_fails = true;
	assert(map_gate(&us, HERE) == E_NOMEM && us.regions == NULL && half_is_as_before());
	half_fails = false;
	assert(map_gate(&us, HERE) == E_OK && us.regions->kind == REGION_GATE);
}

/* What RS needs to end an update is not there for others: frames, with page tables for them, and regions. */
static void test_reserve(void)
{
	struct map_request request = {.va = HERE,
	        .n_pages = HALF_SPARE,
	        .n_populate = HALF_SPARE - MAP_TABLES + 1,
	        .prot = PROT_R};

	start();
	assert(map_anonymous(&us, &request) == E_NOMEM && half_is_as_before());
	request.n_populate--;
	assert(map_anonymous(&us, &request) == E_OK);
	start();
	request.n_populate++;
	request.may_use_reserve = true;
	assert(map_anonymous(&us, &request) == E_OK);

	start();
	while (region_n_free() > VM_RESERVE_REGIONS) {
		(void)region_new();
	}
	request.n_populate = 0;
	request.may_use_reserve = false;
	assert(map_anonymous(&us, &request) == E_FULL && us.regions == NULL);
	request.may_use_reserve = true;
	assert(map_anonymous(&us, &request) == E_OK);
}

/* Who asks for itself gets as many as VM can go through, and RS may add to them. */
static void test_many(void)
{
	struct map_request request = {.n_pages = 1, .prot = PROT_R};

	start();
	for (uint32_t i = 0; i < VM_SPACE_REGIONS_MAX; i++) {
		request.va = HERE - i * PAGE_SIZE;
		assert(map_anonymous(&us, &request) == E_OK);
	}
	request.va = THERE;
	assert(map_anonymous(&us, &request) == E_FULL && map_anonymous(&them, &request) == E_OK);
	assert(map_remove(&us, HERE, 1) == E_OK && map_anonymous(&us, &request) == E_OK);
	request.va = HERE;
	assert(map_anonymous(&us, &request) == E_FULL);
	request.may_use_reserve = true;
	assert(map_anonymous(&us, &request) == E_OK);
}

int main(void)
{
	test_populated();
	test_page();
	test_shared();
	test_gate();
	test_reserve();
	test_many();
	return 0;
}
