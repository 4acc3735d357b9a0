/* A word to the supervisor; the caller stands still until slot_resume. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/event.h"

err_t do_report(struct instance *self, const uint64_t *args)
{
	if (!slot_of(self->slot->supervisor)) {
		return E_STATE;
	}
	event_raise(self, SLOT_REPORTED, SLOT_EVENT_REPORT, args);
	return KCALL_PENDING;
}
