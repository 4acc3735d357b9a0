/*
 * Slots and instances: creation, end, exchange, and the one setter of an instance's state.
 *
 * Moves of an instance (who makes them):
 *
 *   NEW -> RUNNABLE                    slot_start
 *   RUNNABLE -> SENDING, RECEIVING, WAITING_REPLY, PARKED        ipc.c
 *   SENDING -> WAITING_REPLY           ipc.c: the message of a sendrec was taken
 *   those four -> RUNNABLE             ipc.c: completed, cancelled or restarted
 *   RUNNABLE -> FAULTED                fault.c, event.c
 *   FAULTED -> RUNNABLE                fault.c: VM resolved the fault
 *   FAULTED -> FAULTED                 event.c: VM refused it, now it waits for the supervisor
 *   RUNNABLE -> REPORTED, EXITED       event.c
 *   REPORTED -> RUNNABLE               slot_resume
 *   any -> STOPPED                     slot_close: nobody runs behind a closed slot
 *   STOPPED -> NEW                     slot_open
 *
 * An instance is linked in a run queue exactly when it is RUNNABLE, not stopped, and not the one
 * running. `is_stopped` is beside the state: a stopped instance keeps waiting for what it waits
 * for, but nothing is delivered to it except the answers to what it asked.
 */
#include "osd/kernel/slot.h"
#include "osd/kernel/cpu.h"
#include "osd/kernel/clock.h"
#include "osd/kernel/event.h"
#include "osd/kernel/fault.h"
#include "osd/kernel/ipc.h"
#include "osd/kernel/irq.h"
#include "osd/kernel/kcall.h"
#include "osd/kernel/kernel.h"
#include "osd/kernel/sched.h"
#include "osd/kernel/space.h"

#define INCARNATION_MAX ((1u << 23) - 1)

struct slot slots[N_SLOTS];
static struct instance instances[N_SLOTS];

#define BIT(state) (1u << (state))
#define IPC_STATES                                                                                 \
	(BIT(SLOT_SENDING) | BIT(SLOT_RECEIVING) | BIT(SLOT_WAITING_REPLY) | BIT(SLOT_PARKED))

static const uint32_t state_moves[SLOT_STATE_N] = {
        [SLOT_NEW] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_RUNNABLE] = IPC_STATES | BIT(SLOT_FAULTED) | BIT(SLOT_REPORTED) | BIT(SLOT_EXITED) |
                          BIT(SLOT_STOPPED),
        [SLOT_SENDING] = BIT(SLOT_RUNNABLE) | BIT(SLOT_WAITING_REPLY) | BIT(SLOT_STOPPED),
        [SLOT_RECEIVING] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_WAITING_REPLY] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_FAULTED] = BIT(SLOT_RUNNABLE) | BIT(SLOT_FAULTED) | BIT(SLOT_STOPPED),
        [SLOT_REPORTED] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_STOPPED] = BIT(SLOT_NEW),
        [SLOT_EXITED] = BIT(SLOT_STOPPED),
        [SLOT_PARKED] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
};

/* No endpoint: its slot number is another's, so that slot_of never finds it. */
static endpoint_t endpoint_of_closed(uint32_t number)
{
	return EP_MAKE(number ^ 1, 0);
}

void slots_init(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		struct slot *slot = &slots[i];
		struct instance *instance = &instances[i];

		slot->endpoint = endpoint_of_closed(i);
		slot->instance = instance;
		slot->supervisor = EP_NONE;
		list_init(&slot->senders);
		list_init(&slot->alarm_link);
		instance->slot = slot;
		instance->state = SLOT_STOPPED;
		instance->peer = EP_NONE;
		list_init(&instance->ready_link);
		list_init(&instance->sender_link);
		list_init(&instance->fault_link);
		list_init(&instance->event_link);
	}
}

struct slot *slot_of(endpoint_t endpoint)
{
	struct slot *slot = &slots[EP_SLOT(endpoint)];

	return slot->endpoint == endpoint ? slot : NULL;
}

err_t slot_supervised(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	struct slot *slot = slot_of(endpoint);

	if (slot == NULL) {
		return E_DEAD;
	}
	if (slot->supervisor != self->slot->endpoint) {
		return E_PERM;
	}
	*ret_slot = slot;
	return E_OK;
}

struct slot *slot_free_find(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		if (!slots[i].is_live) {
			return &slots[i];
		}
	}
	return NULL;
}

uint32_t slots_free_count(void)
{
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < N_SLOTS; i++) {
		n_free += !slots[i].is_live;
	}
	return n_free;
}

