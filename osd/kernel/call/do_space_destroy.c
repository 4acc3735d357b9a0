/*
 * Give the frames of a space back to VM, those of its tables and those that it was given for who ran
 * in it, at most a page's worth of numbers a call. From the first call that took frames on the space is
 * closing: nothing else can be done with it, and the last call frees its number.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/object/space.h"

/* Frames given back by one call. */
#define FRAMES_MAX 256u

static err_t check_space_destroy(
        struct instance *self, const uint64_t *args, struct space **ret_space, uint32_t *ret_max)
{
	uint64_t max = args[2] < FRAMES_MAX ? args[2] : FRAMES_MAX;
	struct space *space = args[0] < N_SPACES ? space_of_any((space_t)args[0]) : NULL;
	err_t err;

	if (!space || max == 0) {
		return E_INVAL;
	}
	if (space->instance) {
		return E_BUSY;
	}
	err = user_write_check(self, args[1], max * sizeof(paddr_t));
	if (err == E_OK) {
		*ret_space = space;
		*ret_max = (uint32_t)max;
	}
	return err;
}

err_t do_space_destroy(struct instance *self, const uint64_t *args)
{
	paddr_t frames[FRAMES_MAX];
	struct space *space;
	uint32_t max, n = 0, n_given = 0;
	err_t err = check_space_destroy(self, args, &space, &max);

	if (err == E_OK) {
		n_given = space_frames_given(space);
		n_given = n_given < max ? n_given : max;
		err = mmu_space_fini(&space->mmu, frames + n_given, max - n_given, &n);
	}
	if (err != E_OK && err != E_AGAIN) {
		return err;
	}
	space->is_closing = true;
	space_frames_take(space, frames, n_given);
	n += n_given;
	call_output(self, args[1], frames, n * sizeof(frames[0]));
	arch_context_result2_set(&self->context, n);
	if (err == E_OK) {
		space_close(space);
	}
	return err;
}
