/*
 * Walking, counting and making tables. An operation first walks its range and counts the tables it
 * would need, then makes them from frames that its caller gave; so it either has all of them or
 * changes nothing.
 */
#include "osd/arch/x86_64/mmu/table.h"
#include "osd/arch/x86_64/mmu/frame.h"
#include "osd/arch/x86_64/x86.h"

#define TABLE_BITS (PTE_P | PTE_W | PTE_U)
#define TABLE_INVALIDATE_MAX 32u /* pages; more than that are flushed by reloading cr3 */

uint64_t table_zero[PTE_N] __attribute__((aligned(PAGE_SIZE)));

uint64_t *table_find(const struct arch_space *space, vaddr_t va, uint64_t *ret_entry)
{
	uint32_t missing;
	uint64_t *entry = table_directory_find(space, va, &missing);

	if (entry == NULL || !(*entry & PTE_P)) {
		return NULL;
	}
	*ret_entry = *entry;
	return pte_table(*entry);
}

void table_need_directories(struct table_need *need, const struct arch_space *space, vaddr_t va)
{
	uint32_t missing = 0;

	if (table_directory_find(space, va, &missing) == NULL) {
		bool is_first = need->n == 0;

		for (uint32_t level = missing; level > 0; level--) {
			uint32_t shift = pte_shift(level + 1);
			need->n += is_first || need->last >> shift != va >> shift;
		}
	}
	need->last = va;
}

void table_need_last(struct table_need *need, const struct arch_space *space, vaddr_t va)
{
	uint32_t missing;
	uint64_t *entry = table_directory_find(space, va, &missing);

	if (entry == NULL || !(*entry & PTE_P) || *entry & PTE_ZERO_TABLE) {
		table_need_directories(need, space, va);
		need->n++;
	}
}

err_t table_pool_check(struct arch_tables *tables, uint32_t n_needed)
{
	if (n_needed > tables->n - tables->used) {
		tables->needed = n_needed;
		return E_TABLES;
	}
	for (uint32_t i = 0; i < n_needed; i++) {
		paddr_t pa = tables->frames[tables->used + i];
		if (pa % PAGE_SIZE != 0 || frame_use(pa) != FRAME_USER) {
			return E_PERM;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (tables->frames[tables->used + j] == pa) {
				return E_PERM;
			}
		}
	}
	return E_OK;
}

static uint64_t table_pool_take(struct arch_tables *tables)
{
	paddr_t pa;

	if (tables->used == tables->n) {
		panic("page tables were counted wrong");
	}
	pa = tables->frames[tables->used++];
	frame_use_set(pa, FRAME_TABLE);
	__builtin_memset(arch_frame_ptr(pa), 0, PAGE_SIZE);
	return pa | TABLE_BITS;
}

uint64_t *table_directory_make(struct arch_space *space, vaddr_t va, struct arch_tables *tables)
{
	uint64_t *table = arch_frame_ptr(space->root);

	for (uint32_t level = PTE_LEVEL_ROOT; level > PTE_LEVEL_DIRECTORY; level--) {
		uint64_t *entry = &table[pte_index(va, level)];
		if (!(*entry & PTE_P)) {
			*entry = table_pool_take(tables);
		}
		table = pte_table(*entry);
	}
	return &table[pte_index(va, PTE_LEVEL_DIRECTORY)];
}

uint64_t *table_make(struct arch_space *space, vaddr_t va, struct arch_tables *tables)
{
	uint64_t *entry = table_directory_make(space, va, tables);
	bool was_zero = *entry & PTE_ZERO_TABLE;

	if (!(*entry & PTE_P) || was_zero) {
		*entry = table_pool_take(tables);
		if (was_zero) {
			__builtin_memcpy(pte_table(*entry), table_zero, PAGE_SIZE);
		}
	}
	return pte_table(*entry);
}

void table_mirror_release(uint64_t *entry)
{
	paddr_t table = *entry & PTE_FRAME;

	frame_use_set(table, frame_use(table) - 1);
	*entry = 0;
}

void table_tlb_invalidate(const struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	if (n_pages > TABLE_INVALIDATE_MAX) {
		cr3_write(space->root);
		return;
	}
	for (uint32_t i = 0; i < n_pages; i++) {
		invlpg(va + i * PAGE_SIZE);
	}
}
