/*
 * Pages of a space: map, unmap, protect, and its gate page. Every operation has two halves: a check
 * that walks the range and counts the tables it would need, and a commit that cannot fail. Both go
 * table by table and run over the entries of one without walking again: a batched page costs a few
 * instructions.
 */
#include "osd/arch/x86_64/mmu/table.h"
#include "osd/arch/x86_64/mmu/frame.h"

/*
 * Entry bits for each protection, 0 where there is none: write-only and
 * execute-only do not exist.
 */
static const uint64_t mapping_prot_entries[8] = {
        [PROT_R] = PTE_P | PTE_U | PTE_NX,
        [PROT_R | PROT_W] = PTE_P | PTE_U | PTE_W | PTE_NX,
        [PROT_R | PROT_X] = PTE_P | PTE_U,
};

static uint64_t mapping_prot_bits(uint32_t prot)
{
	uint64_t bits = mapping_prot_entries[prot & (PROT_R | PROT_W | PROT_X)];

	return prot & SPACE_OP_DEVICE ? bits | PTE_DEVICE | PTE_PCD | PTE_PWT : bits;
}

static bool mapping_prot_is_valid(uint32_t prot)
{
	return !(prot & ~(PROT_R | PROT_W | PROT_X | SPACE_OP_ZERO | SPACE_OP_DEVICE)) &&
	       mapping_prot_entries[prot & (PROT_R | PROT_W | PROT_X)] != 0;
}

static err_t mapping_check_frames(const struct arch_map *map)
{
	uint32_t use = map->prot & SPACE_OP_DEVICE ? FRAME_NONE : FRAME_USER;

	if (map->pa % PAGE_SIZE != 0 || map->pa > PTE_FRAME ||
	        map->pa + map->n_pages * PAGE_SIZE > PTE_FRAME) {
		return E_INVAL;
	}
	for (uint32_t i = 0; i < map->n_pages; i++) {
		if (frame_use(map->pa + i * PAGE_SIZE) != use) {
			return E_PERM;
		}
	}
	return E_OK;
}

/* Nothing but zero frames may be in the way. */
static bool mapping_entries_are_free(const uint64_t *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (entries[i] != 0 && (entries[i] & ~(PTE_A | PTE_D)) != table_zero_entry()) {
			return false;
		}
	}
	return true;
}

static void mapping_entries_fill(uint64_t *entries, uint32_t n, uint64_t first)
{
	for (uint32_t i = 0; i < n; i++) {
		entries[i] = first + i * PAGE_SIZE;
	}
}

static err_t mapping_check_free(const struct arch_space *space, const struct chunk *chunk)
{
	uint64_t entry = 0;
	const uint64_t *table = table_find(space, chunk->va, &entry);

	if (table == NULL || entry & PTE_ZERO_TABLE) {
		return E_OK;
	}
	if (entry & PTE_MIRROR) {
		return E_BUSY;
	}
	return mapping_entries_are_free(table + chunk->first, chunk->n) ? E_OK : E_BUSY;
}

/* Map checked frames, table by table, making the tables that are missing. */
static err_t mapping_map_chunks(
        struct arch_space *space, const struct arch_map *map, struct arch_tables *tables)
{
	uint64_t next = map->pa | mapping_prot_bits(map->prot);
	struct table_need need = {0};
	err_t err;

	CHUNKS_EACH(chunk, map->va, map->n_pages)
	{
		err = mapping_check_free(space, &chunk);
		if (err != E_OK) {
			return err;
		}
		table_need_last(&need, space, chunk.va);
	}
	err = table_pool_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, map->va, map->n_pages)
	{
		mapping_entries_fill(
		        table_make(space, chunk.va, tables) + chunk.first, chunk.n, next);
		next += chunk.n * PAGE_SIZE;
	}
	return E_OK;
}

/* The place of the range when it lies in one last-level table that is there and the space's own. */
static inline uint64_t *mapping_own_range(const struct arch_space *space, vaddr_t va, uint32_t n)
{
	const uint64_t *entry;
	uint32_t missing;

	if (pte_index(va, PTE_LEVEL_PAGE) + n > PTE_N) {
		return NULL;
	}
	entry = table_directory_find(space, va, &missing);
	if (entry == NULL || (*entry & (PTE_P | PTE_MIRROR | PTE_ZERO_TABLE)) != PTE_P) {
		return NULL;
	}
	return pte_table(*entry) + pte_index(va, PTE_LEVEL_PAGE);
}

static err_t mapping_check(const struct arch_map *map)
{
	if (!table_range_is_valid(map->va, map->n_pages) || !mapping_prot_is_valid(map->prot)) {
		return E_INVAL;
	}
	return mapping_check_frames(map);
}

