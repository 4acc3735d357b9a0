/* A message whose receiver may still be busy: the caller waits until it is taken. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_send(struct instance *self, const uint64_t *args)
{
	return ipc_send(self, call_endpoint(args[0]));
}
