/* The pure parts of VM on the host: frames, runs, regions. */
#undef NDEBUG
#include "osd/servers/vm/region.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"

#define BASE UINT64_C(0x40000000)
#define N 5000u
#define N_REGIONS 100u

static struct region regions[N_REGIONS];

static void *storage;

static void frames_start(void)
{
	free(storage);
	storage = malloc(frame_storage_bytes(N));
	assert(storage);
	memset(storage, 0xff, frame_storage_bytes(N));
	assert(storage);
	frame_init(storage, BASE, N);
	frame_give(BASE, 1000);
	frame_give(BASE + 1500 * PAGE_SIZE, N - 1500);
}

static void test_frames_exhaust(void)
{
	static uint8_t taken[N];
	uint64_t total = N - 500;
	uint32_t n;
	paddr_t pa;

	frames_start();
	memset(taken, 0, sizeof(taken));
	assert(frame_n_free() == total);
	while ((pa = frame_take(7, &n)) != FRAME_PA_NONE) {
		assert(n >= 1 && n <= 7);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t frame = (pa - BASE) / PAGE_SIZE + i;

			assert(frame < 1000 || frame >= 1500);
			assert(!taken[frame]++);
			assert(!frame_is_free(pa + i * PAGE_SIZE));
		}
		total -= n;
	}
	assert(total == 0 && frame_n_free() == 0);
	for (uint64_t frame = 0; frame < N; frame++) {
		if (taken[frame]) {
			frame_give(BASE + frame * PAGE_SIZE, 1);
		}
	}
	assert(frame_n_free() == N - 500);
}

static void test_frames_runs(void)
{
	frames_start();
	assert(frame_take_run(N) == FRAME_PA_NONE);
	assert(frame_take_run(3500) == BASE + 1500 * PAGE_SIZE);
	assert(frame_take_run(1001) == FRAME_PA_NONE);
	assert(frame_take_run(1000) == BASE);
	assert(frame_take_run(1) == FRAME_PA_NONE && frame_n_free() == 0);
}

static void test_run_list(void)
{
	uint32_t head = FRAME_NONE, n, page = 0;

	frames_start();
	while (page < 3000) {
		paddr_t pa = frame_take(1 + (uint32_t)random() % 40, &n);

		frame_run_link(&head, pa, page, n);
		page += n;
	}
	for (uint32_t frame = head; frame != FRAME_NONE; frame = frame_run_of(frame)->next) {
		page -= frame_run_of(frame)->n;
		assert(frame_run_of(frame)->page == page);
		assert(!frame_is_free(frame_run_pa(frame)));
	}
	assert(page == 0);
	frame_run_give_all(&head);
	assert(head == FRAME_NONE && frame_n_free() == N - 500);
}

static struct region *region_at(vaddr_t va, uint64_t n_pages)
{
	struct region *region = region_new();

	assert(region);
	region->va = va;
	region->n_pages = n_pages;
	return region;
}

static void test_regions(void)
{
	struct region *list = NULL;
	struct region *a, *b, *c;

	region_init(regions, N_REGIONS);
	a = region_at(0x100000, 16);
	b = region_at(0x200000, 1);
	c = region_at(0x110000, 16);
	assert(region_insert(&list, b) == E_OK && region_insert(&list, a) == E_OK);
	assert(region_insert(&list, c) == E_OK);
	assert(list == a && a->next == c && c->next == b);
	assert(region_find(list, 0x10ffff) == a && region_find(list, 0x110000) == c);
	assert(!region_find(list, 0xfffff) && !region_find(list, 0x120000));
	assert(!region_find(list, 0x201000) && region_find(list, 0x200fff) == b);
	assert(region_hits(list, 0, 0x100001) && !region_hits(list, 0, 0x100000));
	assert(region_hits(list, 0x11ffff, 0x130000) && !region_hits(list, 0x120000, 0x200000));
	for (vaddr_t va = 0xf1000; va < 0x120000; va += PAGE_SIZE) {
		struct region *d = region_at(va, 16);

		assert(region_insert(&list, d) == E_EXISTS);
		assert(!region_free(d));
	}
	region_remove(&list, c);
	assert(a->next == b && !region_find(list, 0x110000));
}

/* In memory that held something, and again when all were taken. */
static void test_region_store(void)
{
	struct region *all[N_REGIONS];

	memset(regions, 0xff, sizeof(regions));
	region_init(regions, N_REGIONS);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < N_REGIONS; i++) {
			all[i] = region_new();
			assert(all[i] && all[i]->next == NULL && all[i]->n_shares == 0);
			for (uint32_t k = 0; k < i; k++) {
				assert(all[k] != all[i]);
			}
		}
		assert(!region_new() && region_n_free() == 0);
		for (uint32_t i = 0; i < N_REGIONS; i++) {
			assert(!region_free(all[i]));
		}
		assert(region_n_free() == N_REGIONS);
	}
	assert(regions_max(0) > 0 && regions_max(1ul << 17) >= 8 * 4096);
}

static void test_ranges(void)
{
	assert(region_range_is_valid(REGION_LOW, 1));
	assert(region_range_is_valid(REGION_END - PAGE_SIZE, 1));
	assert(!region_range_is_valid(REGION_END - PAGE_SIZE, 2));
	assert(!region_range_is_valid(REGION_END, 1) && !region_range_is_valid(0, 1));
	assert(!region_range_is_valid(REGION_LOW + 1, 1) && !region_range_is_valid(REGION_LOW, 0));
	assert(!region_range_is_valid(REGION_LOW, UINT64_MAX));
	assert(!region_range_is_valid(~UINT64_C(0xfff), 1));
}

int main(void)
{
	test_frames_exhaust();
	test_frames_runs();
	test_run_list();
	test_regions();
	test_region_store();
	test_ranges();
	free(storage);
	return 0;
}
