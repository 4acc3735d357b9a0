#pragma once
/*
 * Entries of a machine with tables of eight: a space is 2048 pages, small enough to be compared
 * whole, and every table has neighbours. The bits are others than those of any machine that there
 * is, so that code which knows one of them fails.
 */
#include "osd/abi/calls.h"

#define PTE_N 8u
#define PTE_N_USER 4u
#define PTE_LEVEL_PAGE 0u
#define PTE_LEVEL_DIRECTORY 1u
#define PTE_LEVEL_ROOT 3u

#define SMALL_TABLE (1ull << 62)
#define SMALL_PAGE (1ull << 61)
#define SMALL_NO_WRITE (1ull << 60)
#define SMALL_EXEC (1ull << 59)
#define SMALL_ZERO (1ull << 58)
#define SMALL_OTHER (1ull << 57) /* of a page: a device; of a table: a mirror */
#define SMALL_FRAME ((1ull << 36) - 1)

static inline uint32_t pte_shift(uint32_t level)
{
	return 12 + 3 * level;
}

static inline uint32_t pte_index(vaddr_t va, uint32_t level)
{
	return va >> pte_shift(level) & (PTE_N - 1);
}

static inline paddr_t pte_frame(uint64_t entry)
{
	return (entry & SMALL_FRAME) * PAGE_SIZE;
}

static inline bool pte_frame_is_valid(paddr_t pa, uint64_t n_pages)
{
	return pa % PAGE_SIZE == 0 && pa / PAGE_SIZE <= SMALL_FRAME &&
	       pa / PAGE_SIZE + n_pages <= SMALL_FRAME;
}

/* What the frame is in an entry: added up like frames. */
static inline uint64_t pte_of_frame(paddr_t pa)
{
	return pa / PAGE_SIZE;
}

static inline uint64_t pte_page(paddr_t pa, uint32_t prot)
{
	uint64_t page = pa / PAGE_SIZE | SMALL_PAGE;

	page |= prot & PROT_W ? 0 : SMALL_NO_WRITE;
	page |= prot & PROT_X ? SMALL_EXEC : 0;
	return prot & SPACE_OP_DEVICE ? page | SMALL_OTHER : page;
}

static inline uint32_t pte_page_prot(uint64_t page)
{
	return PROT_R | (page & SMALL_NO_WRITE ? 0 : PROT_W) | (page & SMALL_EXEC ? PROT_X : 0);
}

static inline uint64_t pte_page_protect(uint64_t page, uint32_t prot)
{
	return (page & ~(SMALL_NO_WRITE | SMALL_EXEC)) |
	       (pte_page(0, prot) & (SMALL_NO_WRITE | SMALL_EXEC));
}

static inline uint64_t pte_page_zero(paddr_t pa)
{
	return pte_page(pa, PROT_R) | SMALL_ZERO;
}

static inline bool pte_is_zero(uint64_t entry)
{
	return entry & SMALL_ZERO;
}

static inline bool pte_page_is_device(uint64_t page)
{
	return page & SMALL_OTHER;
}

static inline bool pte_page_is_writable(uint64_t page)
{
	return !(page & SMALL_NO_WRITE);
}

static inline uint64_t pte_table(paddr_t pa)
{
	return pa / PAGE_SIZE | SMALL_TABLE | SMALL_EXEC;
}

static inline uint64_t pte_table_mirror(uint64_t table)
{
	return (table & ~SMALL_EXEC) | SMALL_NO_WRITE | SMALL_OTHER;
}

static inline uint64_t pte_table_zero(paddr_t pa)
{
	return pa / PAGE_SIZE | SMALL_TABLE | SMALL_NO_WRITE | SMALL_ZERO;
}

static inline bool pte_table_is_mirror(uint64_t table)
{
	return table & SMALL_OTHER;
}

static inline bool pte_table_is_own(uint64_t table)
{
	return (table & (SMALL_TABLE | SMALL_OTHER | SMALL_ZERO)) == SMALL_TABLE;
}

/* What all entries of a walk together allow. */
static inline bool machine_may_write(uint64_t entries_or, uint64_t entries_and)
{
	(void)entries_and;
	return !(entries_or & SMALL_NO_WRITE);
}

static inline bool machine_may_execute(uint64_t entries_or, uint64_t entries_and)
{
	(void)entries_or;
	return entries_and & SMALL_EXEC;
}
