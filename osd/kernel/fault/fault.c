/*
 * Page faults. A fault of a committed instance waits in VM's queue (FAULT_WAIT_QUEUED), then for
 * VM's answer (FAULT_WAIT_VM). VM's own faults, those of instances that have not committed, and
 * those on addresses that no user can have go to the supervisor at once.
 *
 * A kernel copy can meet an absent page of any space: then the caller of the copy waits for VM as
 * if it had faulted, and its call restarts. VM is asked once for each page of a call.
 */
#include "osd/kernel/fault/fault.h"
#include "osd/kernel/fault/event.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/state.h"

#define VECTOR_PAGE 14

static struct list faults = {&faults, &faults};

static void fault_raise(
        struct instance *instance, uint32_t reason, uint64_t address, uint64_t vector)
{
	const uint64_t w[5] = {reason, address, arch_context_pc(&instance->context), vector};

	instance->fault_wait = FAULT_WAIT_SUPERVISOR;
	instance->fault_is_mended = false;
	event_raise(instance, SLOT_FAULTED, SLOT_EVENT_FAULT, w);
}

void fault_exception(struct instance *self, uint32_t reason, uint64_t address, uint64_t vector)
{
	fault_raise(self, reason, address, vector);
}

/* Let VM see to the page while self waits. */
static void fault_enqueue(struct instance *self, space_t space, vaddr_t address, uint32_t flags)
{
	self->fault = (struct page_fault){.space = space, .address = address, .flags = flags};
	self->fault_wait = FAULT_WAIT_QUEUED;
	instance_state_set(self, SLOT_FAULTED);
	list_push(&faults, &self->fault_link);
	ipc_notify_kernel(slot_at(EP_SLOT(EP_VM)), NOTIFIED_KERNEL, 0);
}

static bool fault_is_vm(const struct instance *instance)
{
	return instance->slot == slot_at(EP_SLOT(EP_VM));
}

void fault_page(struct instance *self, vaddr_t address, uint32_t flags)
{
	if (self->is_uncommitted) {
		self->n_vm_faults++;
		cpu_this()->n_uncommitted_faults++;
		fault_raise(self, FAULT_PAGE_UNCOMMITTED, address, VECTOR_PAGE);
	} else if (fault_is_vm(self) || address >= ARCH_USER_END) {
		fault_raise(self, FAULT_PAGE, address, VECTOR_PAGE);
	} else {
		self->fault_is_copy = false;
		fault_enqueue(self, self->space->id, address, flags);
	}
}

/* Does nobody run in it who could have faulted there? */
static bool fault_is_nobodys(const struct space *space)
{
	const struct instance *instance = space_instance(space);

	return instance == NULL || instance->is_uncommitted;
}

err_t fault_copy(struct instance *self, struct space *space, vaddr_t address, uint32_t flags)
{
	bool is_asked = self->copy_fault_asked == address;

	self->copy_fault_asked = 0;
	if (is_asked || fault_is_vm(self) || self->is_uncommitted || address >= ARCH_USER_END ||
	        fault_is_nobodys(space)) {
		self->call_progress = 0;
		return E_FAULT;
	}
	self->copy_fault_asked = address;
	self->fault_is_copy = true;
	fault_enqueue(self, space->id, address, flags);
	return KCALL_PENDING;
}

bool fault_take(struct page_fault *ret_fault)
{
	struct instance *instance;

	if (list_is_empty(&faults)) {
		return false;
	}
	instance = list_entry(faults.next, struct instance, fault_link);
	list_remove(&instance->fault_link);
	instance->fault_wait = FAULT_WAIT_VM;
	*ret_fault = instance->fault;
	ret_fault->endpoint = instance->slot->endpoint;
	return true;
}

static void fault_answer_copy(struct instance *instance, bool resolved)
{
	if (resolved) {
		arch_context_restart(&instance->context);
	} else {
		instance->copy_fault_asked = 0;
		instance->call_progress = 0;
		arch_context_result_set(&instance->context, E_FAULT);
	}
	instance_state_set(instance, SLOT_RUNNABLE);
}

/* VM keys its work by space: after a swap the faulting instance is behind another slot. */
err_t fault_answer(struct slot *slot, space_t space, bool resolved)
{
	struct instance *instance = slot->instance;

	if (instance->fault_wait != FAULT_WAIT_VM || instance->fault.space != space) {
		return E_STATE;
	}
	instance->fault_wait = FAULT_WAIT_NONE;
	if (instance->fault_is_copy) {
		fault_answer_copy(instance, resolved);
	} else if (resolved) {
		instance_state_set(instance, SLOT_RUNNABLE);
	} else {
		fault_raise(instance, FAULT_PAGE, instance->fault.address, VECTOR_PAGE);
	}
	return E_OK;
}

void fault_drop(struct instance *instance)
{
	list_remove(&instance->fault_link);
	instance->fault_wait = FAULT_WAIT_NONE;
}
