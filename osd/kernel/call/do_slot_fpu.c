/* The floating-point and vector registers of an instance that does not run, for its supervisor. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

err_t do_slot_fpu(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	const void *state;
	err_t err = call_slot_at_rest(self, call_endpoint(args[0]), &slot);

	if (err != E_OK) {
		return err;
	}
	if (args[2] < arch_fpu_bytes()) {
		return E_INVAL;
	}
	state = arch_context_fpu_get(&slot->instance->context);
	if (!state) {
		return E_STATE;
	}
	err = user_write(self, args[1], state, arch_fpu_bytes());
	return err == E_OK ? (err_t)arch_fpu_bytes() : err;
}
