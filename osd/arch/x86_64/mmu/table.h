#pragma once
/*
 * Tables of a user space, for the operations on it (mapping.c, mirror.c, space.c): ranges cut into
 * the parts that lie in one last-level table, finding tables, counting those that an operation
 * would need, making them.
 *
 * Levels: 3 is the root, 0 holds pages. A directory entry (level 1) may be a mirror: the table that
 * it names belongs to another space (PTE_MIRROR; the table's frame counts it), or is the shared
 * table of zero frames (PTE_ZERO_TABLE). Both are never written through, except that filling absent
 * pages with the zero frame may fill a mirrored table.
 */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/mmu/pte.h"

/* Of entry.S: the page through which services call, and one of zeros. */
extern const char gate_page[], zero_page[];

#define TABLE_RANGE_PAGES_MAX (1u << 20)
/* What one last-level table maps. */
#define TABLE_CHUNK_BYTES (ARCH_MIRROR_PAGES * PAGE_SIZE)

/* The shared table of zero frames, filled when it is first needed. */
extern uint64_t table_zero[PTE_N];

/* The part of a range that lies in one last-level table; CHUNKS_EACH goes over all of a range. */
struct chunk {
	vaddr_t va;
	uint32_t first, n; /* entries */
};

#define CHUNKS_EACH(chunk, start, n_pages)                                                         \
	for (struct chunk chunk = chunk_first(start, n_pages); chunk.n != 0;                       \
	        chunk_next(&chunk, start, n_pages))

/* The last-level table for va, and the directory entry that names it; NULL: absent. */
uint64_t *table_find(const struct arch_space *space, vaddr_t va, uint64_t *ret_entry);

/* Counts the tables that a range needs: each missing one once, chunk by chunk upwards. */
struct table_need {
	uint32_t n;
	vaddr_t last; /* chunk counted before; valid when n is not 0 */
};

/* Count the directory tables missing above the chunk at va. */
void table_need_directories(struct table_need *need, const struct arch_space *space, vaddr_t va);
/* Count those and the last-level table, unless the space has one of its own there. */
void table_need_last(struct table_need *need, const struct arch_space *space, vaddr_t va);

/*
 * Are there n_needed frames in the caller's pool, all of them user frames and each there once?
 * E_TABLES (`needed` is set), E_PERM.
 */
err_t table_pool_check(struct arch_tables *tables, uint32_t n_needed);
/* The directory entry for va, making the tables above it out of a checked pool. */
uint64_t *table_directory_make(struct arch_space *space, vaddr_t va, struct arch_tables *tables);
/*
 * A last-level table of the space's own for va, out of a checked pool; where the shared zero table
 * was, its zeros stay.
 */
uint64_t *table_make(struct arch_space *space, vaddr_t va, struct arch_tables *tables);

/* Take a mirror entry away; its table has one sharer less. */
void table_mirror_release(uint64_t *entry);

/* Forget translations of the range, in a space that this CPU has loaded. */
void table_tlb_invalidate(const struct arch_space *space, vaddr_t va, uint32_t n_pages);

/* The entry of a page that was never touched. */
static inline uint64_t table_zero_entry(void)
{
	return kmap_image_pa(zero_page) | PTE_P | PTE_U | PTE_NX;
}

static inline struct chunk chunk_at(vaddr_t va, vaddr_t end)
{
	struct chunk c = {va, pte_index(va, PTE_LEVEL_PAGE), 0};
	uint64_t n_left = (end - va) / PAGE_SIZE;

	c.n = n_left < PTE_N - c.first ? (uint32_t)n_left : PTE_N - c.first;
	return c;
}

static inline struct chunk chunk_first(vaddr_t va, uint32_t n_pages)
{
	return chunk_at(va, va + n_pages * PAGE_SIZE);
}

static inline void chunk_next(struct chunk *chunk, vaddr_t va, uint32_t n_pages)
{
	*chunk = chunk_at(chunk->va + chunk->n * PAGE_SIZE, va + n_pages * PAGE_SIZE);
}

/* Whole pages of user memory, at least one and not too many for one operation? */
static inline bool table_range_is_valid(vaddr_t va, uint32_t n_pages)
{
	return va % PAGE_SIZE == 0 && n_pages != 0 && n_pages <= TABLE_RANGE_PAGES_MAX &&
	       va < ARCH_USER_END && n_pages * PAGE_SIZE <= ARCH_USER_END - va;
}

/*
 * The directory entry for va, or NULL with the level of the missing table
 * (2: root entry is empty, 1).
 */
static inline uint64_t *table_directory_find(
        const struct arch_space *space, vaddr_t va, uint32_t *ret_missing)
{
	uint64_t *table = pte_table(space->root);

	for (uint32_t level = PTE_LEVEL_ROOT; level > PTE_LEVEL_DIRECTORY; level--) {
		uint64_t entry = table[pte_index(va, level)];
		if (!(entry & PTE_P)) {
			*ret_missing = level - 1;
			return NULL;
		}
		table = pte_table(entry);
	}
	return &table[pte_index(va, PTE_LEVEL_DIRECTORY)];
}

/* Forget translations of the range, where this CPU may hold some. */
static inline void table_tlb_flush(const struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	if (arch_cpu_this()->root == space->root) {
		table_tlb_invalidate(space, va, n_pages);
	}
}
