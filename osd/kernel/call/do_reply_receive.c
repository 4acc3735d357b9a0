/*
 * What a server's loop makes: the answer to the last request, then the next. The plain case is
 * done by the entry code (osd/arch) already.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"

err_t do_reply_receive(struct instance *self, const uint64_t *args)
{
	return ipc_reply_receive(self, call_endpoint(args[0]));
}
