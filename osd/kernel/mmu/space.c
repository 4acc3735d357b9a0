/*
 * A space as a whole: how it begins on a root frame, how it gives its tables back, and what the
 * kernel finds at an address in it. The gate page, the zero frame and the table of it are frames of
 * their own, made when the kernel starts: nothing of its image is mapped into a user space.
 */
#include "osd/kernel/mmu/priv.h"

/*
 * Directories looked through by one mmu_space_fini(): what it takes is bounded by these, since most
 * of a directory is empty.
 */
#define SPACE_SCANS_MAX 24u

paddr_t mmu_gate_page, mmu_zero_page, mmu_zero_table;

void mmu_init(void)
{
	mmu_gate_page = arch_boot_frames(1);
	mmu_zero_page = arch_boot_frames(1);
	mmu_zero_table = arch_boot_frames(1);
	map_init();
	arch_gate_write(arch_frame_ptr(mmu_gate_page));
	for (uint32_t i = 0; i < PTE_N; i++) {
		table_at(mmu_zero_table)[i] = pte_page_zero(mmu_zero_page);
	}
}

err_t mmu_space_init(struct mmu_space *space, paddr_t root)
{
	if (root % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	if (frame_use(root) != FRAME_USER) {
		return E_PERM;
	}
	frame_use_set(root, FRAME_TABLE);
	arch_space_root_init(arch_frame_ptr(root));
	*space = (struct mmu_space){.arch.root = root, .n_tables = 1, .hint = MMU_NO_HINT};
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

struct space_reclaim {
	struct mmu_space *space;
	paddr_t *frames;
	uint32_t n, max, n_scans;
};

static bool space_reclaim_frame(struct space_reclaim *reclaim, paddr_t table)
{
	if (reclaim->n == reclaim->max) {
		return false;
	}
	frame_use_set(table, FRAME_USER);
	reclaim->frames[reclaim->n++] = table;
	reclaim->space->n_tables--;
	return true;
}

/* Give back what a directory entry names; the entry is dropped by the caller. */
static bool space_reclaim_last(struct space_reclaim *reclaim, uint64_t entry)
{
	struct mmu_space *space = reclaim->space;

	if (pte_table_is_own(entry)) {
		return space_reclaim_frame(reclaim, pte_frame(entry));
	}
	if (pte_table_is_mirror(entry)) {
		frame_table_add(pte_frame(entry), -(int32_t)FRAME_SHARER);
		space->source->n_shared--;
		space->n_mirrors--;
	}
	return true;
}

/* Give back the tables below this one, whose first n entries count; `level` is theirs. */
static bool space_reclaim_table(
        struct space_reclaim *reclaim, paddr_t table, uint32_t n, uint32_t level)
{
	uint64_t *entries = table_at(table);

	if (++reclaim->n_scans > SPACE_SCANS_MAX) {
		return false;
	}
	for (uint32_t i = space_next(entries, 0, n); i < n; i = space_next(entries, i + 1, n)) {
		bool is_done =
		        level == PTE_LEVEL_DIRECTORY
		                ? space_reclaim_last(reclaim, entries[i])
		                : space_reclaim_table(
		                          reclaim, pte_frame(entries[i]), PTE_N, level - 1) &&
		                          space_reclaim_frame(reclaim, pte_frame(entries[i]));
		if (!is_done) {
			return false;
		}
		entries[i] = 0;
		frame_table_add(table, -1);
	}
	return true;
}

uint32_t mmu_trim(struct mmu_space *space, paddr_t *frames, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max && space->spare != 0; n++) {
		frames[n] = space->spare;
		space->spare = table_at(frames[n])[0];
		space->n_spare--;
		frame_use_set(frames[n], FRAME_USER);
	}
	return n;
}

err_t mmu_space_fini(struct mmu_space *space, paddr_t *frames, uint32_t max, uint32_t *ret_n)
{
	struct space_reclaim reclaim = {.space = space, .frames = frames, .max = max};

	if (space->n_shared != 0) {
		return E_BUSY;
	}
	space->hint = MMU_NO_HINT;
	reclaim.n = mmu_trim(space, frames, max);
	if (!space_reclaim_table(&reclaim, space->arch.root, PTE_N_USER, PTE_LEVEL_ROOT) ||
	        !space_reclaim_frame(&reclaim, space->arch.root)) {
		*ret_n = reclaim.n;
		return E_AGAIN;
	}
	*ret_n = reclaim.n;
	return E_OK;
}

void *mmu_ptr(const struct mmu_space *space, vaddr_t va, uint32_t access)
{
	uint64_t entry, page;

	if (va >= ARCH_USER_END) {
		return NULL;
	}
	entry = table_entry(space, va);
	if (entry == 0) {
		return NULL;
	}
	page = table_at(pte_frame(entry))[pte_index(va, PTE_LEVEL_PAGE)];
	if (page == 0 || pte_page_is_device(page)) {
		return NULL;
	}
	if (access & MMU_ACCESS_WRITE) {
		if (!pte_table_is_own(entry) || frame_use(pte_frame(page)) != FRAME_USER ||
		        (!pte_page_is_writable(page) && !(access & MMU_ACCESS_FORCE))) {
			return NULL;
		}
	}
	return (char *)arch_frame_ptr(pte_frame(page)) + va % PAGE_SIZE;
}