/* Most maps go into a table that exists: those take one walk. */
err_t arch_space_map(
        struct arch_space *space, const struct arch_map *map, struct arch_tables *tables)
{
	uint64_t *entries;
	err_t err = mapping_check(map);

	if (err != E_OK) {
		return err;
	}
	entries = mapping_own_range(space, map->va, map->n_pages);
	if (entries == NULL) {
		err = mapping_map_chunks(space, map, tables);
	} else if (mapping_entries_are_free(entries, map->n_pages)) {
		mapping_entries_fill(entries, map->n_pages, map->pa | mapping_prot_bits(map->prot));
	} else {
		err = E_BUSY;
	}
	if (err != E_OK) {
		return err;
	}
	if (map->prot & SPACE_OP_ZERO && !(map->prot & SPACE_OP_DEVICE)) {
		__builtin_memset(arch_frame_ptr(map->pa), 0, map->n_pages * PAGE_SIZE);
	}
	/* A zero frame may have been there before. */
	table_tlb_flush(space, map->va, map->n_pages);
	return E_OK;
}

/* What owns its last-level tables (or has none) throughout the range? */
static err_t mapping_check_own(const struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	uint64_t entry = 0;

	if (!table_range_is_valid(va, n_pages)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		if (table_find(space, chunk.va, &entry) != NULL && entry & PTE_MIRROR) {
			return E_BUSY;
		}
	}
	return E_OK;
}

err_t arch_space_unmap(struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	err_t err = mapping_check_own(space, va, n_pages);
	uint32_t missing;

	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		uint64_t *entry = table_directory_find(space, chunk.va, &missing);
		if (entry == NULL || !(*entry & PTE_P)) {
			continue;
		}
		if (*entry & PTE_ZERO_TABLE) {
			/* Pages around the chunk become absent too: demand-zero either way. */
			*entry = 0;
			table_tlb_flush(
			        space, chunk.va & ~(TABLE_CHUNK_BYTES - 1), ARCH_MIRROR_PAGES);
			continue;
		}
		__builtin_memset(pte_table(*entry) + chunk.first, 0, chunk.n * sizeof(uint64_t));
	}
	table_tlb_flush(space, va, n_pages);
	return E_OK;
}

/*
 * May the protection of these entries change? Of user frames only: the gate page, writable, would
 * let one process rewrite everybody's way into the kernel. Zero frames stay what they are.
 */
static bool mapping_entries_may_change(const uint64_t *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		paddr_t pa = entries[i] & PTE_FRAME;

		if (entries[i] & PTE_P && pa != kmap_image_pa(zero_page) &&
		        (entries[i] & PTE_DEVICE || frame_use(pa) != FRAME_USER)) {
			return false;
		}
	}
	return true;
}

static err_t mapping_check_protect(
        const struct arch_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	err_t err = mapping_check_own(space, va, n_pages);
	uint64_t entry = 0;

	if (err != E_OK) {
		return err;
	}
	if (!mapping_prot_is_valid(prot) || prot & (SPACE_OP_ZERO | SPACE_OP_DEVICE)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		const uint64_t *table = table_find(space, chunk.va, &entry);

		if (table != NULL && !mapping_entries_may_change(table + chunk.first, chunk.n)) {
			return E_PERM;
		}
	}
	return E_OK;
}

err_t arch_space_protect(struct arch_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	const uint64_t bits = mapping_prot_bits(prot), mask = PTE_W | PTE_NX;
	err_t err = mapping_check_protect(space, va, n_pages, prot);
	uint64_t entry = 0;

	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		uint64_t *table = table_find(space, chunk.va, &entry);
		if (table == NULL || entry & PTE_ZERO_TABLE) {
			continue;
		}
		table += chunk.first;
		for (uint32_t i = 0; i < chunk.n; i++) {
			if (table[i] & PTE_P &&
			        (table[i] & PTE_FRAME) != kmap_image_pa(zero_page)) {
				table[i] = (table[i] & ~mask) | (bits & mask);
			}
		}
	}
	table_tlb_flush(space, va, n_pages);
	return E_OK;
}

err_t arch_space_gate(struct arch_space *space, vaddr_t va, struct arch_tables *tables)
{
	struct chunk chunk = chunk_first(va, 1);
	struct table_need need = {0};
	err_t err;

	if (!table_range_is_valid(va, 1)) {
		return E_INVAL;
	}
	err = mapping_check_free(space, &chunk);
	if (err != E_OK) {
		return err;
	}
	table_need_last(&need, space, va);
	err = table_pool_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	table_make(space, va, tables)[chunk.first] = kmap_image_pa(gate_page) | PTE_P | PTE_U;
	table_tlb_flush(space, va, 1);
	return E_OK;
}
