/* The one alarm of a slot. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/alarm.h"

err_t do_alarm_set(struct instance *self, const uint64_t *args)
{
	alarm_set(self->slot, args[0]);
	return E_OK;
}
