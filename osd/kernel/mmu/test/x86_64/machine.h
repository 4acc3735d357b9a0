#pragma once
/* A machine for the test of page tables: the entries of x86-64, and frames in an array. */
#include "osd/arch/x86_64/pte.h"
#include "osd/kernel/mmu/test/arena.h"

#define ARCH_USER_END 0x00007ffffffff000ull
/* Where the test works: two tables from each place on; the second place's have not one directory. */
#define MACHINE_PLACES {0x200000, 0x3fe00000, 0x7fffe00000, 0x7ffffc000000}
#define MACHINE_PLACE_TABLES 2u

/* What all entries of a walk together allow. */
static inline bool machine_may_write(uint64_t entries_or, uint64_t entries_and)
{
	(void)entries_or;
	return entries_and & PTE_W;
}

static inline bool machine_may_execute(uint64_t entries_or, uint64_t entries_and)
{
	(void)entries_and;
	return !(entries_or & PTE_NX);
}
