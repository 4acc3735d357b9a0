#pragma once
/*
 * Page-table entries, and how an address is cut into indices: four levels of 512 entries.
 */
#include "osd/abi/types.h"
#include "osd/arch/x86_64/registers.h"

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_BIG (1ull << 7)
#define PTE_G (1ull << 8)
/* Ours, among the bits that the CPU ignores. In a last-level entry: no RAM behind it. */
#define PTE_DEVICE (1ull << 9)
/* In a directory entry: the table belongs to another space, or is the shared one of zero frames. */
#define PTE_MIRROR (1ull << 9)
#define PTE_ZERO_TABLE (1ull << 10)
#define PTE_NX (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull

#define PTE_N 512u      /* entries of a table */
#define PTE_N_USER 256u /* of them in a root, below user memory's end; the rest is the kernel's */

/* Levels of tables. */
#define PTE_LEVEL_PAGE 0u
#define PTE_LEVEL_DIRECTORY 1u
#define PTE_LEVEL_ROOT 3u

/* The lowest bit of an address that chooses an entry on this level. */
static inline uint32_t pte_shift(uint32_t level)
{
	return 12 + 9 * level;
}

static inline uint32_t pte_index(vaddr_t va, uint32_t level)
{
	return va >> pte_shift(level) & (PTE_N - 1);
}

/* The table that an entry names. */
static inline uint64_t *pte_table(uint64_t entry)
{
	return (uint64_t *)(DIRECT_BASE + (entry & PTE_FRAME));
}
