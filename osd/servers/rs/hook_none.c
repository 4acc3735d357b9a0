#include "osd/servers/rs/hook.h"

void hook_step(const struct update_txn *txn)
{
	(void)txn;
}

err_t hook_commit(enum hook_operation operation)
{
	(void)operation;
	return E_OK;
}

uint64_t hook_heap_bytes(uint64_t bytes)
{
	return bytes;
}

bool hook_accepts_loss(bool consents)
{
	return consents;
}

err_t hook_request(const struct message *msg, struct rs_reply *ret_reply)
{
	(void)msg;
	(void)ret_reply;
	return E_NOSYS;
}
