#pragma once
/*
 * Address spaces as kernel objects, numbered; their tables are mmu's. A space, with memory for one
 * thread, lies in a frame that VM gives (space_open), each further thread in one more. They come back
 * when nothing is left in them: there is no table of spaces or threads to run out of.
 *
 * All fields: big kernel lock.
 */
#include "osd/kernel/mmu/mmu.h"
#include "osd/kernel/object/slot.h"

struct domain;

struct space {
	struct mmu_space mmu;
	space_t id;
	bool is_closing;       /* space_destroy has begun: nothing but that may use it */
	endpoint_t owner;      /* who may make slots over it, and give it rights; EP_NONE: nobody */
	struct domain *domain; /* domain_none: it has none */
	uint32_t n_frames;     /* its own, and those of its further threads */
	struct list instances; /* who runs in it, by slot.link, the oldest first */
	struct list threads;   /* without a slot, by slot.link, its own first */
	vaddr_t gate;          /* its gate page, one at most; 0: none */
	paddr_t object;        /* the frame that it lies in */
	paddr_t fpu;           /* frame for the FPU's registers of the thread of its own; 0: none */
};

void spaces_init(void);
/* The live, not closing space with this number, or NULL. */
struct space *space_of(uint64_t id);
/* As space_of, also while closing. */
struct space *space_of_any(uint64_t id);
/* Who has run in it for longest; NULL: nobody runs in it. */
struct instance *space_instance(const struct space *space);
/* A frame that VM may give for an object of the kernel's? E_INVAL, E_PERM. */
err_t space_frame_check(paddr_t frame);
/* Does more than one run in it? */
bool space_is_shared(const struct space *space);
/*
 * The space's gate page is here now (0: nowhere), and who runs in it, one at most, may call through it
 * alone.
 */
void space_gate_set(struct space *space, vaddr_t gate);
/*
 * Who runs in the thread of the space's own may use the FPU; its registers are kept in this frame from now
 * on. E_INVAL, E_PERM: no frame of user memory; E_BUSY: the space has one.
 */
err_t space_fpu_give(struct space *space, paddr_t frame);
/* The frame of one more thread, with its FPU, without a queue for asynchronous messages: the same errors. */
err_t space_thread_give(struct space *space, paddr_t frame);
/* A thread that has no slot, for the instance that begins; NULL: there is none. */
struct thread *space_thread_take(struct space *space);
/* It has none any more, and its memory is free for another. */
void space_thread_put(struct space *space, struct thread *thread);
/* Where the registers of the FPU are kept, and asynchronous messages; 0, NULL: it has no memory for them. */
paddr_t space_thread_fpu(const struct space *space, const struct thread *thread);
struct message *space_thread_queue(const struct space *space, const struct thread *thread);
/* Are there further threads that have no slot? */
bool space_threads_are_spare(const struct space *space);
/* The frames of these, at most max, are user memory again. Return how many. */
uint32_t space_threads_trim(struct space *space, paddr_t *frames, uint32_t max);
/* New empty space on a root frame, in a frame of its own: E_FULL, E_INVAL, E_PERM. */
err_t space_open(paddr_t root, paddr_t object, endpoint_t owner, struct space **ret_space);
/*
 * All else was given back (mmu_space_fini, space_threads_trim, space_fpu_take): the number is free again,
 * and the frame, which is returned, is user memory.
 */
paddr_t space_close(struct space *space);
/* The frame of space_fpu_give is user memory again; 0: there was none. Nobody runs in the space. */
paddr_t space_fpu_take(struct space *space);
uint32_t spaces_free_count(void);
