#undef NDEBUG
#include "osd/servers/rs/layout/play.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/stage/stage.h"

uint64_t word;
size_t n_wiped;
uint32_t n_taken, n_until_none = UINT32_MAX;
uint64_t n_left;
uint8_t wiped[LINK_SEED_SIZE];
const uint8_t release[RS_HASH_LEN] = {1, 2, 3};
const struct span_set nothing;
const struct agree_audit audit = {1, seal_vectors[0].audit_pub};
struct page pages[64];
uint32_t n_pages, n_until_refused = UINT32_MAX;

void play_begin(void)
{
	sys_gate = (vaddr_t)host_gate;
	layout_init(BUDGET);
}

/* The kernel: every call draws a random word. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_random);
	r->rax = E_OK;
	r->rdx = word;
	word += WORD_STEP;
}

void *stage_memory_new(uint64_t bytes)
{
	assert(bytes > 0 && bytes % PAGE_SIZE == 0);
	if (n_taken == n_until_none) {
		return NULL;
	}
	n_taken++;
	n_left = bytes;
	return memset(aligned_alloc(PAGE_SIZE, bytes), 0, bytes);
}

void stage_memory_free(void *memory, uint64_t bytes)
{
	assert(bytes > 0 && bytes % PAGE_SIZE == 0);
	n_taken--;
	free(memory);
}

/* Stands before libsodium's, which uses it as well. */
void sodium_memzero(void *const memory, const size_t len)
{
	n_wiped += len;
	if (len == sizeof(wiped)) {
		memcpy(wiped, memory, len);
	}
	memset(memory, 0, len);
}

static err_t play_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	assert(space == SPACE && bytes > 0 && bytes % PAGE_SIZE == 0 && backed == bytes);
	if (n_until_refused-- == 0) {
		return E_NOMEM;
	}
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		assert(n_pages < sizeof(pages) / sizeof(pages[0]));
		pages[n_pages].va = va + at;
		pages[n_pages].prot = prot;
		memset(pages[n_pages++].bytes, 0, PAGE_SIZE);
	}
	return E_OK;
}

/* The end of what RS has; it is out of RS's reach at once. */
static err_t play_give(const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	uint32_t first = n_pages;
	err_t err = play_map(to, to_va, bytes, prot, bytes);

	assert((uintptr_t)from % PAGE_SIZE == 0 && bytes < n_left);
	for (uint64_t at = 0; err == E_OK && at < bytes; at += PAGE_SIZE) {
		uint8_t *page = (uint8_t *)(uintptr_t)from + at;

		memcpy(pages[first + at / PAGE_SIZE].bytes, page, PAGE_SIZE);
		memset(page, 0xee, PAGE_SIZE);
	}
	return err;
}

void stage_memory_cut(void *memory, uint64_t bytes)
{
	n_left = bytes;
}

err_t memory_give(const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	return play_give(from, to, to_va, bytes, prot);
}

err_t memory_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	return play_map(space, va, bytes, prot, backed);
}

_Noreturn void rs_panic(const char *text)
{
	abort();
}

/* The seed that the next draw gives. */
void seed_next(uint8_t ret_seed[LINK_SEED_SIZE])
{
	for (uint32_t i = 0; i < LINK_SEED_SIZE / 8; i++) {
		uint64_t bits = word + i * WORD_STEP;

		memcpy(ret_seed + 8 * i, &bits, 8);
	}
}

struct layout_kit kit_of(const struct sample_kit *sample)
{
	size_t n;
	struct layout_kit kit = {.bytes = sample_file(sample, &n)};

	kit.n_bytes = n;
	return kit;
}

struct layout_kit kit_good(void)
{
	static const struct sample_size size = {
	        .pieces = {40, 20, 20, 20}, .bytes = 200, .relocs = 3, .symbols = 30};
	uint64_t state = 4711;
	struct sample_kit sample = sample_draw(&state, &size);
	struct layout_kit kit = kit_of(&sample);

	assert(layout_kit_check(&kit, SERVICE) == E_OK);
	sample_fini(&sample);
	return kit;
}

void kit_free(struct layout_kit *kit)
{
	free((void *)kit->bytes);
}
