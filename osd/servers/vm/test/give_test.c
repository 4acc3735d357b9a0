/*
 * Pages that change hands. The kernel here is a model that knows where every frame is shown, and how:
 * none may be writable in one space while it is executable in another, not for one operation.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/servers/vm/priv.h"

#define BASE UINT64_C(0x40000000)
#define N 400u
#define N_REGIONS 100u
#define OURS UINT64_C(0x10000000)
#define THEIRS UINT64_C(0x70000000)
#define N_PAGES 90u

static struct {
	vaddr_t va;
	uint32_t prot; /* 0: not mapped */
} shown[2][N];
static struct space us = {.is_live = true, .id = 0}, them = {.is_live = true, .id = 1}, *asked;
static uint32_t n_until_none = UINT32_MAX; /* operations until the taker's page tables run out */
static err_t batch_err;

/* No frame is both. */
static void check_shown(void)
{
	for (uint32_t i = 0; i < N; i++) {
		uint32_t prot = shown[0][i].prot | shown[1][i].prot;

		assert((prot & (PROT_W | PROT_X)) != (PROT_W | PROT_X));
		assert(!shown[0][i].prot || !shown[1][i].prot);
	}
}

void batch_begin(struct space *space)
{
	asked = space;
	batch_err = E_OK;
}

void batch_add(enum space_op_kind kind, vaddr_t va, uint64_t arg, uint64_t n_pages, uint32_t prot)
{
	if (batch_err == E_OK && kind == SPACE_MAP && asked == &them && n_until_none-- == 0) {
		batch_err = E_NOMEM;
	}
	for (uint64_t i = 0; batch_err == E_OK && i < n_pages; i++) {
		for (uint32_t f = 0; kind == SPACE_UNMAP && f < N; f++) {
			if (shown[asked->id][f].va == va + i * PAGE_SIZE) {
				shown[asked->id][f].prot = 0;
			}
		}
		if (kind == SPACE_MAP) {
			uint64_t f = (arg - BASE) / PAGE_SIZE + i;

			assert(!(prot & SPACE_OP_ZERO));
			shown[asked->id][f].va = va + i * PAGE_SIZE;
			shown[asked->id][f].prot = prot;
		}
	}
	check_shown();
}

err_t batch_end(void)
{
	return batch_err;
}

bool map_prot_is_valid(uint32_t prot)
{
	return prot & PROT_R && (prot & (PROT_W | PROT_X)) != (PROT_W | PROT_X);
}

/* A region of ours, backed in runs of up to `most` frames. */
static struct region *region_make(uint32_t most)
{
	struct region *region = region_new();
	uint32_t page = 0, n;

	*region = (struct region){.kind = REGION_ANONYMOUS,
	        .va = OURS,
	        .n_pages = N_PAGES,
	        .n_backed = N_PAGES,
	        .prot = PROT_R | PROT_W,
	        .runs = FRAME_NONE};
	assert(region_insert(&us.regions, region) == E_OK);
	while (page < N_PAGES) {
		paddr_t pa = frame_take(most < N_PAGES - page ? most : N_PAGES - page, &n);

		frame_run_link(&region->runs, pa, page, n);
		for (uint32_t i = 0; i < n; i++, page++) {
			shown[0][(pa - BASE) / PAGE_SIZE + i].va = OURS + page * PAGE_SIZE;
			shown[0][(pa - BASE) / PAGE_SIZE + i].prot = PROT_R | PROT_W;
		}
	}
	return region;
}

static void start(void)
{
	static struct region regions[N_REGIONS];
	static void *storage;

	free(storage);
	storage = calloc(1, frame_storage_bytes(N));
	memset(shown, 0, sizeof(shown));
	us.regions = them.regions = NULL;
	us.n_mirrored_by = 0;
	n_until_none = UINT32_MAX;
	region_init(regions, N_REGIONS);
	frame_init(storage, BASE, N);
	frame_give(BASE, N);
}

static err_t give(uint64_t page, vaddr_t to_va, uint32_t prot)
{
	return give_map(&us, OURS + page * PAGE_SIZE,
	        &(struct give_request){
	                .to = &them, .to_va = to_va, .n_pages = N_PAGES - page, .prot = prot});
}

/* Which frame a space shows at an address. */
static uint32_t frame_at(const struct space *space, vaddr_t va)
{
	for (uint32_t f = 0; f < N; f++) {
		if (shown[space->id][f].prot && shown[space->id][f].va == va) {
			return f;
		}
	}
	return FRAME_NONE;
}

