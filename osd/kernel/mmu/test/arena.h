#pragma once
/* RAM of a test, and what osd/arch/arch.h needs besides to be included. */
#include "osd/abi/types.h"

#define ARENA_FRAMES 512u

struct arch_context;
struct arch_cpu;
struct arch_space {
	paddr_t root;
};

extern unsigned char arena[ARENA_FRAMES * PAGE_SIZE];

static inline void *arch_frame_ptr(paddr_t pa)
{
	return arena + pa;
}
