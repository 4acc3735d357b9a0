/*
 * What the kernel has of a space, or which spaces it has, a piece at a time: whoever keeps the books of
 * memory compares them with this list, which wins.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/object/domain.h"

#define AT_END UINT64_MAX
/* Numbers of spaces looked at for one piece. */
#define SPACES_LOOKS_MAX 1024u

/* Spaces from number *at on. */
static uint32_t frame_list_spaces(uint64_t *at, struct frame_entry *list, uint32_t max)
{
	uint64_t end = *at < N_SPACES ? *at + SPACES_LOOKS_MAX : 0;
	uint32_t n = 0;

	for (; *at < N_SPACES && *at < end && n < max; ++*at) {
		const struct space *space = space_of_any(*at);

		if (space != NULL) {
			list[n++] = (struct frame_entry){.space = (space_t)*at,
			        .owner = space->owner,
			        .pa = space->mmu.arch.root,
			        .n = space->mmu.n_tables,
			        .kind = FRAME_LIST_SPACE};
		}
	}
	*at = *at < N_SPACES ? *at : AT_END;
	return n;
}

static uint32_t frame_list_space(
        const struct space *space, uint64_t *at, struct frame_entry *list, uint32_t max)
{
	uint32_t n = 0;

	if (*at == 0 && space->fpu != 0) {
		list[n++] = (struct frame_entry){.pa = space->fpu, .n = 1, .kind = FRAME_LIST_FPU};
	}
	if (*at == 0 && space->domain != &domain_none) {
		list[n++] = (struct frame_entry){.pa = space->domain->frame,
		        .n = space->domain->n_spaces,
		        .kind = FRAME_LIST_DOMAIN};
	}
	if (*at == 0) {
		list[n++] = (struct frame_entry){
		        .pa = space->object, .n = space->n_frames, .kind = FRAME_LIST_OBJECT};
	}
	n += mmu_list(&space->mmu, at, list + n, max - n);

	*at = *at < ARCH_USER_END ? *at : AT_END;
	return n;
}

err_t do_frame_list(struct instance *self, const uint64_t *args)
{
	struct space *space = space_of(args[0]);
	bool is_spaces = (uint32_t)args[0] == FRAME_LIST_SPACES;
	uint64_t at = args[1], max = args[3];
	struct frame_entry list[FRAME_LIST_MAX];
	uint32_t n;
	err_t err;

	if ((!space && !is_spaces) || at % (is_spaces ? 1 : PAGE_SIZE) != 0 ||
	        max < FRAME_LIST_MIN) {
		return E_INVAL;
	}
	max = max < FRAME_LIST_MAX ? max : FRAME_LIST_MAX;
	err = user_write_check(self, args[2], max * sizeof(list[0]));
	if (err != E_OK) {
		return err;
	}
	n = is_spaces ? frame_list_spaces(&at, list, (uint32_t)max)
	              : frame_list_space(space, &at, list, (uint32_t)max);
	call_output(self, args[2], list, n * sizeof(list[0]));
	arch_context_result2_set(&self->context, at);
	return n;
}
