/* A word to the supervisor; the caller stands still until slot_resume. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/event.h"

err_t do_report(struct instance *self, const uint64_t *args)
{
	/* Who has a supervisor that ends has another one before that is over, who gets the event. */
	if (slot_is_root(self->slot)) {
		return E_STATE;
	}
	event_raise(self, SLOT_REPORTED, SLOT_EVENT_REPORT, args);
	return KCALL_PENDING;
}
