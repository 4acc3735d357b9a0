#pragma once
/*
 * Requests to VM, by space: RS may change any space, VM keeps the books. Asking for memory may
 * fail, with VM's error; giving it back cannot: a failure there is a panic. Addresses and lengths
 * are multiples of the page size.
 *
 * What was taken need not be given back region by region: a space goes with all its memory.
 */
#include "osd/abi/errors.h"
#include "osd/abi/vm.h"

/* Regions of a space that RS can look at; VM answers with an error when there are more. */
#define RS_N_REGIONS 128

/* An empty space. */
__must_check err_t memory_space_new(space_t *ret_space);
/* No slot may run in it any more; its mirrors and shares go with it. */
void memory_space_free(space_t space);
/* A demand-zero region. backed: bytes from va on that get memory at once. */
__must_check err_t memory_map(
        space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed);
void memory_unmap(space_t space, vaddr_t va, uint64_t bytes);
/* Show the gate page in a space. */
__must_check err_t memory_gate(space_t space, vaddr_t va);
/* Show pages of RS in another space, read-only. */
__must_check err_t memory_share(const void *from, space_t to, vaddr_t to_va, uint64_t bytes);
/*
 * Pages of RS become a region of another space: RS has them no more. They are the end of a region
 * that is backed. After an error they are still here.
 */
__must_check err_t memory_give(
        const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot);
/*
 * Show all of old in new at the same addresses, read-only. The first time is costly; what the old
 * instance writes into memory that it has shows up by itself, and asking again brings in what it
 * got since.
 */
__must_check err_t memory_mirror(space_t old, space_t new);
void memory_unmirror(space_t old, space_t new);
/* All regions of a space, with their resident pages. */
__must_check err_t memory_regions(
        space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n);
/* Frames of the machine, and resident pages of the space. */
__must_check err_t memory_usage(space_t space, struct vm_reply *ret_usage);
