#pragma once
/*
 * Page tables of user spaces. They are radix trees of entries that the machine walks and whose bits
 * only it knows (the pte_ inlines of arch.h); everything else about them is here.
 *
 * Operations work on a part of a space that lies in one last-level table (mmu_part_end), so that
 * none is long; who has a longer range goes over it part by part, first with the check, then with
 * the operation. Each checks everything first and then either does all or changes nothing.
 *
 * Frames for tables come from the caller (struct mmu_tables). A table without an entry is taken out
 * at once; its frame stays with the space as a *spare*, which the next table is made of, until
 * mmu_trim() or mmu_space_fini() gives it back.
 *
 * Errors: E_PERM (a frame that does not belong to user memory, or a page that may not change),
 * E_BUSY (something else is there), E_TABLES (pool too small; needed is set), E_INVAL (no such
 * address or protection).
 *
 * The big kernel lock is held throughout.
 */
#include "osd/arch/arch.h"

struct mmu_space {
	struct arch_space arch;
	uint32_t n_tables;        /* tables in use, the root too */
	uint32_t n_spare;         /* frames of tables that became empty */
	paddr_t spare;            /* the first of them; each begins with the next, 0: none */
	struct mmu_space *source; /* whose tables this space mirrors; NULL: no mirror */
	uint32_t n_mirrors;       /* of them */
	uint32_t n_shared;        /* tables of this space that others mirror, each time counted */
	uint64_t hint;            /* hint_table, its own, is for this multiple of MMU_TABLE_BYTES */
	paddr_t hint_table;
};

#define MMU_NO_HINT UINT64_MAX

/* Frames for tables; clean-up of the frames is done here. */
struct mmu_tables {
	const paddr_t *frames; /* kernel memory */
	uint32_t n;
	uint32_t used;   /* taken from the front */
	uint32_t needed; /* set with E_TABLES: frames that the operation needs */
};

/* Bytes that one last-level table maps; mirrors are made of whole ones. */
#define MMU_TABLE_BYTES (PTE_N * PAGE_SIZE)
/* Tables that an operation on one part can need. */
#define MMU_TABLES_MAX PTE_LEVEL_ROOT

/* Once, before the first space: the gate page, the zero frame and the table of it are made. */
void mmu_init(void);

/* Start an empty space on a root frame: E_INVAL, E_PERM. */
err_t mmu_space_init(struct mmu_space *space, paddr_t root);
/*
 * Take the frames of a space that nobody runs in, at most max of them; they are user frames again.
 * E_AGAIN: there are more. E_BUSY: a mirror still shares a table. With 0 the space is gone.
 */
err_t mmu_space_fini(struct mmu_space *space, paddr_t *frames, uint32_t max, uint32_t *ret_n);
/* Take spares, at most max of them, which are user frames again. Return how many. */
uint32_t mmu_trim(struct mmu_space *space, paddr_t *frames, uint32_t max);

/* Whole pages of user memory, at least one and no more than n_max? */
static inline bool mmu_range_is_valid(vaddr_t va, uint64_t n_pages, uint64_t n_max)
{
	return va % PAGE_SIZE == 0 && n_pages - 1 < n_max && va < ARCH_USER_END &&
	       n_pages * PAGE_SIZE <= ARCH_USER_END - va;
}

/* Where the part that begins at va ends at the latest. */
static inline vaddr_t mmu_part_end(vaddr_t va)
{
	return (va | (MMU_TABLE_BYTES - 1)) + 1;
}

/* The first address from va on, up to end, that has a table, be it a mirror; end: there is none. */
vaddr_t mmu_next(const struct mmu_space *space, vaddr_t va, vaddr_t end);

/*
 * Map n_pages frames from arg on at va, a part of an operation: its kind and its space are not looked
 * at.
 */
/* Would mmu_map() find anything wrong but a lack of tables? */
err_t mmu_map_check(const struct mmu_space *space, const struct space_op *map);
err_t mmu_map(struct mmu_space *space, const struct space_op *map, struct mmu_tables *tables);
/* Unmap what is mapped in the part; absent pages are passed over. E_BUSY: it is a mirror. */
err_t mmu_unmap_check(const struct mmu_space *space, vaddr_t va);
err_t mmu_unmap(struct mmu_space *space, vaddr_t va, uint32_t n_pages);
/* Only of user frames, else E_PERM; zero frames stay read-only. E_BUSY: it is a mirror. */
err_t mmu_protect_check(const struct mmu_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot);
err_t mmu_protect(struct mmu_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot);
/*
 * Show source's table at va, read-only, in space; nothing where it has none. A space mirrors one
 * other at a time (E_BUSY), and no mirror is mirrored.
 */
err_t mmu_mirror_check(const struct mmu_space *space, const struct mmu_space *source, vaddr_t va);
err_t mmu_mirror(
        struct mmu_space *space, struct mmu_space *source, vaddr_t va, struct mmu_tables *tables);
void mmu_unmirror(struct mmu_space *space, vaddr_t va);
/*
 * Absent pages become the shared zero frame, read-only; through a mirror this fills the source's
 * table. E_TABLES, E_PERM.
 */
err_t mmu_zero_absent(
        struct mmu_space *space, vaddr_t va, uint32_t n_pages, struct mmu_tables *tables);
/* The page through which services call. */
err_t mmu_gate(struct mmu_space *space, vaddr_t va, struct mmu_tables *tables);

/*
 * How many frames mmu_map, mmu_zero_absent and mmu_mirror need, beyond the spares, for all parts of
 * a range.
 */
uint32_t mmu_map_need(const struct mmu_space *space, vaddr_t va, uint32_t n_pages);
uint32_t mmu_zero_need(const struct mmu_space *space, vaddr_t va, uint32_t n_pages);
uint32_t mmu_mirror_need(const struct mmu_space *space, const struct mmu_space *source, vaddr_t va,
        uint32_t n_pages);
/* Are the first n frames of the pool there (E_TABLES), user frames, and each there once (E_PERM)? */
err_t mmu_tables_check(struct mmu_tables *tables, uint32_t n);

/*
 * List what the space has from *at on, 0 at first, in the order of addresses, and move *at on; what
 * begins at ARCH_USER_END is nothing. max: FRAME_LIST_MIN or more. Return how many entries.
 */
uint32_t mmu_list(
        const struct mmu_space *space, vaddr_t *at, struct frame_entry *list, uint32_t max);

#define MMU_ACCESS_READ 1u
#define MMU_ACCESS_WRITE 2u
/* With WRITE: read-only pages too, but never the shared zero frame. */
#define MMU_ACCESS_FORCE 4u
/*
 * Direct-map address of the byte at va; NULL when absent or without this access. The rest of its
 * page follows.
 */
void *mmu_ptr(const struct mmu_space *space, vaddr_t va, uint32_t access);
