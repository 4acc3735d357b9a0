/* The thread pointer of the caller. */
#include "osd/kernel/call/call.h"

err_t do_thread_pointer_set(struct instance *self, const uint64_t *args)
{
	if (args[0] >= ARCH_USER_END) {
		return E_INVAL;
	}
	arch_context_tls_set(&self->context, args[0]);
	return E_OK;
}
