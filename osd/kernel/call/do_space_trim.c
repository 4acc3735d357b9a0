/*
 * Give frames of page tables that became empty, and of threads that ended, back to VM, at most a page's
 * worth of numbers a call.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/object/space.h"

/* Frames given back by one call. */
#define FRAMES_MAX 256u

err_t do_space_trim(struct instance *self, const uint64_t *args)
{
	uint64_t max = args[2] < FRAMES_MAX ? args[2] : FRAMES_MAX;
	struct space *space = space_of(args[0]);
	paddr_t frames[FRAMES_MAX];
	uint32_t n;
	err_t err;

	if (!space || max == 0) {
		return E_INVAL;
	}
	err = user_write_check(self, args[1], max * sizeof(paddr_t));
	if (err != E_OK) {
		return err;
	}
	n = mmu_trim(&space->mmu, frames, (uint32_t)max);
	n += space_threads_trim(space, frames + n, (uint32_t)max - n);
	call_output(self, args[1], frames, n * sizeof(frames[0]));
	arch_context_result2_set(&self->context, n);
	return space->mmu.n_spare != 0 || space_threads_are_spare(space) ? E_AGAIN : E_OK;
}
