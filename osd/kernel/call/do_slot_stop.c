/*
 * Stand still, in whatever state. What the instance waits for still
 * happens to it; it does not run.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"

err_t do_slot_stop(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK) {
		instance_stop(slot->instance);
	}
	return err;
}
