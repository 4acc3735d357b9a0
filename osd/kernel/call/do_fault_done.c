/* The answer of VM to a page fault that it took. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/fault.h"

err_t do_fault_done(struct instance *self, const uint64_t *args)
{
	struct slot *slot = slot_of(call_endpoint(args[0]));

	return slot ? fault_answer(slot, (space_t)args[1], args[2] != 0) : E_DEAD;
}
