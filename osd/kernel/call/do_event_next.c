/* The next event of the slots that the caller supervises. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/fault/event.h"

err_t do_event_next(struct instance *self, const uint64_t *args)
{
	struct slot_event event;
	err_t err = user_write_check(self, args[0], sizeof(event));

	if (err != E_OK) {
		return err;
	}
	if (!event_take(self->slot, &event)) {
		return E_AGAIN;
	}
	call_output(self, args[0], &event, sizeof(event));
	return E_OK;
}
