#pragma once
/*
 * Page-table entries of x86-64, and how an address is cut into indices: four levels of 512 entries.
 * All that the portable tables (osd/kernel/mmu) know of an entry are the inlines at the end, which
 * arch.h lists; the bits are for this directory.
 *
 * An entry that is absent is 0. A directory entry that is a mirror takes the right to write and the
 * right to execute from all pages below it.
 */
#include "osd/abi/calls.h"
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
/* In a directory entry: the table belongs to another space. */
#define PTE_MIRROR (1ull << 9)
/* The zero frame, which stands for a page never touched; in a directory entry, the table of them. */
#define PTE_ZERO (1ull << 10)
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

static inline paddr_t pte_frame(uint64_t entry)
{
	return entry & PTE_FRAME;
}

static inline bool pte_frame_is_valid(paddr_t pa, uint64_t n_pages)
{
	return pa % PAGE_SIZE == 0 && pa <= PTE_FRAME && pa + n_pages * PAGE_SIZE <= PTE_FRAME;
}

/* What the frame is in an entry: added up like frames. */
static inline uint64_t pte_of_frame(paddr_t pa)
{
	return pa;
}

static inline uint64_t pte_page(paddr_t pa, uint32_t prot)
{
	uint64_t bits = pa | PTE_P | PTE_U;

	bits |= prot & PROT_W ? PTE_W : 0;
	bits |= prot & PROT_X ? 0 : PTE_NX;
	return prot & SPACE_OP_DEVICE ? bits | PTE_DEVICE | PTE_PCD | PTE_PWT : bits;
}

static inline uint32_t pte_page_prot(uint64_t page)
{
	return PROT_R | (page & PTE_W ? PROT_W : 0) | (page & PTE_NX ? 0 : PROT_X);
}

static inline uint64_t pte_page_protect(uint64_t page, uint32_t prot)
{
	return (page & ~(PTE_W | PTE_NX)) | (pte_page(0, prot) & (PTE_W | PTE_NX));
}

static inline uint64_t pte_page_zero(paddr_t pa)
{
	return pte_page(pa, PROT_R) | PTE_ZERO;
}

static inline bool pte_is_zero(uint64_t entry)
{
	return entry & PTE_ZERO;
}

static inline bool pte_page_is_device(uint64_t page)
{
	return page & PTE_DEVICE;
}

static inline bool pte_page_is_writable(uint64_t page)
{
	return page & PTE_W;
}

static inline uint64_t pte_table(paddr_t pa)
{
	return pa | PTE_P | PTE_W | PTE_U;
}

static inline uint64_t pte_table_mirror(uint64_t table)
{
	return (table & ~PTE_W) | PTE_NX | PTE_MIRROR;
}

static inline uint64_t pte_table_zero(paddr_t pa)
{
	return pa | PTE_P | PTE_U | PTE_NX | PTE_ZERO;
}

static inline bool pte_table_is_mirror(uint64_t table)
{
	return table & PTE_MIRROR;
}

static inline bool pte_table_is_own(uint64_t table)
{
	return (table & (PTE_P | PTE_MIRROR | PTE_ZERO)) == PTE_P;
}
