/* The registers of an instance that does not run, for its supervisor. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

err_t do_slot_registers(struct instance *self, const uint64_t *args)
{
	struct slot_registers registers;
	struct slot *slot;
	err_t err = call_slot_at_rest(self, call_endpoint(args[0]), &slot);

	if (err != E_OK) {
		return err;
	}
	arch_context_registers_get(&slot->instance->context, &registers);
	return user_write(self, args[1], &registers, sizeof(registers));
}
