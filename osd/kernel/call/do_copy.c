/*
 * Copy between the spaces of a supervisor and its slots: loading, start
 * blocks, looking at what crashed.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

static err_t check_copy(struct instance *self, const uint64_t *args, struct user_copy *ret_copy)
{
	struct slot *source, *target;
	err_t err = call_slot_memory(self, call_endpoint(args[0]), &source);

	if (err == E_OK) {
		err = call_slot_memory(self, call_endpoint(args[2]), &target);
	}
	if (err != E_OK) {
		return err;
	}
	if (args[5] & ~(uint64_t)COPY_FORCE || !call_range_is_user(args[1], args[4]) ||
	        !call_range_is_user(args[3], args[4])) {
		return E_INVAL;
	}
	*ret_copy = (struct user_copy){.from = source->instance->space,
	        .to = target->instance->space,
	        .from_va = args[1],
	        .to_va = args[3],
	        .n = args[4],
	        .access = MMU_ACCESS_WRITE | (args[5] & COPY_FORCE ? MMU_ACCESS_FORCE : 0)};
	return E_OK;
}

err_t do_copy(struct instance *self, const uint64_t *args)
{
	struct user_copy copy;
	err_t err = check_copy(self, args, &copy);

	if (err != E_OK) {
		self->call_progress = 0;
		return err;
	}
	return user_copy(self, &copy);
}
