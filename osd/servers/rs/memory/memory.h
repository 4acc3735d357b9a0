#pragma once
/*
 * Requests to VM. Asking for memory may fail; giving it back cannot: a failure there is a panic.
 * Addresses and lengths are multiples of the page size.
 */
#include "osd/abi/errors.h"
#include "osd/abi/vm.h"

#define RS_N_REGIONS 128

__must_check err_t memory_space_new(space_t *ret_space);
void memory_space_free(space_t space);
/* backed: bytes from va that are backed at once. */
__must_check err_t memory_map(
        space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed);
void memory_unmap(space_t space, vaddr_t va, uint64_t bytes);
/* Show the gate page in a space. */
__must_check err_t memory_gate(space_t space, vaddr_t va);
/* Show pages of RS in another space, read-only. */
__must_check err_t memory_share(const void *from, space_t to, vaddr_t to_va, uint64_t bytes);
/* Show all of old in new at the same addresses, read-only; again: bring the view up to date. */
__must_check err_t memory_mirror(space_t old, space_t new);
void memory_unmirror(space_t old, space_t new);
__must_check err_t memory_regions(
        space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n);
__must_check err_t memory_usage(space_t space, struct vm_reply *ret_usage);
