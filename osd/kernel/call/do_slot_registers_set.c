/* The registers of an instance that does not run become others: it goes on with these. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

err_t do_slot_registers_set(struct instance *self, const uint64_t *args)
{
	struct slot_registers registers;
	struct slot *slot;
	err_t err = call_slot_writable(self, call_endpoint(args[0]), &slot);

	if (err == E_OK) {
		err = user_read(self, args[1], &registers, sizeof(registers));
	}
	if (err != E_OK) {
		return err;
	}
	if (!arch_context_registers_set(&slot->instance->context, &registers)) {
		return E_INVAL;
	}
	/* A call that was to be made again is not, or begins anew. */
	slot->instance->call_progress = 0;
	slot->instance->copy_fault_asked = 0;
	slot->instance->fault_is_mended = true;
	return E_OK;
}
