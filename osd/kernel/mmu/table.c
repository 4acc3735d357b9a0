/*
 * Finding, counting, making and dropping tables. An operation first counts the tables it would need,
 * then reserves frames for them, then makes them; so it either has all of them or changes nothing.
 * A table that loses its last entry is taken out, and so are those above it that lose theirs by
 * that; it is all zeros then, and so needs no clearing when it is used again.
 */
#include "osd/kernel/mmu/priv.h"
#include "osd/kernel/base/kassert.h"

vaddr_t mmu_next(const struct mmu_space *space, vaddr_t va, vaddr_t end)
{
	while (va < end) {
		paddr_t table = space->arch.root;
		uint32_t level = PTE_LEVEL_ROOT;
		uint64_t entry = table_at(table)[pte_index(va, level)];

		while (entry != 0 && level > PTE_LEVEL_DIRECTORY) {
			table = pte_frame(entry);
			entry = table_at(table)[pte_index(va, --level)];
		}
		if (entry != 0) {
			return va;
		}
		do { /* in the same table */
			va = (va | ((UINT64_C(1) << pte_shift(level)) - 1)) + 1;
		} while (va < end && pte_index(va, level) != 0 &&
		         table_at(table)[pte_index(va, level)] == 0);
	}
	return end;
}

void table_need_directories(struct table_need *need, const struct mmu_space *space, vaddr_t va)
{
	uint32_t missing = 0;

	if (table_directory_find(space, va, &missing) == 0) {
		bool is_first = need->n == 0;

		for (uint32_t level = missing; level > 0; level--) {
			uint32_t shift = pte_shift(level + 1);
			need->n += is_first || need->last >> shift != va >> shift;
		}
	}
	need->last = va;
}

void table_need_last(struct table_need *need, const struct mmu_space *space, vaddr_t va)
{
	uint64_t entry = table_entry(space, va);

	if (entry == 0 || pte_is_zero(entry)) {
		table_need_directories(need, space, va);
		need->n++;
	}
}

/* Of n tables, those that a space's spares do not make. */
static uint32_t table_need_beyond(const struct mmu_space *space, uint32_t n)
{
	return n > space->n_spare ? n - space->n_spare : 0;
}

uint32_t mmu_map_need(const struct mmu_space *space, vaddr_t va, uint32_t n_pages)
{
	vaddr_t end = va + n_pages * PAGE_SIZE;
	struct table_need need = {0};

	for (; va < end; va = mmu_part_end(va)) {
		table_need_last(&need, space, va);
	}
	return table_need_beyond(space, need.n);
}

uint32_t mmu_zero_need(const struct mmu_space *space, vaddr_t va, uint32_t n_pages)
{
	vaddr_t end = va + n_pages * PAGE_SIZE;
	struct table_need need = {0};

	for (; va < end; va = mmu_part_end(va)) {
		if (table_entry(space, va) != 0) {
			continue;
		}
		if (va % MMU_TABLE_BYTES == 0 && end - va >= MMU_TABLE_BYTES) {
			table_need_directories(&need, space, va);
		} else {
			table_need_last(&need, space, va);
		}
	}
	return table_need_beyond(space, need.n);
}

uint32_t mmu_mirror_need(
        const struct mmu_space *space, const struct mmu_space *source, vaddr_t va, uint32_t n_pages)
{
	vaddr_t end = va + n_pages * PAGE_SIZE;
	struct table_need need = {0};

	for (va = mmu_next(source, va, end); va < end;
	        va = mmu_next(source, mmu_part_end(va), end)) {
		table_need_directories(&need, space, va);
	}
	return table_need_beyond(space, need.n);
}

err_t mmu_tables_check(struct mmu_tables *tables, uint32_t n)
{
	err_t err = E_OK;
	uint32_t i;

	if (n > tables->n - tables->used) {
		tables->needed = n;
		return E_TABLES;
	}
	/* Each is marked when it is found, and so is no user frame when it comes again. */
	for (i = 0; i < n && err == E_OK; i++) {
		paddr_t pa = tables->frames[tables->used + i];

		if (pa % PAGE_SIZE != 0 || frame_use(pa) != FRAME_USER) {
			err = E_PERM;
			break;
		}
		frame_use_set(pa, FRAME_TABLE);
	}
	while (i-- > 0) {
		frame_use_set(tables->frames[tables->used + i], FRAME_USER);
	}
	return err;
}

