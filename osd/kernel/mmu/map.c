/*
 * Pages of a space: map, unmap, protect, and its gate page. A part lies in one last-level table, so
 * an operation walks once and then runs over entries that lie side by side: a page of a run costs a
 * few instructions, and a single page not many more than the walk.
 */
#include "osd/kernel/mmu/priv.h"

#define MAP_PROT_RWX (PROT_R | PROT_W | PROT_X)

/*
 * A page of each protection, without a frame; 0 where there is none: write-only and execute-only do
 * not exist, and nothing is writable and executable.
 */
static uint64_t map_pages[MAP_PROT_RWX + 1];

void map_init(void)
{
	map_pages[PROT_R] = pte_page(0, PROT_R);
	map_pages[PROT_R | PROT_W] = pte_page(0, PROT_R | PROT_W);
	map_pages[PROT_R | PROT_X] = pte_page(0, PROT_R | PROT_X);
}

static inline uint64_t map_page(uint32_t prot)
{
	return prot <= MAP_PROT_RWX ? map_pages[prot] : 0;
}

static bool map_prot_is_valid(uint32_t prot)
{
	return map_page(prot) != 0;
}

static err_t map_check_frames(const struct space_op *map)
{
	uint32_t use = map->prot & SPACE_OP_DEVICE ? FRAME_NONE : FRAME_USER;

	if (!pte_frame_is_valid(map->arg, map->n_pages)) {
		return E_INVAL;
	}
	for (uint32_t i = 0; i < map->n_pages; i++) {
		if (frame_use(map->arg + i * PAGE_SIZE) != use) {
			return E_PERM;
		}
	}
	return E_OK;
}

/* The entries that are absent, of n that are so or zero frames; -1: something else is in the way. */
static int32_t map_absent_count(const uint64_t *entries, uint32_t n)
{
	int32_t n_absent = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (entries[i] == 0) {
			n_absent++;
		} else if (!pte_is_zero(entries[i])) {
			return -1;
		}
	}
	return n_absent;
}

err_t mmu_map_check(const struct mmu_space *space, const struct space_op *map)
{
	uint64_t entry;
	err_t err;

	if (!map_prot_is_valid(map->prot & ~(SPACE_OP_ZERO | SPACE_OP_DEVICE))) {
		return E_INVAL;
	}
	err = map_check_frames(map);
	if (err != E_OK) {
		return err;
	}
	entry = table_entry(space, map->va);
	if (entry == 0 || pte_is_zero(entry)) {
		return E_OK;
	}
	if (pte_table_is_mirror(entry) ||
	        map_absent_count(table_at(pte_frame(entry)) + pte_index(map->va, PTE_LEVEL_PAGE),
	                map->n_pages) < 0) {
		return E_BUSY;
	}
	return E_OK;
}

/* Reserve tables for the part at va, and make them. */
static err_t map_table_make(
        struct mmu_space *space, vaddr_t va, struct mmu_tables *tables, paddr_t *ret_table)
{
	struct table_need need = {0};
	err_t err;

	table_need_last(&need, space, va);
	err = table_reserve(space, tables, need.n);
	if (err == E_OK) {
		*ret_table = table_make(space, va, tables);
	}
	return err;
}

/* The table of a checked map that has to be made: frames of it cannot be those that are mapped. */
static err_t map_table_for(struct mmu_space *space, const struct space_op *map,
        struct mmu_tables *tables, paddr_t *ret_table)
{
	struct table_need need = {0};
	err_t err;

	table_need_last(&need, space, map->va);
	err = table_reserve(space, tables, need.n);
	if (err != E_OK) {
		return err;
	}
	err = map_check_frames(map);
	if (err != E_OK) {
		table_unreserve(space, tables, need.n);
		return err;
	}
	*ret_table = table_make(space, map->va, tables);
	return E_OK;
}

