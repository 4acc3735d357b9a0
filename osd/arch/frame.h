#pragma once
/*
 * What each frame of RAM is used for, so that no batch can map a page table or kernel memory into a
 * process. The machine makes the array when it takes in the memory map; page tables
 * (osd/kernel/mmu) keep it from then on.
 *
 * A frame that is a page table also counts its entries that are not 0, so that the table can go when
 * it has none, and the mirrors that share it. Both are in the same 16 bits: an array of more would
 * cost every machine for what few frames need.
 */
#include <stdbool.h>
#include <stdint.h>
#include "osd/abi/types.h"

#define FRAME_NONE 0u   /* no RAM */
#define FRAME_KERNEL 1u /* the kernel's for ever */
#define FRAME_USER 2u
#define FRAME_FPU 3u          /* registers of who runs in a space */
#define FRAME_OBJECT 4u       /* a space, or a thread more of one (osd/kernel/object) */
#define FRAME_TABLE 0x8000u   /* + entries + FRAME_SHARER for each mirror */
#define FRAME_ENTRIES 0x03ffu /* mask: entries that are not 0 */
#define FRAME_SHARER 0x0400u  /* one mirror */
#define FRAME_SHARERS_MAX 31u

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

/* Entries of the table in this frame became present or absent; sharers came or went. */
static inline void frame_table_add(paddr_t table, int32_t change)
{
	uint16_t *use = &frame_uses[table / PAGE_SIZE];

	*use = (uint16_t)(*use + change);
}

static inline bool frame_table_is_empty(paddr_t table)
{
	return !(frame_uses[table / PAGE_SIZE] & FRAME_ENTRIES);
}

static inline uint32_t frame_table_sharers(paddr_t table)
{
	return (frame_uses[table / PAGE_SIZE] & ~FRAME_TABLE) / FRAME_SHARER;
}
