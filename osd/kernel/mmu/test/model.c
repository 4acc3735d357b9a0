/*
 * Three spaces, and beside each a plain array: what is mapped at a page, and for each last-level table
 * whether it is there, and whose it is. Every operation is tried on the real tables, its result and
 * what it says of tables is predicted from the arrays, and then compared by a walk that a machine
 * would make. Three more things are looked at after each:
 *
 * - what a CPU may hold of before. Every translation is held to be cached (worst case), and only
 *   arch_space_gone() drops it: what is still cached must be as it is now.
 * - tables: exactly those are there that hold something, and each counts its entries right.
 * - frames: each given one is in use, a spare, or came back.
 */
#include "osd/kernel/mmu/test/model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/kernel/mmu/test/priv.h"

#define N_TABLES (sizeof(places) / sizeof(places[0]) * MACHINE_PLACE_TABLES)

static const vaddr_t places[] = MACHINE_PLACES;

unsigned char arena[ARENA_FRAMES * PAGE_SIZE] __attribute__((aligned(4096)));
uint16_t *frame_uses;
uint64_t n_frame_uses;

struct model models[N_MODEL_SPACES];
const uint32_t n_model_tables = N_TABLES;
static uint32_t n_boot_frames;

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

paddr_t arch_boot_frames(uint64_t n)
{
	n_boot_frames += (uint32_t)n;
	assert(n_boot_frames < N_KERNEL);
	return n_boot_frames * PAGE_SIZE;
}

void arch_gate_write(void *page)
{
	memset(page, 0xcc, PAGE_SIZE);
}

void arch_space_root_init(void *root)
{
	memset(root, 0, PAGE_SIZE);
}

vaddr_t model_table_va(uint32_t table)
{
	return places[table / MACHINE_PLACE_TABLES] +
	       table % MACHINE_PLACE_TABLES * MMU_TABLE_BYTES;
}

static void model_forget(struct model *m, vaddr_t va, uint64_t n_pages)
{
	m->is_gone = true;
	for (uint32_t t = 0; t < N_TABLES; t++) {
		for (uint32_t i = 0; i < PTE_N; i++) {
			if (model_table_va(t) + i * PAGE_SIZE - va < n_pages * PAGE_SIZE) {
				m->cached[t][i] = (struct page){0};
			}
		}
	}
}

void arch_space_gone(const struct arch_space *space, vaddr_t va, uint64_t n_pages)
{
	for (struct model *m = models; m < models + N_MODEL_SPACES; m++) {
		if (space == &m->real.arch) {
			model_forget(m, va, n_pages);
		}
	}
}

/* Nobody else is asked to: by what the space itself says of whom it mirrors. */
void arch_space_gone_mirrored(const struct arch_space *space, vaddr_t va, uint64_t n_pages)
{
	for (struct model *m = models; m < models + N_MODEL_SPACES; m++) {
		if (space == &m->real.arch ||
		        (m->real.source != NULL && space == &m->real.source->arch)) {
			model_forget(m, va, n_pages);
		}
	}
}

static void model_space_new(struct model *m, paddr_t root)
{
	*m = (struct model){0};
	assert(mmu_space_init(&m->real, root + 1) == E_INVAL);
	assert(mmu_space_init(&m->real, 0) == E_PERM);
	assert(mmu_space_init(&m->real, root) == E_OK);
	assert(mmu_space_init(&m->real, root) == E_PERM);
	m->n_given = 1;
}

paddr_t model_frame_free(uint32_t n)
{
	const uint32_t first = N_KERNEL + N_DATA;

	for (uint32_t i = 0; i < ARENA_FRAMES - first; i++) {
		uint32_t frame = first + (n + i) % (ARENA_FRAMES - first);

		if (frame_uses[frame] == FRAME_USER) {
			return frame * PAGE_SIZE;
		}
	}
	abort();
}

void model_start(void)
{
	static uint16_t uses[ARENA_FRAMES];

	assert(N_TABLES <= N_MODEL_TABLES_MAX);
	frame_uses = uses;
	n_frame_uses = ARENA_FRAMES;
	frame_uses_set(0, N_KERNEL, FRAME_KERNEL);
	frame_uses_set(N_KERNEL * PAGE_SIZE, ARENA_FRAMES - N_KERNEL, FRAME_USER);
	memset(arena, 0, sizeof(arena));
	n_boot_frames = 0;
	mmu_init();
	for (uint32_t i = 0; i < N_MODEL_SPACES; i++) {
		model_space_new(&models[i], model_frame_free(0));
	}
}

struct page model_page(const struct model *m, uint32_t table, uint32_t i)
{
	struct page page = m->pages[table][i];

	if (m->kind[table] == KIND_MIRROR) {
		page = m->source->pages[table][i];
		page.prot &= PROT_R;
	} else if (m->kind[table] == KIND_ZERO) {
		page = (struct page){.pa = mmu_zero_page, .prot = PROT_R, .is_zero = true};
	}
	return page;
}