/* Translations of a part are gone, where the table is mirrored, in mirrors, too. */
static void map_gone(const struct mmu_space *space, paddr_t table, vaddr_t va, uint32_t n_pages)
{
	if (frame_table_sharers(table) == 0) {
		arch_space_gone(&space->arch, va, n_pages);
	} else {
		arch_space_gone_mirrored(&space->arch, va, n_pages);
	}
}

static void map_fill(struct mmu_space *space, const struct space_op *map, paddr_t table)
{
	uint64_t *entries = table_at(table) + pte_index(map->va, PTE_LEVEL_PAGE);
	int32_t n_absent = map_absent_count(entries, map->n_pages);
	uint64_t page = pte_page(map->arg, map->prot);

	if (map->prot & SPACE_OP_ZERO && !(map->prot & SPACE_OP_DEVICE)) {
		__builtin_memset(arch_frame_ptr(map->arg), 0, map->n_pages * PAGE_SIZE);
	}
	for (uint32_t i = 0; i < map->n_pages; i++) {
		entries[i] = page + pte_of_frame(i * PAGE_SIZE);
	}
	frame_table_add(table, n_absent);
	if ((uint32_t)n_absent != map->n_pages) {
		map_gone(space, table, map->va, map->n_pages); /* zero frames were there */
	}
}

/* Any map: also such as needs tables, devices, and pages over zero frames. */
static __attribute__((noinline)) err_t map_any(
        struct mmu_space *space, const struct space_op *map, struct mmu_tables *tables)
{
	uint64_t entry = table_entry(space, map->va);
	paddr_t table = pte_frame(entry);
	err_t err = mmu_map_check(space, map);

	if (err == E_OK && !pte_table_is_own(entry)) {
		err = map_table_for(space, map, tables, &table);
	}
	if (err == E_OK) {
		map_fill(space, map, table);
	}
	return err;
}

/* Are these frames of user memory, all n > 0 of them? */
static inline bool map_frames_are_users(paddr_t pa, uint64_t n)
{
	uint64_t first = pa / PAGE_SIZE, i = 0;
	const uint16_t *use = frame_uses + first;

	if (pa % PAGE_SIZE != 0 || first + n > n_frame_uses) {
		return false;
	}
	do {
		if (use[i] != FRAME_USER) {
			return false;
		}
	} while (++i < n);
	return true;
}

/* The table of the space's own for va, mostly the one that was asked for last; 0: there is none. */
static inline paddr_t map_table_own(struct mmu_space *space, vaddr_t va)
{
	uint64_t entry;

	if (space->hint == va / MMU_TABLE_BYTES) {
		return space->hint_table;
	}
	entry = table_entry(space, va);
	if (!pte_table_is_own(entry)) {
		return 0;
	}
	space->hint = va / MMU_TABLE_BYTES;
	space->hint_table = pte_frame(entry);
	return space->hint_table;
}

/*
 * What most maps are, memory where nothing was, in a table that exists, is done at once, in loops
 * that are not unrolled: most of them run once.
 */
err_t mmu_map(struct mmu_space *space, const struct space_op *map, struct mmu_tables *tables)
{
	const uint64_t n = map->n_pages;
	uint64_t page = map_page(map->prot), *entries, i = 0;
	paddr_t table;

	if (page == 0 || !map_frames_are_users(map->arg, n)) {
		return map_any(space, map, tables);
	}
	table = map_table_own(space, map->va);
	if (table == 0) {
		return map_any(space, map, tables);
	}
	entries = table_at(table) + pte_index(map->va, PTE_LEVEL_PAGE);
	do {
		if (entries[i] != 0) {
			return map_any(space, map, tables);
		}
	} while (++i < n);
	page += pte_of_frame(map->arg + n * PAGE_SIZE);
#pragma clang loop unroll(disable)
	do {
		page -= pte_of_frame(PAGE_SIZE);
		entries[--i] = page;
	} while (i != 0);
	frame_table_add(table, (int32_t)n);
	return E_OK;
}

err_t mmu_unmap_check(const struct mmu_space *space, vaddr_t va)
{
	return pte_table_is_mirror(table_entry(space, va)) ? E_BUSY : E_OK;
}

