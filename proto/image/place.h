#pragma once
/*
 * Where the machine draws what no linker places: heaps, stacks, gate pages and windows of payloads
 * lie anywhere in the lower half above 4 GiB, the first stack pointer anywhere in the last half
 * page of its stack, objects of a heap in any page of their chunk. RS (osd/servers/rs/memory/span.c,
 * life/instance.c) and the heap (osd/lib/heap) draw by these numbers; what layouts protect is
 * reckoned from them (forge/effect/theory.c).
 */
#include <stdint.h>

/* A span starts on a page of a step; a last-level page table maps one. */
#define PLACE_STEP (UINT64_C(2) << 20)
/* Nothing is drawn below 4 GiB, so an address that was cut to 32 bits hits none of it. */
#define PLACE_LOW (UINT64_C(1) << 32)
/* End of the user half. */
#define PLACE_END (UINT64_C(1) << 47)
/* Guards on both sides, and room to move the start to any page of its step. */
#define PLACE_MARGIN (3 * PLACE_STEP)

/* Bytes over which the first stack pointer is drawn, and what it is a multiple of. */
#define PLACE_STACK_SPREAD 2048u
#define PLACE_STACK_ALIGN 16u

/* Pages of a heap's chunk, and those of them that are its directory. */
#define PLACE_CHUNK_PAGES 512u
#define PLACE_CHUNK_DIRECTORY 8u
