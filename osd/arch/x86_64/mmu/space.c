/*
 * A space as a whole: how it begins on a root frame, how it gives its tables back, and what the
 * kernel finds at an address in it.
 */
#include "osd/arch/x86_64/mmu/frame.h"
#include "osd/arch/x86_64/mmu/table.h"

err_t arch_space_init(struct arch_space *space, paddr_t root)
{
	if (root % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	if (frame_use(root) != FRAME_USER) {
		return E_PERM;
	}
	frame_use_set(root, FRAME_TABLE);
	__builtin_memset(arch_frame_ptr(root), 0, PAGE_SIZE / 2);
	__builtin_memcpy((char *)arch_frame_ptr(root) + PAGE_SIZE / 2,
	        (char *)arch_frame_ptr(kmap_root) + PAGE_SIZE / 2, PAGE_SIZE / 2);
	space->root = root;
	return E_OK;
}

/*
 * The first entry from i on that is not 0; n: none. Tables are nearly empty, and a space has dozens
 * of them: four entries are looked at together. n is a multiple of four.
 */
static uint32_t space_next(const uint64_t *table, uint32_t i, uint32_t n)
{
	while (i < n && i % 4 != 0 && table[i] == 0) {
		i++;
	}
	while (i < n && i % 4 == 0 &&
	        (table[i] | table[i + 1] | table[i + 2] | table[i + 3]) == 0) {
		i += 4;
	}
	while (i < n && table[i] == 0) {
		i++;
	}
	return i;
}

#define SPACE_EACH(i, table, n)                                                                    \
	for (uint32_t i = space_next(table, 0, n); i < (n); i = space_next(table, i + 1, n))

/* Is a last-level table of the space shared with a mirror elsewhere? */
static bool space_directory_is_shared(const uint64_t *directory)
{
	SPACE_EACH(i, directory, PTE_N)
	{
		uint64_t entry = directory[i];
		if (entry & PTE_P && !(entry & (PTE_MIRROR | PTE_ZERO_TABLE)) &&
		        frame_use(entry & PTE_FRAME) != FRAME_TABLE) {
			return true;
		}
	}
	return false;
}

struct space_reclaim {
	paddr_t *frames;
	uint32_t n, max;
};

/* Give one table frame back; false: no room left. */
static bool space_reclaim_frame(struct space_reclaim *reclaim, paddr_t pa)
{
	if (reclaim->n == reclaim->max) {
		return false;
	}
	frame_use_set(pa, FRAME_USER);
	reclaim->frames[reclaim->n++] = pa;
	return true;
}

static bool space_reclaim_table(
        struct space_reclaim *reclaim, uint64_t *table, uint32_t n, uint32_t level);

/* Give back all tables below the entry at this level, and the entry's own. */
static bool space_reclaim_entry(struct space_reclaim *reclaim, uint64_t *entry, uint32_t level)
{
	uint64_t *table = pte_table(*entry);

	if (!(*entry & PTE_P)) {
		return true;
	}
	if (level == PTE_LEVEL_DIRECTORY && *entry & PTE_MIRROR) {
		table_mirror_release(entry);
		return true;
	}
	if (level == PTE_LEVEL_DIRECTORY && *entry & PTE_ZERO_TABLE) {
		*entry = 0;
		return true;
	}
	if (level > PTE_LEVEL_DIRECTORY && !space_reclaim_table(reclaim, table, PTE_N, level - 1)) {
		return false;
	}
	if (!space_reclaim_frame(reclaim, *entry & PTE_FRAME)) {
		return false;
	}
	*entry = 0;
	return true;
}

/* What the first n entries of a table name; `level` is theirs. */
static bool space_reclaim_table(
        struct space_reclaim *reclaim, uint64_t *table, uint32_t n, uint32_t level)
{
	SPACE_EACH(i, table, n)
	{
		if (!space_reclaim_entry(reclaim, &table[i], level)) {
			return false;
		}
	}
	return true;
}

static bool space_is_shared(const struct arch_space *space)
{
	const uint64_t *root = arch_frame_ptr(space->root);

	SPACE_EACH(i, root, PTE_N_USER)
	{
		const uint64_t *middle = pte_table(root[i]);
		SPACE_EACH(j, middle, PTE_N)
		{
			if (middle[j] & PTE_P && space_directory_is_shared(pte_table(middle[j]))) {
				return true;
			}
		}
	}
	return false;
}

err_t arch_space_fini(struct arch_space *space, paddr_t *frames, uint32_t max, uint32_t *ret_n)
{
	struct space_reclaim reclaim = {frames, 0, max};
	uint64_t *root = arch_frame_ptr(space->root);
	bool is_done;

	if (space_is_shared(space)) {
		return E_BUSY;
	}
	is_done = space_reclaim_table(&reclaim, root, PTE_N_USER, PTE_LEVEL_ROOT);
	is_done = is_done && space_reclaim_frame(&reclaim, space->root);
	*ret_n = reclaim.n;
	return is_done ? E_OK : E_AGAIN;
}

void *arch_space_ptr(const struct arch_space *space, vaddr_t va, uint32_t access)
{
	uint64_t entry = 0, page;
	const uint64_t *table;

	if (va >= ARCH_USER_END) {
		return NULL;
	}
	table = table_find(space, va, &entry);
	if (table == NULL) {
		return NULL;
	}
	page = table[pte_index(va, PTE_LEVEL_PAGE)];
	if (!(page & PTE_P) || page & PTE_DEVICE) {
		return NULL;
	}
	if (access & ARCH_ACCESS_WRITE) {
		if (!(entry & PTE_W) || frame_use(page & PTE_FRAME) != FRAME_USER ||
		        (!(page & PTE_W) && !(access & ARCH_ACCESS_FORCE))) {
			return NULL;
		}
	}
	return (char *)arch_frame_ptr(page & PTE_FRAME) + va % PAGE_SIZE;
}
