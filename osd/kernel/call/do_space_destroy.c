/*
 * Give the frames of a space back to VM, those of its tables and those that it was given for who ran
 * in it, at most a page's worth of numbers a call. From the first call that took frames on the space is
 * closing: nothing else can be done with it. The last frame is the one that the space itself lies in.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/object/domain.h"

/* Frames given back by one call. */
#define FRAMES_MAX 256u

static err_t check_space_destroy(
        struct instance *self, const uint64_t *args, struct space **ret_space, uint32_t *ret_max)
{
	uint64_t max = args[2] < FRAMES_MAX ? args[2] : FRAMES_MAX;
	struct space *space = space_of_any(args[0]);
	err_t err;

	if (!space || max == 0) {
		return E_INVAL;
	}
	if (space_instance(space) || space->mmu.n_shared != 0) {
		return E_BUSY;
	}
	err = user_write_check(self, args[1], max * sizeof(paddr_t));
	if (err == E_OK) {
		*ret_space = space;
		*ret_max = (uint32_t)max;
	}
	return err;
}

/* All but the last. E_AGAIN: there are more. */
static err_t space_frames_take(struct space *space, paddr_t *frames, uint32_t max, uint32_t *ret_n)
{
	uint32_t n, n_tables = 0;
	paddr_t domain = domain_leave(space);
	err_t err = E_OK;

	if (domain != 0) {
		frames[(*ret_n)++] = domain;
	}
	if (space->fpu != 0 && *ret_n < max) {
		frames[(*ret_n)++] = space_fpu_take(space);
	}
	*ret_n += space_threads_trim(space, frames + *ret_n, max - *ret_n);
	if (space->fpu != 0 || space_threads_are_spare(space)) {
		return E_AGAIN;
	}
	if (space->mmu.n_tables != 0) {
		n = *ret_n;
		err = mmu_space_fini(&space->mmu, frames + n, max - n, &n_tables);
		*ret_n += n_tables;
	}
	return err;
}

err_t do_space_destroy(struct instance *self, const uint64_t *args)
{
	paddr_t frames[FRAMES_MAX];
	struct space *space;
	uint32_t max, n = 0;
	err_t err = check_space_destroy(self, args, &space, &max);

	if (err != E_OK) {
		return err;
	}
	space->is_closing = true;
	err = space_frames_take(space, frames, max, &n);
	if (err == E_OK && n == max) {
		err = E_AGAIN;
	} else if (err == E_OK) {
		frames[n++] = space_close(space);
	}
	call_output(self, args[1], frames, n * sizeof(frames[0]));
	arch_context_result2_set(&self->context, n);
	return err;
}
