#pragma once
/*
 * Requests to VM and their payloads (views of message words, MSG_AS).
 * Replies: MSG_REPLY with err first.
 */
#include "osd/abi/message.h"

enum {
#define REQUEST(name, number, idempotent, text) name = number,
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
struct vm_request_share {
	space_t from, to;
	vaddr_t from_va, to_va;
	uint64_t bytes;
};
struct vm_request_mirror { /* VM_MIRROR, VM_UNMIRROR */
	space_t old, new;
};
struct vm_request_space { /* VM_SPACE_FREE, VM_USAGE, VM_REGIONS */
	space_t space;
	uint32_t max; /* VM_REGIONS: entries that fit at `buffer` in the caller's memory */
	vaddr_t buffer;
};
struct vm_request_dma { /* VM_DMA: bytes; VM_MMIO: pa, bytes */
	paddr_t pa;
	uint64_t bytes;
};
struct vm_reply {
	err_t err;
	union {
		space_t space;
		uint32_t count;
		vaddr_t va;
		uint64_t total_frames; /* VM_USAGE */
	};
	paddr_t pa;
	uint64_t free_frames, table_frames, resident_pages;
};

/* One region as VM_REGIONS tells it. */
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
