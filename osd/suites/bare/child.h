#pragma once
/*
 * Processes of a suite. A child is a fork of the driver: it shares the driver's code and
 * constants, has a copy of its data taken when it was made, a stack, the gate page, and the
 * `shared` page that the driver and all children see at one address.
 *
 * All frames of a child come from one chunk, so that freeing it is checked to the frame.
 */
#include "osd/abi/boot.h"
#include "osd/suites/bare/bare.h"

#define CHILD_CHUNK_PAGES 64u
#define CHILD_TABLES 16u
#define CHILD_STACK_PAGES 4u
/* Unless another one is asked for. */
#define CHILD_PRIORITY 5u

/* Free for tests to map things at, in every space: one whole last-level table. */
#define CHILD_FREE_VA 0x5000000000ul
#define SHARED_VA 0x4000000000ul

struct shared {
	volatile uint64_t w[512];
};
#define shared ((struct shared *)SHARED_VA)

typedef void (*child_entry_t)(uint64_t argument);

struct child {
	endpoint_t ep; /* EP_NONE: no slot */
	space_t space;
	paddr_t chunk;
	uint32_t n_tables; /* table frames handed to the kernel, from chunk + 1 page */
	uint32_t n_pages;  /* frames of the chunk in use, from behind the tables */
	uint32_t n_given;  /* of them, for the space itself, its domain, the FPU and threads */
};

/* Once, before the first child. */
void child_init(void);

/* The driver's own space, and its regions, in no order; NULL: there are no more. */
space_t child_driver_space(void);
const struct boot_region *child_driver_region(uint32_t n);
/* Frames from the bare VM, which does not take them back. */
paddr_t child_frames_more(uint32_t n);

/* Take one contiguous run of zeroed frames of the child's chunk. */
paddr_t child_frames(struct child *child, uint32_t n);
/* Run one mapping operation on the child's space with its own table frames. */
err_t child_map(struct child *child, struct space_op op);

/*
 * A bare space without a slot, with memory for the FPU (child_space_new) or not yet; then a slot over it; then code and data in it.
 */
void child_space_new(struct child *child);
void child_space_new_plain(struct child *child);
/* One without a domain, or with memory for the FPU; and a domain without rights. */
void child_space_new_bare(struct child *child);
void child_domain_give(struct child *child);
/* Its instance may use the FPU from now on. */
void child_fpu_give(struct child *child);
/* One more thread can run in it. */
void child_thread_give(struct child *child);
err_t child_slot_new(struct child *child, const char *name, uint32_t flags);
err_t child_slot_new_at(struct child *child, const char *name, uint32_t flags, uint32_t priority);
/* With these parameters, but for the space, which is the child's. */
err_t child_slot_new_with(struct child *child, const struct slot_params *with);
void child_name_set(struct slot_params *params, const char *name);
void child_fill(struct child *child);

/* All of it: fresh slot with every privilege of an ordinary service and IPC to everybody. */
void child_new(struct child *child, const char *name);
void child_start(struct child *child, child_entry_t entry, uint64_t argument);
/* The same of one more thread in a child's space, with a stack that is mapped there. */
void child_thread_start(
        endpoint_t thread, vaddr_t stack_end, child_entry_t entry, uint64_t argument);
/* child_new and child_start. */
void child_run(struct child *child, const char *name, child_entry_t entry, uint64_t argument);

/* Destroy slot and space; die when a frame is missing. Takes half-made children. */
void child_free(struct child *child);

/* IPC to everybody; no call of the call mask, no device. */
void child_privileges(struct domain_privileges *ret_privileges);
uint32_t child_chunks_free(void);

/* How long to wait for a child on a host that is busy with other things. */
#define CHILD_PATIENCE 20000000000ul /* nsec */

/* Wait until an event of this slot comes; events of others are kept for later. E_TIMEOUT. */
err_t child_event(const struct child *child, struct slot_event *ret_event);
/* Let lower priorities run for so long. */
void child_settle(uint64_t usec);
