/*
 * What a space shows of another one, and of nothing: mirrors, and pages that were never touched.
 *
 * A mirror shares the last-level tables of its source, so that it shows what the source maps later,
 * too, and costs one entry for 512 pages. The right to write and the right to execute are taken in
 * the directory entry, and the table's frame counts who shares it: a space whose tables are shared
 * cannot end. Absent pages become the zero frame, or, 512 at a time, the shared table of them.
 */
#include "osd/arch/x86_64/mmu/table.h"
#include "osd/arch/x86_64/mmu/frame.h"

static bool mirror_range_is_valid(vaddr_t va, uint32_t n_pages)
{
	return table_range_is_valid(va, n_pages) && va % TABLE_CHUNK_BYTES == 0 &&
	       n_pages % ARCH_MIRROR_PAGES == 0;
}

/* May the chunk of source at va be shown in space? */
static err_t mirror_check_chunk(const struct arch_space *space, const struct arch_space *source,
        vaddr_t va, struct table_need *need)
{
	uint64_t theirs = 0, ours = 0;

	if (table_find(source, va, &theirs) == NULL) {
		return E_OK;
	}
	if (theirs & PTE_MIRROR || frame_use(theirs & PTE_FRAME) == FRAME_TABLE_MAX) {
		return E_BUSY;
	}
	if (table_find(space, va, &ours) != NULL && !(ours & PTE_ZERO_TABLE)) {
		return E_BUSY;
	}
	table_need_directories(need, space, va);
	return E_OK;
}

static void mirror_chunk(struct arch_space *space, const struct arch_space *source, vaddr_t va,
        struct arch_tables *tables)
{
	uint64_t theirs = 0;

	if (table_find(source, va, &theirs) == NULL) {
		return;
	}
	if (theirs & PTE_ZERO_TABLE) {
		*table_directory_make(space, va, tables) = theirs;
		return;
	}
	frame_use_set(theirs & PTE_FRAME, frame_use(theirs & PTE_FRAME) + 1);
	*table_directory_make(space, va, tables) = (theirs & ~PTE_W) | PTE_NX | PTE_MIRROR;
}

err_t arch_space_mirror(struct arch_space *space, struct arch_space *source, vaddr_t va,
        uint32_t n_pages, struct arch_tables *tables)
{
	struct table_need need = {0};
	err_t err;

	if (!mirror_range_is_valid(va, n_pages) || space == source) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		err = mirror_check_chunk(space, source, chunk.va, &need);
		if (err != E_OK) {
			return err;
		}
	}
	err = table_pool_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		mirror_chunk(space, source, chunk.va, tables);
	}
	table_tlb_flush(space, va, n_pages);
	return E_OK;
}

err_t arch_space_unmirror(struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	uint32_t missing;

	if (!mirror_range_is_valid(va, n_pages)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		uint64_t *entry = table_directory_find(space, chunk.va, &missing);
		if (entry == NULL || !(*entry & PTE_P)) {
			continue;
		}
		if (*entry & PTE_MIRROR) {
			table_mirror_release(entry);
		} else if (*entry & PTE_ZERO_TABLE) {
			*entry = 0;
		}
	}
	table_tlb_flush(space, va, n_pages);
	return E_OK;
}

/* A whole chunk without a table can take the shared zero table. */
static bool mirror_takes_zero_table(const struct arch_space *space, const struct chunk *chunk)
{
	uint64_t entry;

	return chunk->n == ARCH_MIRROR_PAGES && table_find(space, chunk->va, &entry) == NULL;
}

static void mirror_zero_chunk(
        struct arch_space *space, const struct chunk *chunk, struct arch_tables *tables)
{
	uint64_t entry = 0;
	uint64_t *table;

	if (mirror_takes_zero_table(space, chunk)) {
		*table_directory_make(space, chunk->va, tables) =
		        kmap_image_pa(table_zero) | PTE_P | PTE_U | PTE_NX | PTE_ZERO_TABLE;
		return;
	}
	table = table_find(space, chunk->va, &entry);
	if (table == NULL) {
		table = table_make(space, chunk->va, tables);
	} else if (entry & PTE_ZERO_TABLE) {
		return;
	}
	table += chunk->first;
	for (uint32_t i = 0; i < chunk->n; i++) {
		table[i] = table[i] == 0 ? table_zero_entry() : table[i];
	}
}

err_t arch_space_zero_absent(
        struct arch_space *space, vaddr_t va, uint32_t n_pages, struct arch_tables *tables)
{
	struct table_need need = {0};
	uint64_t entry;
	err_t err;

	if (!table_range_is_valid(va, n_pages)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		if (mirror_takes_zero_table(space, &chunk)) {
			table_need_directories(&need, space, chunk.va);
		} else if (table_find(space, chunk.va, &entry) == NULL) {
			table_need_last(&need, space, chunk.va);
		}
	}
	err = table_pool_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	if (table_zero[0] == 0) {
		for (uint32_t i = 0; i < PTE_N; i++) {
			table_zero[i] = table_zero_entry();
		}
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		mirror_zero_chunk(space, &chunk, tables);
	}
	return E_OK;
}
