#pragma once
/* What the kernel tells VM at boot: free physical memory, and the spaces it made itself. */
#include "osd/abi/types.h"

#define BOOT_RANGES_MAX 16
#define BOOT_SPACES_MAX 4
#define BOOT_REGIONS_MAX 24

struct boot_range {
	paddr_t base;
	uint64_t bytes;
};
struct boot_region {
	vaddr_t va;
	paddr_t pa; /* contiguous */
	uint64_t bytes;
	uint32_t prot, pad;
};
struct boot_space {
	space_t space;
	endpoint_t endpoint;
	uint32_t n_regions, pad;
	struct boot_region regions[BOOT_REGIONS_MAX];
};
struct boot_info {
	uint32_t n_free, n_spaces;
	uint64_t total_bytes;                    /* all RAM */
	struct boot_range free[BOOT_RANGES_MAX]; /* belong to VM from now on */
	struct boot_range image;                 /* boot image; stays mapped in RS */
	struct boot_space spaces[BOOT_SPACES_MAX];
};
