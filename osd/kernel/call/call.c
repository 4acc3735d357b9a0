/* What kernel calls share; see call.h. */
#include "osd/kernel/call/call.h"

#include "osd/kernel/base/kassert.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/object/domain.h"

void call_output(struct instance *self, vaddr_t va, const void *bytes, size_t n)
{
	err_t err = user_write(self, va, bytes, n);

	KASSERT(err == E_OK);
}

err_t call_slot(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	if (endpoint == EP_SELF || endpoint == self->slot->endpoint) {
		*ret_slot = self->slot;
		return E_OK;
	}
	return slot_supervised(self, endpoint, ret_slot);
}

err_t call_slot_memory(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	if (self->slot->endpoint == EP_VM && endpoint != EP_SELF) {
		*ret_slot = slot_of(endpoint);
		return *ret_slot ? E_OK : E_DEAD;
	}
	return call_slot(self, endpoint, ret_slot);
}

bool call_instance_is_at_rest(const struct instance *instance)
{
	switch ((enum slot_state)instance->state) {
	case SLOT_NEW:
	case SLOT_REPORTED:
	case SLOT_EXITED:
		return true;
	case SLOT_FAULTED:
		return instance->is_stopped || instance->fault_wait == FAULT_WAIT_SUPERVISOR;
	case SLOT_RUNNABLE:
	case SLOT_SENDING:
	case SLOT_RECEIVING:
	case SLOT_WAITING_REPLY:
	case SLOT_PARKED:
	case SLOT_STOPPED:
		return instance->is_stopped;
	case SLOT_STATE_N:
		break;
	}
	panic("instance of slot %d in state %d", EP_SLOT(instance->slot->endpoint),
	        instance->state);
}

err_t call_slot_at_rest(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	err_t err = slot_supervised(self, endpoint, ret_slot);

	return err == E_OK && !call_instance_is_at_rest((*ret_slot)->instance) ? E_STATE : err;
}

err_t call_slot_writable(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	const struct instance *instance;
	err_t err = call_slot_at_rest(self, endpoint, ret_slot);

	if (err != E_OK) {
		return err;
	}
	instance = (*ret_slot)->instance;
	if (instance->state == SLOT_FAULTED) {
		return instance->fault_wait == FAULT_WAIT_SUPERVISOR ? E_OK : E_STATE;
	}
	return instance->state == SLOT_RUNNABLE || instance->state == SLOT_REPORTED ? E_OK
	                                                                            : E_STATE;
}

err_t call_yield(struct instance *self)
{
	arch_context_restart(&self->context);
	return KCALL_PENDING;
}

err_t call_unpark(struct instance *self, err_t err, struct slot *slot)
{
	bool is_left = err == E_OK && !slot_unpark(slot);

	self->call_progress = is_left;
	return is_left ? call_yield(self) : err;
}

err_t call_port_check(const struct instance *self, uint64_t port, uint64_t width)
{
	if ((width != 1 && width != 2 && width != 4) || port + width > 0x10000 || port > 0xffff) {
		return E_INVAL;
	}
	return privileges_have_ports(instance_privileges(self), port, port + width - 1) ? E_OK
	                                                                                : E_PERM;
}
