/* A message into the receiver's bounded queue, for senders that must not wait. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_asend(struct instance *self, const uint64_t *args)
{
	return ipc_asend(self, call_endpoint(args[0]));
}
