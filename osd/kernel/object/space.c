/* The table of address spaces. */
#include "osd/kernel/object/space.h"
#include "osd/arch/frame.h"
#include "osd/kernel/object/slot.h"

static struct space spaces[N_SPACES];

void spaces_init(void)
{
	mmu_init();
	for (uint32_t i = 0; i < N_SPACES; i++) {
		spaces[i].id = i;
	}
}

struct space *space_of_any(space_t id)
{
	return id < N_SPACES && spaces[id].is_live ? &spaces[id] : NULL;
}

struct space *space_of(space_t id)
{
	struct space *space = space_of_any(id);

	return space != NULL && !space->is_closing ? space : NULL;
}

const struct arch_space *context_mirrors(const struct arch_context *ctx)
{
	const struct instance *instance = (const struct instance *)(const void *)ctx;
	const struct mmu_space *source = instance->space->mmu.source;

	return source != NULL ? &source->arch : NULL;
}

err_t space_open(paddr_t root, endpoint_t owner, struct space **ret_space)
{
	for (uint32_t i = 0; i < N_SPACES; i++) {
		err_t err;
		if (spaces[i].is_live) {
			continue;
		}
		err = mmu_space_init(&spaces[i].mmu, root);
		if (err != E_OK) {
			return err;
		}
		spaces[i].is_live = true;
		spaces[i].is_closing = false;
		spaces[i].owner = owner;
		spaces[i].instance = NULL;
		spaces[i].gate = 0;
		spaces[i].fpu = spaces[i].queue = 0;
		*ret_space = &spaces[i];
		return E_OK;
	}
	return E_FULL;
}

void space_gate_set(struct space *space, vaddr_t gate)
{
	space->gate = gate;
	if (space->instance != NULL) {
		arch_context_gate_set(&space->instance->context, gate);
	}
}

/* The frame is the space's, which keeps it in *place. */
static err_t space_frame_give(paddr_t *place, paddr_t frame, uint32_t use)
{
	if (frame % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	if (frame_use(frame) != FRAME_USER) {
		return E_PERM;
	}
	if (*place != 0) {
		return E_BUSY;
	}
	frame_use_set(frame, use);
	*place = frame;
	return E_OK;
}

err_t space_fpu_give(struct space *space, paddr_t frame)
{
	err_t err = space_frame_give(&space->fpu, frame, FRAME_FPU);

	if (err == E_OK && space->instance != NULL) {
		arch_context_fpu_set(&space->instance->context, frame);
	}
	return err;
}

err_t space_queue_give(struct space *space, paddr_t frame)
{
	err_t err = space_frame_give(&space->queue, frame, FRAME_QUEUE);

	if (err == E_OK && space->instance != NULL) {
		slot_async_set(space->instance->slot, frame);
	}
	return err;
}

uint32_t space_frames_given(const struct space *space)
{
	return (space->fpu != 0) + (space->queue != 0);
}

void space_frames_take(struct space *space, paddr_t *frames, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		paddr_t *place = space->fpu != 0 ? &space->fpu : &space->queue;

		frame_use_set(*place, FRAME_USER);
		frames[i] = *place;
		*place = 0;
	}
}

void space_close(struct space *space)
{
	space->is_live = false;
}

uint32_t spaces_free_count(void)
{
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < N_SPACES; i++) {
		n_free += !spaces[i].is_live;
	}
	return n_free;
}
