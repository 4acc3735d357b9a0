/* A request and its answer. The plain case is done by the entry code (osd/arch) already. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_sendrec(struct instance *self, const uint64_t *args)
{
	return ipc_sendrec(self, call_endpoint(args[0]));
}
