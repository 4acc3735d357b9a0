/*
 * What a space shows of another one, and of nothing: mirrors, and pages that were never touched.
 *
 * A mirror shares the last-level tables of its source, so that it shows what the source maps later,
 * too, and costs one entry for a whole table. The right to write and the right to execute are taken
 * in the directory entry. The table's frame counts who shares it, and both spaces count too: a space
 * whose tables are shared cannot end, and is known without a search. Absent pages become the zero
 * frame, or, a table at a time, the shared table of them.
 */
#include "osd/kernel/mmu/priv.h"

err_t mmu_mirror_check(const struct mmu_space *space, const struct mmu_space *source, vaddr_t va)
{
	uint64_t theirs = table_entry(source, va), ours;

	if (theirs == 0) {
		return E_OK;
	}
	ours = table_entry(space, va);
	if (ours != 0 && !pte_is_zero(ours)) {
		return E_BUSY;
	}
	if (pte_is_zero(theirs)) {
		return E_OK;
	}
	if (pte_table_is_mirror(theirs) || (space->source != NULL && space->source != source) ||
	        frame_table_sharers(pte_frame(theirs)) == FRAME_SHARERS_MAX) {
		return E_BUSY;
	}
	return E_OK;
}

err_t mmu_mirror(
        struct mmu_space *space, struct mmu_space *source, vaddr_t va, struct mmu_tables *tables)
{
	uint64_t theirs = table_entry(source, va);
	err_t err = mmu_mirror_check(space, source, va);
	struct table_need need = {0};

	if (err != E_OK || theirs == 0) {
		return err;
	}
	table_need_directories(&need, space, va);
	err = table_reserve(space, tables, need.n);
	if (err != E_OK) {
		return err;
	}
	if (!pte_is_zero(theirs)) {
		frame_table_add(pte_frame(theirs), FRAME_SHARER);
		source->n_shared++;
		space->n_mirrors++;
		space->source = source;
		theirs = pte_table_mirror(theirs);
	}
	table_entry_set(table_directory_make(space, va, tables), va, theirs);
	arch_space_gone(&space->arch, va, PTE_N); /* the table of zeros may have been there */
	return E_OK;
}

void mmu_unmirror(struct mmu_space *space, vaddr_t va)
{
	uint64_t entry = table_entry(space, va);

	if (pte_table_is_own(entry) || entry == 0) {
		return;
	}
	if (pte_table_is_mirror(entry)) {
		table_mirror_drop(space, va, entry);
	} else {
		table_entry_drop(space, va);
	}
	arch_space_gone(&space->arch, va, PTE_N);
}

/* The absent pages of a table, own or mirrored, become zero frames. */
static void mirror_zero_fill(paddr_t table, vaddr_t va, uint32_t n_pages)
{
	uint64_t *entries = table_at(table) + pte_index(va, PTE_LEVEL_PAGE);
	int32_t n_filled = 0;

	for (uint32_t i = 0; i < n_pages; i++) {
		if (entries[i] == 0) {
			entries[i] = pte_page_zero(mmu_zero_page);
			n_filled++;
		}
	}
	frame_table_add(table, n_filled);
}

err_t mmu_zero_absent(
        struct mmu_space *space, vaddr_t va, uint32_t n_pages, struct mmu_tables *tables)
{
	uint64_t entry = table_entry(space, va);
	struct table_need need = {0};
	err_t err;

	if (entry != 0) {
		if (!pte_is_zero(entry)) {
			mirror_zero_fill(pte_frame(entry), va, n_pages);
		}
		return E_OK;
	}
	if (n_pages == PTE_N) {
		table_need_directories(&need, space, va);
	} else {
		table_need_last(&need, space, va);
	}
	err = table_reserve(space, tables, need.n);
	if (err != E_OK) {
		return err;
	}
	if (n_pages == PTE_N) {
		table_entry_set(table_directory_make(space, va, tables), va,
		        pte_table_zero(mmu_zero_table));
	} else {
		mirror_zero_fill(table_make(space, va, tables), va, n_pages);
	}
	return E_OK;
}
