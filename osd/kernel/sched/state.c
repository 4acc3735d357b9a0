/*
 * The one setter of an instance's state. It checks the move and keeps the run queues.
 *
 * Moves of an instance (who makes them):
 *
 *   NEW -> RUNNABLE                    slot_start
 *   RUNNABLE -> SENDING, RECEIVING, WAITING_REPLY, PARKED        ipc.c
 *   SENDING -> WAITING_REPLY           ipc.c: the message of a sendrec was taken
 *   those four -> RUNNABLE             ipc.c: completed, cancelled or restarted
 *   RUNNABLE -> FAULTED                fault.c, event.c
 *   SENDING, WAITING_REPLY -> FAULTED  ipc.c: a foreign call was ended
 *   FAULTED -> RUNNABLE                fault.c: VM resolved the fault
 *   FAULTED -> FAULTED                 event.c: VM refused it, or the foreign call was ended for want
 *                                      of who answers; now it waits for the supervisor
 *   RUNNABLE -> REPORTED, EXITED       event.c
 *   REPORTED -> RUNNABLE               slot_resume
 *   FAULTED -> RUNNABLE                slot_resume: the supervisor has written its registers
 *   any -> STOPPED                     slot_close: nobody runs behind a closed slot
 *   STOPPED -> NEW                     slot_open
 *
 * An instance is linked in a run queue exactly when it is RUNNABLE, not stopped, and not the one
 * running. `is_stopped` is beside the state: a stopped instance keeps waiting for what it waits
 * for, but nothing is delivered to it except the answers to what it asked.
 */
#include "osd/kernel/sched/state.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/sched/sched.h"

#define BIT(state) (1u << (state))
#define IPC_STATES                                                                                 \
	(BIT(SLOT_SENDING) | BIT(SLOT_RECEIVING) | BIT(SLOT_WAITING_REPLY) | BIT(SLOT_PARKED))

static const uint32_t state_moves[SLOT_STATE_N] = {
        [SLOT_NEW] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_RUNNABLE] = IPC_STATES | BIT(SLOT_FAULTED) | BIT(SLOT_REPORTED) | BIT(SLOT_EXITED) |
                          BIT(SLOT_STOPPED),
        [SLOT_SENDING] = BIT(SLOT_RUNNABLE) | BIT(SLOT_WAITING_REPLY) | BIT(SLOT_FAULTED) |
                         BIT(SLOT_STOPPED),
        [SLOT_RECEIVING] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_WAITING_REPLY] = BIT(SLOT_RUNNABLE) | BIT(SLOT_FAULTED) | BIT(SLOT_STOPPED),
        [SLOT_FAULTED] = BIT(SLOT_RUNNABLE) | BIT(SLOT_FAULTED) | BIT(SLOT_STOPPED),
        [SLOT_REPORTED] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
        [SLOT_STOPPED] = BIT(SLOT_NEW),
        [SLOT_EXITED] = BIT(SLOT_STOPPED),
        [SLOT_PARKED] = BIT(SLOT_RUNNABLE) | BIT(SLOT_STOPPED),
};

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

bool instance_is_in_ipc(const struct instance *instance)
{
	return IPC_STATES & BIT(instance->state);
}
