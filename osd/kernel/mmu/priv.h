#pragma once
/*
 * Tables of a user space, for the operations on it (map.c, mirror.c, space.c): finding them, counting
 * those that an operation would need, making them, taking them out when they are empty.
 *
 * Levels: PTE_LEVEL_ROOT down to 0, which holds pages. A directory entry (level 1) may be a mirror:
 * the table that it names belongs to another space (its frame counts it), or is the shared table of
 * zero frames. Both are never written through, except that filling absent pages with the zero frame
 * may fill a mirrored table.
 *
 * What holds between operations: a table frame counts exactly its entries that are not 0, and no
 * table but the root is without one, unless a mirror shares it.
 */
#include "osd/kernel/mmu/mmu.h"
#include "osd/arch/frame.h"

/* Made by mmu_init, the kernel's for ever: no page of its image is mapped into a user space. */
extern paddr_t mmu_gate_page, mmu_zero_page, mmu_zero_table;
void map_init(void);

static inline uint64_t *table_at(paddr_t table)
{
	return arch_frame_ptr(table);
}

/* The directory that has the entry for va, or 0 with the level of the missing table. */
static inline paddr_t table_directory_find(
        const struct mmu_space *space, vaddr_t va, uint32_t *ret_missing)
{
	paddr_t table = space->arch.root;

	for (uint32_t level = PTE_LEVEL_ROOT; level > PTE_LEVEL_DIRECTORY; level--) {
		uint64_t entry = table_at(table)[pte_index(va, level)];
		if (entry == 0) {
			*ret_missing = level - 1;
			return 0;
		}
		table = pte_frame(entry);
	}
	return table;
}

/* The directory entry for va; 0: absent. */
static inline uint64_t table_entry(const struct mmu_space *space, vaddr_t va)
{
	uint32_t missing;
	paddr_t directory = table_directory_find(space, va, &missing);

	return directory != 0 ? table_at(directory)[pte_index(va, PTE_LEVEL_DIRECTORY)] : 0;
}

/* Counts the tables that a range needs: each missing one once, part by part upwards. */
struct table_need {
	uint32_t n;
	vaddr_t last; /* part counted before; valid when n is not 0 */
};

/* Count the directory tables missing above the part at va. */
void table_need_directories(struct table_need *need, const struct mmu_space *space, vaddr_t va);
/* Count those and the last-level table, unless the space has one of its own there. */
void table_need_last(struct table_need *need, const struct mmu_space *space, vaddr_t va);

/*
 * Reserve n frames for tables that are about to be made: the space's spares, and of the pool what
 * these lack, which become table frames. E_TABLES (`needed` is set), E_PERM: nothing is reserved.
 */
err_t table_reserve(struct mmu_space *space, struct mmu_tables *tables, uint32_t n);
/* The pool's frames of a reservation that is not used are user frames again. */
void table_unreserve(struct mmu_space *space, struct mmu_tables *tables, uint32_t n);
/* The directory for va, made out of what is reserved. */
paddr_t table_directory_make(struct mmu_space *space, vaddr_t va, struct mmu_tables *tables);
/*
 * A last-level table of the space's own for va, out of what is reserved; where the shared zero table
 * was, its zeros stay.
 */
paddr_t table_make(struct mmu_space *space, vaddr_t va, struct mmu_tables *tables);

/* Set a directory entry, whose table counts it. */
void table_entry_set(paddr_t directory, vaddr_t va, uint64_t entry);
/* Take the directory entry of va out, and every table above that has none then. */
void table_entry_drop(struct mmu_space *space, vaddr_t va);
/* A table's frame that is out of use, zeroed, stays with the space. */
void table_spare(struct mmu_space *space, paddr_t table);
/* Take the mirror at va away; its table has one sharer less. */
void table_mirror_drop(struct mmu_space *space, vaddr_t va, uint64_t entry);
