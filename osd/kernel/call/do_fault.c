/* Page faults, for VM to take and answer. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/usercopy.h"
#include "osd/kernel/fault.h"

err_t do_fault_next(struct instance *self, const uint64_t *args)
{
	struct page_fault fault;
	err_t r = user_write_check(self, args[0], sizeof(fault));

	if (r != E_OK) {
		return r;
	}
	if (!fault_take(&fault)) {
		return E_AGAIN;
	}
	call_output(self, args[0], &fault, sizeof(fault));
	return E_OK;
}

err_t do_fault_done(struct instance *self, const uint64_t *args)
{
	struct slot *slot = slot_of(call_endpoint(args[0]));

	return slot ? fault_answer(slot, (space_t)args[1], args[2] != 0) : E_DEAD;
}
