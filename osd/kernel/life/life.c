/*
 * How slots begin and end, change what runs behind them, are held, and stop. Each of these acts
 * touches everything that a slot or an instance can be linked into (run queues, senders, faults,
 * events, alarms, interrupt hooks), which is why they stand together above all of that. None of
 * them can fail: what may be refused was refused by the call before.
 */
#include "osd/kernel/life/life.h"
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/fault/event.h"
#include "osd/kernel/fault/fault.h"
#include "osd/kernel/foreign/foreign.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/sched/state.h"

#define QUANTUM_DEFAULT_NSEC (10 * 1000 * 1000ull)

static void life_instance_open(
        struct instance *instance, const struct slot_params *params, struct space *space)
{
	KASSERT(space->instance == NULL);
	arch_context_start(&instance->context, 0, 0, 0);
	arch_context_gate_set(&instance->context, space->gate);
	arch_context_fpu_set(&instance->context, space->fpu);
	instance_state_set(instance, SLOT_NEW);
	instance->is_stopped = 0;
	instance->is_uncommitted = (params->flags & SLOT_UNCOMMITTED) != 0;
	instance->is_foreign = 0;
	instance->peer = EP_NONE;
	instance->space = space;
	space->instance = instance;
	instance->cpu = cpu_number(cpu_this());
	instance->priority = params->priority;
	instance->above_mask = (1u << params->priority) - 1;
	instance->quantum_nsec =
	        params->quantum_usec != 0 ? params->quantum_usec * 1000ull : QUANTUM_DEFAULT_NSEC;
	instance->quantum_left_nsec = instance->quantum_nsec;
	instance->cpu_cycles = 0;
	instance->grant_table = 0;
	instance->n_grants = 0;
	instance->call_progress = 0;
	instance->copy_fault_asked = 0;
	instance->n_vm_faults = 0;
}

struct slot *slot_open(uint32_t number, const struct slot_params *params, struct space *space,
        endpoint_t supervisor)
{
	struct slot *slot = slot_take(number);

	slot->ipc_index = number < N_SERVICE_SLOTS ? number : N_SERVICE_SLOTS + params->ipc_class;
	slot->supervisor = supervisor;
	__builtin_memcpy(slot->name, params->name, sizeof(slot->name));
	life_instance_open(slot->instance, params, space);
	slot_async_set(slot, space->queue);
	slot_privileges_set(slot, &(struct slot_privileges){0});
	return slot;
}

static void life_instance_close(struct instance *instance)
{
	event_drop(instance);
	fault_drop(instance);
	list_remove(&instance->sender_link);
	instance_state_set(instance, SLOT_STOPPED);
	arch_context_fpu_set(&instance->context, 0);
	if (instance->space != NULL) {
		instance->space->instance = NULL;
		instance->space = NULL;
	}
	instance->calls_allowed = 0;
}

/* Slots that this one supervised go to its own supervisor, who may find events of theirs. */
static void life_orphans_pass_on(const struct slot *slot)
{
	struct slot *heir = slot_of(slot->supervisor);
	bool has_orphans = false;

	for (struct list *at = slots_live.next; at != &slots_live; at = at->next) {
		struct slot *other = slot_linked(at);

		if (other->supervisor == slot->endpoint) {
			other->supervisor = slot->supervisor;
			has_orphans = true;
		}
	}
	if (heir != NULL && has_orphans) {
		ipc_notify_kernel(heir, NOTIFIED_KERNEL, 0);
	}
}

void slot_close(struct slot *slot)
{
	sched_take_off(slot->instance);
	life_orphans_pass_on(slot);
	ipc_cancel(slot->instance, E_DEAD);
	slot_unhold(slot);
	foreign_callers_end(slot, E_DEAD, true);
	ipc_callers_end(slot, E_DEAD, true);
	ipc_notifications_forget(slot);
	alarm_set(slot, 0);
	irq_release(slot);
	life_instance_close(slot->instance);
	slot->supervisor = EP_NONE;
	slot->pending = 0;
	slot->notified_by_kernel = 0;
	__builtin_memset(slot->notified_by, 0, sizeof(slot->notified_by));
	slot->irq_bits = 0;
	slot->n_async = 0;
	slot->async = NULL;
	slot->n_ipc_masked = 0;
	slot->commit_nsec = slot->first_receive_nsec = 0;
	slot->log_rate = (struct log_rate){0};
	slot_give(slot);
}

void slot_instances_exchange(struct slot **a, struct slot **b)
{
	struct slot *was_a = *a;

	KASSERT(!(*a)->instance->is_ready && !(*b)->instance->is_ready);
	KASSERT(!instance_is_in_ipc((*a)->instance) && !instance_is_in_ipc((*b)->instance));
	slot_exchange(*a, *b);
	*a = *b;
	*b = was_a;
	slot_calls_refresh(*a);
	slot_calls_refresh(*b);
}

void slot_fresh(struct slot *slot)
{
	foreign_callers_end(slot, E_RESTART, false);
	ipc_callers_end(slot, E_RESTART, false);
	alarm_set(slot, 0);
	irq_release(slot);
}

void slot_hold(struct slot *slot)
{
	slot->is_held = 1;
}

void slot_unhold(struct slot *slot)
{
	slot->is_held = 0;
	ipc_unpark(slot);
	ipc_deliver_waiting(slot);
}

void instance_stop(struct instance *instance)
{
	sched_take_off(instance);
	if (instance->is_ready) {
		sched_unready(instance);
	}
	instance->is_stopped = 1;
}

void instance_unstop(struct instance *instance)
{
	if (!instance->is_stopped) {
		return;
	}
	instance->is_stopped = 0;
	if (instance->state == SLOT_RUNNABLE) {
		sched_ready(instance);
	}
	ipc_deliver_waiting(instance->slot);
}
