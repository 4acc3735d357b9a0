#pragma once
/* The beginning and the end of slots, exchange, hold and stop: see life.c. */
#include "osd/kernel/object/slot.h"

/*
 * A slot with this number (slot_number_free): new incarnation, instance in SLOT_NEW in a thread of the
 * space, which has one that is free, with the rights of its domain.
 */
struct slot *slot_open(uint32_t number, const struct slot_params *params, struct space *space,
        endpoint_t supervisor);
/*
 * End a slot and the instance behind it: its supervisor takes over what it supervised, senders and
 * callers get E_DEAD, parked calls restart, its notification bits, alarm, IRQ hooks and events go.
 * Never fails. The address space stays, without an instance.
 *
 * A piece of that: false, and *progress is for the next one (0 for the first). From the first one on the
 * slot is dead, except for its supervisor (slot_supervised_any).
 */
bool slot_close(struct slot *slot, uint64_t *progress);
/*
 * Exchange the instances of two live slots, both with a queue for asynchronous messages or both
 * without. Neither may be in a run queue, inside an IPC (ipc_cancel first) or parked. Events and
 * faults stay with the instances. *a and *b are where the same two slots are then.
 */
void slot_instances_exchange(struct slot **a, struct slot **b);
/*
 * Callers waiting for a reply of the slot, whose instance is at rest, get E_RESTART; false and *progress
 * as in slot_close.
 */
bool slot_callers_restart(struct slot *slot, uint64_t *progress);
/*
 * The instance behind the slot is a new beginning of the service (slot_callers_restart): alarm and IRQ
 * hooks go, other notification bits stay.
 */
void slot_fresh(struct slot *slot);
/* Hold: nothing is delivered to the instance any more. */
void slot_hold(struct slot *slot);
/* Open a held slot: deliver what waits (ipc_deliver_waiting). Parked calls wait for slot_unpark. */
void slot_unhold(struct slot *slot);
/* Some of the calls that are parked on the slot are made again. False: there are more. */
bool slot_unpark(struct slot *slot);
/* Stop or let go; what waits for a stopped instance is delivered when it is let go. Idempotent. */
void instance_stop(struct instance *instance);
void instance_unstop(struct instance *instance);
