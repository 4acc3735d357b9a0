#pragma once
/*
 * What a new instance is told: one read-only page, its address in rdi at the entry point.
 * Written by RS (by the kernel for the two services it loads itself).
 */
#include "osd/abi/types.h"

#define START_MAGIC 0x5452415453534153ull /* "SASSTART" */
#define START_NAMES_MAX 24

enum start_kind { START_FRESH = 1, START_UPDATE, START_RESTART };

/* START_UPDATE: whoever ordered it consented to this pairing; state without a place is listed in
 * the result, not refused. */
#define START_ACCEPT_LOSS 1u

struct start_name {
	char name[SERVICE_NAME_LEN];
	endpoint_t endpoint; /* EP_NONE: does not run yet */
	uint32_t pad;
};

/* One side of a state transfer: description bytes and symbol addresses (proto/state). */
struct start_description {
	vaddr_t description;
	uint64_t bytes;
	vaddr_t addresses; /* u64[n_addresses] */
	uint64_t n_addresses;
};

struct start_info {
	uint64_t magic;
	uint32_t version, size;
	uint32_t kind;   /* enum start_kind */
	endpoint_t self; /* the endpoint this instance serves, or will serve after the commit */
	endpoint_t supervisor;
	uint32_t asked_state; /* START_UPDATE: the state the predecessor was stopped in */
	char name[SERVICE_NAME_LEN];
	vaddr_t gate; /* address of the gate page: `syscall; ret` at offset 0 */
	vaddr_t stack_low, stack_high;
	vaddr_t heap_base;
	uint64_t heap_limit;     /* bytes reserved */
	uint64_t heap_populated; /* bytes usable without a page fault; whole heap is demand-zero
	                            after commit */
	vaddr_t scratch;         /* only until commit: memory for pairing tables */
	uint64_t scratch_bytes;
	/* Mapped from creation to commit or rollback. One description at one address: the same release. */
	struct start_description old_state, new_state;
	vaddr_t old_heap_base;   /* START_UPDATE: the predecessor's heap, mirrored */
	uint64_t old_heap_bytes; /* of it, all readable */
	uint8_t random[32];
	uint64_t tsc_khz;
	vaddr_t boot_image; /* for services that the kernel loads: the boot image, read-only */
	uint64_t boot_image_bytes;
	vaddr_t boot_info; /* for VM: struct boot_info */
	uint32_t n_names;
	uint32_t flags;                           /* START_* */
	struct start_name names[START_NAMES_MAX]; /* the ipc targets of the service's description */
	char arguments[256];
};
_Static_assert(sizeof(struct start_info) <= PAGE_SIZE, "one page");
