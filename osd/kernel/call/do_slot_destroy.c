/* End of a slot. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"

err_t do_slot_destroy(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK) {
		slot_close(slot);
	}
	return err;
}
