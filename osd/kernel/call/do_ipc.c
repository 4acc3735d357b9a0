/* The IPC calls: one line each over ipc.c, which also has their fast path. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc.h"

err_t do_send(struct instance *self, const uint64_t *args)
{
	return ipc_send(self, call_endpoint(args[0]));
}

err_t do_receive(struct instance *self, const uint64_t *args)
{
	return ipc_receive(self, call_endpoint(args[0]));
}

err_t do_sendrec(struct instance *self, const uint64_t *args)
{
	return ipc_sendrec(self, call_endpoint(args[0]));
}

err_t do_notify(struct instance *self, const uint64_t *args)
{
	return ipc_notify(self, call_endpoint(args[0]));
}

err_t do_asend(struct instance *self, const uint64_t *args)
{
	return ipc_asend(self, call_endpoint(args[0]));
}

err_t do_reply(struct instance *self, const uint64_t *args)
{
	return ipc_reply(self, call_endpoint(args[0]));
}

err_t do_reply_receive(struct instance *self, const uint64_t *args)
{
	return ipc_reply_receive(self, call_endpoint(args[0]));
}
