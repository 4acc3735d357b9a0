#pragma once
/*
 * Copies from and to user memory, page by page through the direct map. All of these return 0,
 * E_FAULT, or KCALL_PENDING (a page was asked from VM and the call of `self` restarts): anything
 * but 0 is returned by the handler at once. They fault before they write, except where stated.
 */
#include "osd/kernel/mmu/mmu.h"
#include "osd/kernel/object/slot.h"

struct space;

/* Of the caller's own memory. At most a few pages. */
err_t user_read(struct instance *self, vaddr_t va, void *dst, size_t n);
err_t user_write(struct instance *self, vaddr_t va, const void *src, size_t n);
/* Would user_write succeed? */
err_t user_write_check(struct instance *self, vaddr_t va, size_t n);
/* Of another space, on behalf of self. */
err_t user_read_from(struct instance *self, struct space *space, vaddr_t va, void *dst, size_t n);

struct user_copy {
	struct space *from, *to;
	vaddr_t from_va, to_va;
	uint64_t n;
	uint32_t access; /* of the target: MMU_ACCESS_WRITE, also MMU_ACCESS_FORCE */
};
/*
 * Copy between spaces. Works forward from self->call_progress and keeps it current, so that a
 * restarted call goes on; resets it with a final result. A target is partly written when the result
 * is E_FAULT. A long copy gives way to other processes between pages by restarting.
 */
err_t user_copy(struct instance *self, const struct user_copy *copy);
