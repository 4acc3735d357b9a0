/* The floating-point and vector registers of an instance that does not run become others. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

/* Read whole before it is checked. Under the kernel's lock, as all else. */
static uint8_t state[SLOT_FPU_BYTES_MAX] __attribute__((aligned(64)));

err_t do_slot_fpu_set(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = call_slot_writable(self, call_endpoint(args[0]), &slot);

	if (err == E_OK && !arch_context_fpu_get(&slot->instance->context)) {
		err = E_STATE;
	}
	if (err == E_OK && args[2] != arch_fpu_bytes()) {
		err = E_INVAL;
	}
	if (err == E_OK) {
		err = user_read(self, args[1], state, arch_fpu_bytes());
	}
	if (err != E_OK) {
		return err;
	}
	return arch_context_fpu_load(&slot->instance->context, state) ? E_OK : E_INVAL;
}