/* The end of a region, wherever it is cut, and then the rest of it. */
static void test_given(void)
{
	for (uint32_t most = 1; most <= N_PAGES; most += 7) {
		for (uint32_t page = 1; page < N_PAGES; page++) {
			uint32_t frame[N_PAGES];

			start();
			(void)region_make(most);
			for (uint32_t i = 0; i < N_PAGES; i++) {
				frame[i] = frame_at(&us, OURS + i * PAGE_SIZE);
			}
			assert(give(page, THEIRS + page * PAGE_SIZE, PROT_R | PROT_X) == E_OK);
			assert(us.regions->n_pages == page && us.regions->n_backed == page);
			assert(them.regions->n_backed == N_PAGES - page);
			assert(them.regions->prot == (PROT_R | PROT_X));
			assert(frame_at(&us, OURS + page * PAGE_SIZE) == FRAME_NONE);
			assert(give_map(&us, OURS,
			               &(struct give_request){.to = &them,
			                       .to_va = THEIRS,
			                       .n_pages = page,
			                       .prot = PROT_R}) == E_OK);
			assert(us.regions == NULL);
			for (uint32_t i = 0; i < N_PAGES; i++) {
				assert(frame_at(&them, THEIRS + i * PAGE_SIZE) == frame[i]);
			}
			frame_run_give_all(&them.regions->runs);
			frame_run_give_all(&them.regions->next->runs);
			assert(frame_n_free() == N);
		}
	}
}

/* What is refused changes nothing. */
static void test_refused(void)
{
	struct region *region;

	start();
	region = region_make(30);
	assert(give(10, THEIRS, PROT_R | PROT_W | PROT_X) == E_INVAL);
	assert(give(10, THEIRS + 1, PROT_R) == E_INVAL);
	assert(give_map(&us, OURS,
	               &(struct give_request){
	                       .to = &us, .to_va = THEIRS, .n_pages = N_PAGES, .prot = PROT_R}) ==
	        E_INVAL);
	assert(give_map(&us, OURS, /* not its end */
	               &(struct give_request){
	                       .to = &them, .to_va = THEIRS, .n_pages = 5, .prot = PROT_R}) ==
	        E_FAULT);
	region->n_backed--;
	assert(give(10, THEIRS, PROT_R) == E_FAULT);
	region->n_backed++;
	region->n_shares++;
	assert(give(10, THEIRS, PROT_R) == E_BUSY);
	region->n_shares--;
	us.n_mirrored_by++;
	assert(give(10, THEIRS, PROT_R) == E_BUSY);
	us.n_mirrored_by--;
	region->kind = REGION_FIXED;
	assert(give(10, THEIRS, PROT_R) == E_PERM);
	region->kind = REGION_ANONYMOUS;
	assert(them.regions == NULL && region->n_pages == N_PAGES);
	assert(give(10, THEIRS, PROT_R) == E_OK);
	region->va += 20 * PAGE_SIZE; /* any other that would lie there too */
	assert(give_map(&us, region->va,
	               &(struct give_request){
	                       .to = &them, .to_va = THEIRS, .n_pages = 10, .prot = PROT_R}) ==
	        E_EXISTS);
	assert(region->n_pages == 10 && frame_n_free() == N - N_PAGES);
}

/* The taker's page tables run out: everything is as before. */
static void test_no_tables(void)
{
	uint32_t frame[N_PAGES];

	start();
	(void)region_make(8);
	for (uint32_t i = 0; i < N_PAGES; i++) {
		frame[i] = frame_at(&us, OURS + i * PAGE_SIZE);
	}
	n_until_none = 3;
	assert(give(42, THEIRS, PROT_R | PROT_X) == E_NOMEM);
	assert(them.regions == NULL && us.regions->n_pages == N_PAGES);
	for (uint32_t i = 0; i < N_PAGES; i++) {
		assert(frame_at(&us, OURS + i * PAGE_SIZE) == frame[i]);
		assert(shown[0][frame[i]].prot == (PROT_R | PROT_W) && !shown[1][frame[i]].prot);
	}
	frame_run_give_all(&us.regions->runs);
	assert(frame_n_free() == N);
}

int main(void)
{
	test_given();
	test_refused();
	test_no_tables();
	return 0;
}
