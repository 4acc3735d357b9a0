/* A bit in another slot, which stands for "look again": it never waits and is never lost. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_notify(struct instance *self, const uint64_t *args)
{
	return ipc_notify(self, call_endpoint(args[0]));
}
