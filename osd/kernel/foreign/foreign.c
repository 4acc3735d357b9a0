/*
 * The calls of foreign threads. To a server they are sendrec; the differences lie in what a thread may
 * notice, which is a result in rax and nothing else: no message, no error of this kernel's. So
 * whatever keeps a call from being answered stops the thread and goes to its supervisor, who knows
 * what the program expects, and gives it registers.
 *
 *   RUNNABLE ──foreign_call──▶ SENDING ──taken──▶ WAITING_REPLY ──answered──▶ RUNNABLE
 *      │                          │                     │
 *      └─ nobody to ask ─▶ FAULTED ◀─ server gone, or ended by the supervisor
 *
 * ../ipc/ipc.c does what is on the first line.
 */
#include "osd/kernel/foreign/foreign.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/sched/state.h"

static void foreign_unanswered(struct instance *instance, err_t reason)
{
	fault_exception(instance, FAULT_FOREIGN_UNANSWERED, arch_context_number(&instance->context),
	        (uint64_t)reason);
}

void foreign_call(struct instance *self)
{
	endpoint_t server =
	        personality_route(self->personality, arch_context_number(&self->context));
	err_t err = server == EP_NONE ? E_NOTFOUND : ipc_sendrec(self, server);

	if (err != KCALL_PENDING) {
		foreign_unanswered(self, err);
	}
}

void foreign_call_unanswered(struct instance *instance, err_t reason)
{
	ipc_cancel(instance, reason);
	foreign_unanswered(instance, reason);
}

err_t foreign_call_end(struct instance *instance)
{
	if (!instance->is_foreign || !instance_is_in_ipc(instance)) {
		return E_STATE;
	}
	ipc_cancel(instance, E_OK);
	return E_OK;
}
