#pragma once
/*
 * Requests to VM (vm.def) and their payloads. Spaces are named by number; bytes are rounded up to
 * pages, addresses are not: one that is not page aligned is E_INVAL.
 */
#include "osd/abi/request.h"

enum vm_request_number {
#define REQUEST(kind, server, verb, name, n, ...) name = VM_BASE + (n),
#include "osd/abi/vm.def"
#undef REQUEST
#define REQUEST REQUEST_COUNT
	VM_REQUEST_N = 0
#include "osd/abi/vm.def"
#undef REQUEST
};

#define VM_POPULATE 1u /* back every page now, zeroed */
#define VM_SPACE_SELF 0xffffffffu

struct vm_request_map { /* VM_MAP, VM_UNMAP (prot, flags unused), VM_PROTECT */
	space_t space;
	uint32_t prot;  /* PROT_* */
	vaddr_t va;     /* page aligned */
	uint64_t bytes; /* rounded up to pages */
	uint32_t flags; /* VM_POPULATE */
	uint32_t pad;
	uint64_t populate_bytes; /* back only the first bytes; 0 with VM_POPULATE: all */
};
_Static_assert(sizeof(struct vm_request_map) == 40, "layout of requests for a range");
struct vm_request_share { /* VM_SHARE */
	space_t from, to;
	vaddr_t from_va, to_va;
	uint64_t bytes;
};
_Static_assert(sizeof(struct vm_request_share) == 32, "layout of VM_SHARE");
struct vm_request_give { /* VM_GIVE: pages of the caller's own space */
	space_t to;
	uint32_t prot;
	vaddr_t from_va, to_va;
	uint64_t bytes;
};
_Static_assert(sizeof(struct vm_request_give) == 32, "layout of VM_GIVE");
struct vm_request_mirror { /* VM_MIRROR, VM_UNMIRROR */
	space_t old, new;
};
_Static_assert(sizeof(struct vm_request_mirror) == 8, "layout of VM_MIRROR, VM_UNMIRROR");
struct vm_request_space { /* VM_SPACE_FREE, VM_USAGE, VM_REGIONS */
	space_t space;
	uint32_t max; /* VM_REGIONS: entries that fit at `buffer` in the caller's memory */
	vaddr_t buffer;
};
_Static_assert(sizeof(struct vm_request_space) == 16, "layout of requests that name one space");
struct vm_request_dma { /* VM_DMA: bytes; VM_MMIO: pa, bytes */
	paddr_t pa;
	uint64_t bytes;
};
_Static_assert(sizeof(struct vm_request_dma) == 16, "layout of VM_DMA, VM_MMIO");
/* Members that the request does not name are 0. */
struct vm_reply {
	err_t err;
	union {
		space_t space;         /* VM_SPACE_NEW */
		uint32_t count;        /* VM_REGIONS */
		vaddr_t va;            /* VM_DMA, VM_MMIO */
		uint64_t total_frames; /* VM_USAGE */
	};
	paddr_t pa; /* VM_DMA */
	/* VM_USAGE; free and table frames are the machine's, resident pages those of the space */
	uint64_t free_frames, table_frames, resident_pages;
};
_Static_assert(sizeof(struct vm_reply) == 48, "layout of replies of VM");

/* One region as VM_REGIONS reports it. `flags` is one of these, or 0 for ordinary memory. */
#define VM_REGION_DMA 1u
#define VM_REGION_DEVICE 2u
#define VM_REGION_SHARED 4u
#define VM_REGION_MIRROR 8u
struct vm_region {
	vaddr_t va;
	uint64_t bytes;
	uint64_t resident_pages;
	uint32_t prot, flags;
};
