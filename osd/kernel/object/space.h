#pragma once
/* Address spaces as kernel objects, numbered; their tables are arch's. */
#include "osd/kernel/mmu/mmu.h"

struct instance;

struct space {
	struct mmu_space mmu;
	space_t id;
	bool is_live;
	bool is_closing;  /* space_destroy has begun: nothing but space_destroy may use it */
	endpoint_t owner; /* who may make slots over it; EP_NONE: nobody */
	struct instance *instance; /* who runs in it; NULL: nobody */
	vaddr_t gate;              /* its gate page, one at most; 0: none */
	/* Frames of VM's that the space was given for who runs in it; 0: none. */
	paddr_t fpu;   /* the FPU's registers */
	paddr_t queue; /* asynchronous messages: slot->async, which is N_ASYNC long */
};

void spaces_init(void);
/* The live, not closing space with this number, or NULL. */
struct space *space_of(space_t id);
/* As space_of, also while closing. */
struct space *space_of_any(space_t id);
/* The space's gate page is here now (0: nowhere), and who runs in it may call through it alone. */
void space_gate_set(struct space *space, vaddr_t gate);
/*
 * Who runs in the space may use the FPU; its registers are kept in this frame from now on. E_INVAL,
 * E_PERM: no frame of user memory; E_BUSY: the space has one.
 */
err_t space_fpu_give(struct space *space, paddr_t frame);
/* The same for asynchronous messages that wait at the slot of who runs in the space. */
err_t space_queue_give(struct space *space, paddr_t frame);
uint32_t space_frames_given(const struct space *space);
/* n of them, no more than there are, are user memory again; nobody runs in the space. */
void space_frames_take(struct space *space, paddr_t *frames, uint32_t n);
/* New empty space on a root frame: E_FULL, or mmu_space_init's errors. */
err_t space_open(paddr_t root, endpoint_t owner, struct space **ret_space);
/* All tables given back by mmu_space_fini: the number is free again. */
void space_close(struct space *space);
uint32_t spaces_free_count(void);
