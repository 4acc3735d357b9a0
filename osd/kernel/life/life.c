/*
 * How slots begin, change what runs behind them, are held, and stop; how they end is in end.c. Each of
 * these acts touches everything that a slot or an instance can be linked into (run queues, senders,
 * faults, events, alarms, interrupt hooks), which is why they stand together above all of that. None
 * of them can fail: what may be refused was refused by the call before.
 */
#include "osd/kernel/life/life.h"
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/sched/state.h"

#define QUANTUM_DEFAULT_NSEC (10 * 1000 * 1000ull)
/* Calls that are made again, a piece; few in the host's tests. */
#ifndef UNPARK_MAX
#define UNPARK_MAX 64u
#endif

static void life_instance_open(
        struct instance *instance, const struct slot_params *params, struct space *space)
{
	arch_context_start(&instance->context, 0, 0, 0);
	arch_context_gate_set(&instance->context, space->gate);
	instance_state_set(instance, SLOT_NEW);
	instance->is_stopped = 0;
	instance->is_uncommitted = (params->flags & SLOT_UNCOMMITTED) != 0;
	instance->is_foreign = 0;
	instance->peer = EP_NONE;
	instance->space = space;
	domain_rights_give(instance);
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
	struct thread *thread = space_thread_take(space);
	struct slot *slot = slot_take(number, thread);

	slot->ipc_index = number < N_SERVICE_SLOTS ? number : N_SERVICE_SLOTS + params->ipc_class;
	slot->supervisor = supervisor;
	if (slot_supervisor(slot) != NULL) {
		slot_supervisor(slot)->is_known = 1;
	}
	slot_count(slot, 1);
	__builtin_memcpy(slot->name, params->name, sizeof(slot->name));
	life_instance_open(slot->instance, params, space);
	arch_context_fpu_set(&slot->instance->context, space_thread_fpu(space, thread));
	slot->async = space_thread_queue(space, thread);
	return slot;
}

void slot_instances_exchange(struct slot **a, struct slot **b)
{
	struct slot *was_a = *a;

	KASSERT(!(*a)->instance->is_ready && !(*b)->instance->is_ready);
	KASSERT(!instance_is_in_ipc((*a)->instance) && !instance_is_in_ipc((*b)->instance));
	slot_exchange(*a, *b);
	*a = *b;
	*b = was_a;
}

void slot_fresh(struct slot *slot)
{
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
	ipc_deliver_waiting(slot);
}

bool slot_unpark(struct slot *slot)
{
	return ipc_unpark(slot, UNPARK_MAX);
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
