/* The hooks of the RS that ships: none of them does anything. */
#include "osd/servers/rs/update/hook.h"

#include "osd/servers/rs/update/priv.h"

void hook_step(const struct update_txn *txn)
{
}

err_t hook_commit(enum hook_operation operation)
{
	return E_OK;
}

uint64_t hook_heap_bytes(uint64_t bytes)
{
	return bytes;
}

err_t hook_request(const struct message *msg, struct rs_reply *ret_reply)
{
	return E_NOSYS;
}

err_t hook_state(const char *name, uint32_t *ret_state)
{
	return E_UNSUPPORTED;
}
