/* First run of a new instance. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/sched/state.h"

err_t do_slot_start(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err != E_OK) {
		return err;
	}
	if (args[1] >= ARCH_USER_END || args[2] > ARCH_USER_END) {
		return E_INVAL;
	}
	if (slot->instance->state != SLOT_NEW) {
		return E_STATE;
	}
	arch_context_start(&slot->instance->context, args[1], args[2], args[3]);
	instance_state_set(slot->instance, SLOT_RUNNABLE);
	return E_OK;
}
