#include "osd/servers/rs/update/hook.h"

#include "osd/servers/rs/update/txn.h"

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

err_t hook_request(const struct message *msg, struct rs_reply *ret_reply)
{
	(void)msg;
	(void)ret_reply;
	return E_NOSYS;
}

err_t hook_state(const char *name, uint32_t *ret_state)
{
	(void)name;
	(void)ret_state;
	return E_UNSUPPORTED;
}
