/*
 * End of the running instance. Its slot stays until the supervisor destroys
 * it or swaps in a successor.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/event.h"

err_t do_exit(struct instance *self, const uint64_t *args)
{
	const uint64_t w[5] = {args[0]};

	event_raise(self, SLOT_EXITED, SLOT_EVENT_EXIT, w);
	return KCALL_PENDING;
}