/* The same as a machine sees it, and the last-level table on the way. */
static struct page machine_walk(const struct mmu_space *space, vaddr_t va, paddr_t *ret_table)
{
	uint64_t all = ~0ull, any = 0, entry = 0;
	paddr_t at = space->arch.root;

	*ret_table = 0;
	for (uint32_t level = PTE_LEVEL_ROOT + 1; level-- > 0; at = pte_frame(entry)) {
		entry = table_at(at)[pte_index(va, level)];
		if (entry == 0) {
			return (struct page){0};
		}
		all &= entry;
		any |= entry;
		*ret_table = level == PTE_LEVEL_DIRECTORY ? pte_frame(entry) : *ret_table;
	}
	return (struct page){.pa = at,
	        .prot = PROT_R | (machine_may_write(any, all) ? PROT_W : 0) |
	                (machine_may_execute(any, all) ? PROT_X : 0),
	        .is_zero = pte_is_zero(entry),
	        .is_device = pte_page_is_device(entry)};
}

static bool page_is(struct page a, struct page b)
{
	return a.pa == b.pa && a.prot == b.prot && a.is_zero == b.is_zero &&
	       a.is_device == b.is_device;
}

/* mmu_ptr() allows what the page does. */
static void model_check_ptr(const struct model *m, uint32_t table, uint32_t i, struct page page)
{
	const vaddr_t va = model_table_va(table) + i * PAGE_SIZE + 5;
	void *at = page.pa != 0 && !page.is_device ? arena + page.pa + 5 : NULL;
	bool is_memory = at != NULL && frame_use(page.pa) == FRAME_USER;

	assert(mmu_ptr(&m->real, va, MMU_ACCESS_READ) == at);
	assert(mmu_ptr(&m->real, va, MMU_ACCESS_WRITE) ==
	        (is_memory && page.prot & PROT_W ? at : NULL));
	assert(mmu_ptr(&m->real, va, MMU_ACCESS_WRITE | MMU_ACCESS_FORCE) ==
	        (is_memory && m->kind[table] == KIND_OWN ? at : NULL));
}

static void model_check_table(struct model *m, uint32_t table)
{
	paddr_t now = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < PTE_N; i++) {
		struct page want = model_page(m, table, i);
		struct page is =
		        machine_walk(&m->real, model_table_va(table) + i * PAGE_SIZE, &now);

		assert(page_is(want, is));
		assert(m->cached[table][i].pa == 0 || page_is(m->cached[table][i], is));
		m->cached[table][i] = is;
		n += is.pa != 0;
		model_check_ptr(m, table, i, is);
	}
	assert(m->cached_table[table] == now || m->cached_table[table] == 0 || m->is_gone);
	m->cached_table[table] = now;
	assert((now != 0) == (m->kind[table] != KIND_NONE));
	if (m->kind[table] == KIND_OWN) {
		assert(frame_use(now) == FRAME_TABLE + n + m->n_sharers[table] * FRAME_SHARER);
	}
}

uint32_t model_tables(const enum kind kind[])
{
	uint32_t n = 1;

	for (uint32_t t = 0; t < N_TABLES; t++) {
		n += kind[t] == KIND_OWN;
		for (uint32_t level = 2; kind[t] != KIND_NONE && level <= PTE_LEVEL_ROOT; level++) {
			bool is_first = true;

			for (uint32_t before = 0; before < t; before++) {
				is_first &= kind[before] == KIND_NONE ||
				            model_table_va(before) >> pte_shift(level) !=
				                    model_table_va(t) >> pte_shift(level);
			}
			n += is_first;
		}
	}
	return n;
}

static void model_check_counts(const struct model *m)
{
	uint32_t n_shared = 0, n_mirrors = 0;

	for (uint32_t t = 0; t < N_TABLES; t++) {
		n_shared += m->n_sharers[t];
		n_mirrors += m->kind[t] == KIND_MIRROR;
	}
	assert(m->real.n_tables == model_tables(m->kind));
	assert(m->real.n_tables + m->real.n_spare == m->n_given);
	assert(m->real.n_shared == n_shared && m->real.n_mirrors == n_mirrors);
	assert(m->real.source == (n_mirrors > 0 ? &m->source->real : NULL));
}

void model_check(uint32_t table)
{
	for (uint32_t i = 0; i < N_MODEL_SPACES; i++) {
		model_check_table(&models[i], table);
		model_check_counts(&models[i]);
		models[i].is_gone = false;
	}
}

void model_frames_back(struct model *m, const paddr_t *frames, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		assert(frames[i] % PAGE_SIZE == 0 && frame_use(frames[i]) == FRAME_USER);
		memset(arch_frame_ptr(frames[i]), 0xa5,
		        PAGE_SIZE); /* whoever has it may write it */
	}
	m->n_given -= n;
}

