#pragma once
/* Page-table entries. */
#include "osd/abi/types.h"
#include "osd/arch/x86_64/offsets.h"

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_BIG (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_DEVICE (1ull << 9) /* ours, in a last-level entry: no RAM behind it */
#define PTE_MIRROR                                                                                 \
	(1ull << 9) /* ours, in a directory entry: the table belongs to another space              \
	             */
#define PTE_ZERO_TABLE                                                                             \
	(1ull << 10) /* ours, in a directory entry: the shared table of zero frames */
#define PTE_NX (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull

static inline uint32_t pte_index(vaddr_t va, uint32_t level)
{
	return (va >> (12 + 9 * level)) & 511;
}

static inline uint64_t *pte_table(uint64_t entry)
{
	return (uint64_t *)(DIRECT_BASE + (entry & PTE_FRAME));
}