static void instance_open(
        struct instance *instance, const struct slot_params *params, struct space *space)
{
	KASSERT(space->instance == NULL);
	arch_context_start(&instance->context, 0, 0, 0);
	arch_context_gate_set(&instance->context, space->gate);
	instance_state_set(instance, SLOT_NEW);
	instance->is_stopped = 0;
	instance->is_uncommitted = (params->flags & SLOT_UNCOMMITTED) != 0;
	instance->peer = EP_NONE;
	instance->space = space;
	space->instance = instance;
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

void slot_open(struct slot *slot, const struct slot_params *params, struct space *space,
        endpoint_t supervisor)
{
	uint32_t number = (uint32_t)(slot - slots);

	KASSERT(!slot->is_live);
	slot->incarnation = slot->incarnation < INCARNATION_MAX ? slot->incarnation + 1 : 1;
	slot->endpoint = EP_MAKE(number, slot->incarnation);
	slot->is_live = 1;
	slot->supervisor = supervisor;
	__builtin_memcpy(slot->name, params->name, sizeof(slot->name));
	instance_open(slot->instance, params, space);
	slot_privileges_set(slot, &(struct slot_privileges){0});
}

static void instance_close(struct instance *instance)
{
	event_drop(instance);
	fault_drop(instance);
	list_remove(&instance->sender_link);
	instance_state_set(instance, SLOT_STOPPED);
	arch_context_fpu_drop(&instance->context);
	if (instance->space != NULL) {
		instance->space->instance = NULL;
		instance->space = NULL;
	}
	instance->calls_allowed = 0;
}

/* Slots that this one supervised go to its own supervisor, who may find events of theirs. */
static void slot_orphans_pass_on(const struct slot *slot)
{
	struct slot *heir = slot_of(slot->supervisor);
	bool has_orphans = false;

	for (uint32_t i = 0; i < N_SLOTS; i++) {
		if (slots[i].is_live && slots[i].supervisor == slot->endpoint) {
			slots[i].supervisor = slot->supervisor;
			has_orphans = true;
		}
	}
	if (heir != NULL && has_orphans) {
		ipc_notify_kernel(heir, NOTIFIED_KERNEL, 0);
	}
}

void slot_close(struct slot *slot)
{
	slot_orphans_pass_on(slot);
	ipc_cancel(slot->instance, E_DEAD);
	slot_unhold(slot);
	ipc_callers_end(slot, E_DEAD, true);
	ipc_notifications_forget(slot);
	alarm_set(slot, 0);
	irq_release(slot);
	instance_close(slot->instance);
	slot->is_live = 0;
	slot->endpoint = endpoint_of_closed((uint32_t)(slot - slots));
	slot->supervisor = EP_NONE;
	slot->pending = 0;
	slot->notified_by_kernel = 0;
	__builtin_memset(slot->notified_by, 0, sizeof(slot->notified_by));
	slot->irq_bits = 0;
	slot->n_async = 0;
	slot->n_ipc_masked = 0;
	slot->commit_nsec = slot->first_receive_nsec = 0;
	slot->log_rate = (struct log_rate){0};
}

void slot_privileges_set(struct slot *slot, const struct slot_privileges *privileges)
{
	slot->privileges = *privileges;
	__builtin_memcpy(slot->ipc_to, privileges->ipc_to, sizeof(slot->ipc_to));
	slot_calls_refresh(slot);
}

void slot_calls_refresh(struct slot *slot)
{
	struct instance *instance = slot->instance;

	instance->calls_allowed = kcall_mask_uncommitted;
	if (!instance->is_uncommitted) {
		instance->calls_allowed |=
		        kcall_mask_all | (slot->privileges.calls[0] & kcall_mask_given);
	}
}

void slot_instances_exchange(struct slot *a, struct slot *b)
{
	struct instance *was_a = a->instance;

	KASSERT(!a->instance->is_ready && !b->instance->is_ready);
	KASSERT(!(IPC_STATES & (BIT(a->instance->state) | BIT(b->instance->state))));
	a->instance = b->instance;
	b->instance = was_a;
	a->instance->slot = a;
	b->instance->slot = b;
	slot_calls_refresh(a);
	slot_calls_refresh(b);
}

void slot_fresh(struct slot *slot)
{
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

void instance_state_set(struct instance *instance, enum slot_state state)
{
	KASSERT(state_moves[instance->state] & BIT(state));
	if (instance->is_ready) {
		sched_unready(instance);
	}
	instance->state = (uint8_t)state;
	if (state != SLOT_RUNNABLE) {
		cpu_this()->is_resched = true;
	} else if (!instance->is_stopped) {
		sched_ready(instance);
	}
}

void instance_stop(struct instance *instance)
{
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