err_t mmu_unmap(struct mmu_space *space, vaddr_t va, uint32_t n_pages)
{
	uint64_t entry = table_entry(space, va), *entries;
	paddr_t table = pte_frame(entry);
	int32_t n_gone = 0;
	bool is_shared;

	if (entry == 0) {
		return E_OK;
	}
	if (pte_table_is_mirror(entry)) {
		return E_BUSY;
	}
	if (pte_is_zero(entry)) {
		/* Pages around the part become absent too: demand-zero either way. */
		table_entry_drop(space, va);
		arch_space_gone(&space->arch, va & ~(MMU_TABLE_BYTES - 1), PTE_N);
		return E_OK;
	}
	entries = table_at(table) + pte_index(va, PTE_LEVEL_PAGE);
	for (uint32_t i = 0; i < n_pages; i++) {
		n_gone += entries[i] != 0;
		entries[i] = 0;
	}
	frame_table_add(table, -n_gone);
	is_shared = frame_table_sharers(table) != 0;
	if (frame_table_is_empty(table) && !is_shared) {
		space->hint = MMU_NO_HINT;
		table_spare(space, table);
		table_entry_drop(space, va);
	}
	if (is_shared) {
		arch_space_gone_mirrored(&space->arch, va, n_pages);
	} else {
		arch_space_gone(&space->arch, va, n_pages);
	}
	return E_OK;
}

/*
 * May the protection of these entries change? Of user frames only: the gate page, writable, would
 * let one process rewrite everybody's way into the kernel. Zero frames stay what they are.
 */
static bool map_entries_may_change(const uint64_t *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (entries[i] != 0 && !pte_is_zero(entries[i]) &&
		        (pte_page_is_device(entries[i]) ||
		                frame_use(pte_frame(entries[i])) != FRAME_USER)) {
			return false;
		}
	}
	return true;
}

err_t mmu_protect_check(const struct mmu_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	uint64_t entry;

	if (!map_prot_is_valid(prot)) {
		return E_INVAL;
	}
	entry = table_entry(space, va);
	if (entry == 0 || pte_is_zero(entry)) {
		return E_OK;
	}
	if (pte_table_is_mirror(entry)) {
		return E_BUSY;
	}
	return map_entries_may_change(
	               table_at(pte_frame(entry)) + pte_index(va, PTE_LEVEL_PAGE), n_pages)
	               ? E_OK
	               : E_PERM;
}

err_t mmu_protect(struct mmu_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	err_t err = mmu_protect_check(space, va, n_pages, prot);
	uint64_t entry = table_entry(space, va), *entries;

	if (err != E_OK || entry == 0 || pte_is_zero(entry)) {
		return err;
	}
	entries = table_at(pte_frame(entry)) + pte_index(va, PTE_LEVEL_PAGE);
	for (uint32_t i = 0; i < n_pages; i++) {
		if (entries[i] != 0 && !pte_is_zero(entries[i])) {
			entries[i] = pte_page_protect(entries[i], prot);
		}
	}
	map_gone(space, pte_frame(entry), va, n_pages);
	return E_OK;
}

err_t mmu_gate(struct mmu_space *space, vaddr_t va, struct mmu_tables *tables)
{
	const uint32_t index = pte_index(va, PTE_LEVEL_PAGE);
	uint64_t entry = table_entry(space, va);
	int32_t n_absent;
	paddr_t table;
	err_t err;

	if (pte_table_is_mirror(entry) ||
	        (pte_table_is_own(entry) &&
	                map_absent_count(table_at(pte_frame(entry)) + index, 1) < 0)) {
		return E_BUSY;
	}
	err = map_table_make(space, va, tables, &table);
	if (err != E_OK) {
		return err;
	}
	n_absent = map_absent_count(table_at(table) + index, 1);
	table_at(table)[index] = pte_page(mmu_gate_page, PROT_R | PROT_X);
	frame_table_add(table, n_absent);
	map_gone(space, table, va, 1);
	return E_OK;
}