void model_space_end(struct model *m, uint32_t max)
{
	paddr_t frames[16];
	err_t err = E_AGAIN;

	for (uint32_t t = 0; t < N_TABLES; t++) {
		if (m->n_sharers[t] > 0) {
			uint32_t n = 77;

			assert(mmu_space_fini(&m->real, frames, max, &n) == E_BUSY && n == 77);
			return;
		}
	}
	while (err == E_AGAIN) {
		uint32_t n;

		err = mmu_space_fini(&m->real, frames, max, &n);
		assert(n <= max);
		model_frames_back(m, frames, n);
	}
	assert(err == E_OK && m->n_given == 0);
	for (uint32_t t = 0; t < N_TABLES; t++) {
		if (m->kind[t] == KIND_MIRROR) {
			m->source->n_sharers[t]--;
		}
	}
	model_space_new(m, model_frame_free(max));
}

void model_unmirror(struct model *m, uint32_t table)
{
	mmu_unmirror(&m->real, model_table_va(table));
	if (m->kind[table] == KIND_MIRROR) {
		m->source->n_sharers[table]--;
	}
	if (m->kind[table] != KIND_OWN) {
		m->kind[table] = KIND_NONE;
	}
}

/* An entry of a list is as the arrays have it. Returns the pages of it; a mirror counts as one. */
static uint32_t model_check_entry(const struct model *m, const struct frame_entry *entry)
{
	uint32_t table = 0;

	while (table < N_TABLES && entry->va - model_table_va(table) >= MMU_TABLE_BYTES) {
		table++;
	}
	switch ((enum frame_kind)entry->kind) {
	case FRAME_LIST_TABLE:
		if (entry->level == PTE_LEVEL_PAGE) {
			assert(m->kind[table] == KIND_OWN && entry->n == m->n_sharers[table]);
		}
		return 0;
	case FRAME_LIST_MIRROR:
		assert(m->kind[table] == KIND_MIRROR);
		return 1;
	case FRAME_LIST_PAGES:
	case FRAME_LIST_DEVICE:
	case FRAME_LIST_ZERO:
	case FRAME_LIST_GATE:
		break;
	case FRAME_LIST_SPARE:
		return 0;
	case FRAME_LIST_SPACE:
	case FRAME_LIST_FPU:
	case FRAME_LIST_OBJECT:
	case FRAME_LIST_DOMAIN:
		abort();
	}
	for (uint32_t i = 0; i < entry->n; i++) {
		uint32_t at = (uint32_t)(entry->va - model_table_va(table)) / PAGE_SIZE + i;
		struct page page = model_page(m, table, at);

		assert(page.is_zero == (entry->kind == FRAME_LIST_ZERO));
		assert(page.is_device == (entry->kind == FRAME_LIST_DEVICE));
		assert(page.is_zero ||
		        (page.pa == entry->pa + i * PAGE_SIZE && page.prot == entry->prot));
	}
	return entry->n;
}

/* The list of a space says what its arrays say, in pieces of any size. */
static void model_check_list(const struct model *m, uint32_t max)
{
	struct frame_entry list[64];
	uint32_t n_tables = 0, n_spare = 0, n_pages = 0, n_wanted = 0;
	vaddr_t at = 0, last = 0;

	while (at < ARCH_USER_END) {
		uint32_t n = mmu_list(&m->real, &at, list, max);

		assert(n <= max);
		for (uint32_t i = 0; i < n; i++) {
			assert(list[i].va >= last && list[i].va < ARCH_USER_END);
			last = list[i].va;
			n_tables += list[i].kind == FRAME_LIST_TABLE;
			n_spare += list[i].kind == FRAME_LIST_SPARE ? list[i].n : 0;
			n_pages += model_check_entry(m, &list[i]);
		}
	}
	for (uint32_t t = 0; t < N_TABLES; t++) {
		for (uint32_t i = 0; i < PTE_N; i++) {
			n_wanted +=
			        m->kind[t] == KIND_MIRROR ? i == 0 : model_page(m, t, i).pa != 0;
		}
	}
	assert(n_tables == m->real.n_tables && n_spare == m->real.n_spare);
	assert(n_pages == n_wanted);
}

void model_end(void)
{
	for (uint32_t i = 0; i < N_MODEL_SPACES; i++) {
		model_check_list(
		        &models[i], FRAME_LIST_MIN + n_boot_frames * models[i].n_given %
		                                             (FRAME_LIST_MAX - FRAME_LIST_MIN + 1));
	}
	for (uint32_t t = 0; t < N_TABLES; t++) {
		model_check(t);
	}
	/* Mirrors first: who is mirrored cannot end, and two may mirror each other. */
	for (uint32_t i = 0; i < N_MODEL_SPACES * N_TABLES; i++) {
		model_unmirror(&models[i % N_MODEL_SPACES], i / N_MODEL_SPACES);
	}
	for (uint32_t i = 0; i < N_MODEL_SPACES; i++) {
		model_space_end(&models[i], 7);
	}
	for (uint32_t i = 0, n = 0; i <= ARENA_FRAMES; i++) {
		assert(i < ARENA_FRAMES || n == ARENA_FRAMES - N_KERNEL - N_MODEL_SPACES);
		n += i < ARENA_FRAMES && frame_uses[i] == FRAME_USER;
	}
}
