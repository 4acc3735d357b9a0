#pragma once
/*
 * What each frame of RAM is used for, so that no batch can map a page table or kernel memory into a
 * process. A table frame also counts the mirrors that share it.
 */
#include <stdint.h>
#include "osd/abi/types.h"

#define FRAME_NONE 0u   /* no RAM */
#define FRAME_KERNEL 1u /* the kernel's for ever */
#define FRAME_USER 2u
#define FRAME_TABLE 3u /* FRAME_TABLE + n: a page table shared by n mirrors */
#define FRAME_TABLE_MAX UINT16_MAX

extern uint16_t *frame_uses;
extern uint64_t n_frame_uses; /* frames from physical address 0 */

static inline uint32_t frame_use(paddr_t pa)
{
	uint64_t frame = pa / PAGE_SIZE;

	return frame < n_frame_uses ? frame_uses[frame] : FRAME_NONE;
}

/* Set the use of a frame below n_frame_uses. */
static inline void frame_use_set(paddr_t pa, uint32_t use)
{
	frame_uses[pa / PAGE_SIZE] = (uint16_t)use;
}

/* The same of n frames from pa on. At boot these are all that there are, twice. */
static inline void frame_uses_set(paddr_t pa, uint64_t n, uint32_t use)
{
	uint16_t *uses = frame_uses + pa / PAGE_SIZE;

	for (uint64_t i = 0; i < n; i++) {
		uses[i] = (uint16_t)use;
	}
}
