/* End of a slot, in pieces: what is done is seen from the slot, and the number that is next. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"

err_t do_slot_destroy(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised_any(self, call_endpoint(args[0]), &slot);

	if (err == E_OK && !slot_close(slot, &self->call_progress)) {
		return call_yield(self);
	}
	self->call_progress = 0;
	return err;
}
