/* The answer to a caller that waits in sendrec. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_reply(struct instance *self, const uint64_t *args)
{
	return ipc_reply(self, call_endpoint(args[0]));
}
