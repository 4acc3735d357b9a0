#pragma once
/* Physical memory as the machine's starter describes it: see memory.c. */
#include "osd/abi/types.h"

struct memory_range {
	paddr_t base;
	uint64_t bytes;
};

/* Take in the PVH memory map. */
void memory_init(paddr_t start_info);
uint32_t memory_ranges(const struct memory_range **ret_ranges);
/* ACPI's root pointer, as the starter says; 0: none. */
paddr_t memory_rsdp(void);
