/* The next message from one endpoint or from anybody. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_receive(struct instance *self, const uint64_t *args)
{
	return ipc_receive(self, call_endpoint(args[0]));
}