err_t table_reserve(struct mmu_space *space, struct mmu_tables *tables, uint32_t n)
{
	uint32_t n_pool = table_need_beyond(space, n);
	err_t err = mmu_tables_check(tables, n_pool);

	for (uint32_t i = 0; err == E_OK && i < n_pool; i++) {
		frame_use_set(tables->frames[tables->used + i], FRAME_TABLE);
	}
	return err;
}

void table_unreserve(struct mmu_space *space, struct mmu_tables *tables, uint32_t n)
{
	for (uint32_t i = 0; i < table_need_beyond(space, n); i++) {
		frame_use_set(tables->frames[tables->used + i], FRAME_USER);
	}
}

/* Spares last: the pool's frames were counted on top of them. */
static uint64_t table_take(struct mmu_space *space, struct mmu_tables *tables)
{
	paddr_t table = space->spare;

	if (table != 0) {
		space->spare = table_at(table)[0];
		table_at(table)[0] = 0;
		space->n_spare--;
	} else {
		KASSERT(tables->used < tables->n);
		table = tables->frames[tables->used++];
		__builtin_memset(table_at(table), 0, PAGE_SIZE);
	}
	frame_use_set(table, FRAME_TABLE);
	space->n_tables++;
	return pte_table(table);
}

void table_spare(struct mmu_space *space, paddr_t table)
{
	table_at(table)[0] = space->spare;
	space->spare = table;
	space->n_spare++;
	space->n_tables--;
}

paddr_t table_directory_make(struct mmu_space *space, vaddr_t va, struct mmu_tables *tables)
{
	paddr_t table = space->arch.root;

	for (uint32_t level = PTE_LEVEL_ROOT; level > PTE_LEVEL_DIRECTORY; level--) {
		uint64_t *entry = &table_at(table)[pte_index(va, level)];
		if (*entry == 0) {
			*entry = table_take(space, tables);
			frame_table_add(table, 1);
		}
		table = pte_frame(*entry);
	}
	return table;
}

void table_entry_set(paddr_t directory, vaddr_t va, uint64_t entry)
{
	uint64_t *at = &table_at(directory)[pte_index(va, PTE_LEVEL_DIRECTORY)];

	frame_table_add(directory, (entry != 0) - (*at != 0));
	*at = entry;
}

paddr_t table_make(struct mmu_space *space, vaddr_t va, struct mmu_tables *tables)
{
	paddr_t directory = table_directory_make(space, va, tables);
	uint64_t entry = table_at(directory)[pte_index(va, PTE_LEVEL_DIRECTORY)], own;

	if (entry != 0 && !pte_is_zero(entry)) {
		return pte_frame(entry);
	}
	own = table_take(space, tables);
	if (entry != 0) {
		__builtin_memcpy(table_at(pte_frame(own)), table_at(mmu_zero_table), PAGE_SIZE);
		frame_table_add(pte_frame(own), PTE_N);
	}
	table_entry_set(directory, va, own);
	return pte_frame(own);
}

void table_entry_drop(struct mmu_space *space, vaddr_t va)
{
	paddr_t path[PTE_LEVEL_ROOT + 1];
	uint32_t level = PTE_LEVEL_ROOT;

	path[level] = space->arch.root;
	for (; level > PTE_LEVEL_DIRECTORY; level--) {
		path[level - 1] = pte_frame(table_at(path[level])[pte_index(va, level)]);
	}
	for (;; level++) {
		table_at(path[level])[pte_index(va, level)] = 0;
		frame_table_add(path[level], -1);
		if (level == PTE_LEVEL_ROOT || !frame_table_is_empty(path[level])) {
			return;
		}
		table_spare(space, path[level]);
	}
}

void table_mirror_drop(struct mmu_space *space, vaddr_t va, uint64_t entry)
{
	struct mmu_space *source = space->source;

	KASSERT(source != NULL && space->n_mirrors > 0 && source->n_shared > 0);
	frame_table_add(pte_frame(entry), -(int32_t)FRAME_SHARER);
	source->n_shared--;
	if (--space->n_mirrors == 0) {
		space->source = NULL;
	}
	table_entry_drop(space, va);
}
