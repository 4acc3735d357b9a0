#pragma once
/* A machine for the test of page tables: small/pte.h, and frames in an array. */
#include "osd/kernel/mmu/test/small/pte.h"
#include "osd/kernel/mmu/test/arena.h"

#define ARCH_USER_END ((uint64_t)PTE_N_USER * PTE_N * PTE_N * PTE_N * PAGE_SIZE)
/* Where the test works: n tables from each place on. Here, everywhere. */
#define MACHINE_PLACES {0}
#define MACHINE_PLACE_TABLES (PTE_N_USER * PTE_N * PTE_N)
