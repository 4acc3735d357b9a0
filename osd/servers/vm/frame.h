#pragma once
/*
 * Physical memory: which frames are free, and how the frames of a region hang together. Frames that
 * were mapped together are a run; a region's runs form a list through a table with one entry for
 * each frame of the machine, so that giving memory out and taking it back never allocates anything.
 * Pure; builds on the host.
 */
#include "osd/abi/types.h"

#define FRAME_NONE UINT32_MAX
#define FRAME_PA_NONE UINT64_MAX

/* A run of frames that backs consecutive pages of a region. Index: its first frame. */
struct frame_run {
	uint32_t next; /* first frame of the region's next run, or FRAME_NONE */
	uint32_t page; /* page of the region that the first frame backs */
	uint32_t n;
};

/* Bytes of the tables for n frames. */
uint64_t frame_storage_bytes(uint64_t n_frames);
/*
 * Manage [base, base + n_frames pages); nothing is free yet. storage may hold anything, and is
 * frame_storage_bytes() long.
 */
void frame_init(void *storage, paddr_t base, uint64_t n_frames);
/* A range of frames (managed, not free) becomes free. */
void frame_give(paddr_t pa, uint64_t n);

/* Take 1 to n consecutive frames, as many as lie together where memory is found. FRAME_PA_NONE:
 * none is free. */
paddr_t frame_take(uint32_t n, uint32_t *ret_n);
/* Take exactly n consecutive frames, or FRAME_PA_NONE. */
paddr_t frame_take_run(uint32_t n);

uint64_t frame_n_free(void);
bool frame_is_free(paddr_t pa);

/* Put a run at the head of a list. */
void frame_run_link(uint32_t *head, paddr_t pa, uint32_t page, uint32_t n);
/* The run with this first frame. */
const struct frame_run *frame_run_of(uint32_t frame);
paddr_t frame_run_pa(uint32_t frame);
/*
 * What backs the pages from `page` on goes to another, empty list, where it backs pages from 0 on.
 */
void frame_run_split(uint32_t *head, uint32_t page, uint32_t *ret_tail);
/* Give all runs of a list back and empty it. */
void frame_run_give_all(uint32_t *head);
