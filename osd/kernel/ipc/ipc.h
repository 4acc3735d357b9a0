#pragma once
/*
 * Messages between slots. Each function is a whole call of `self`: it returns the result, or
 * KCALL_PENDING with self waiting. Messages are in the contexts' registers.
 */
#include "osd/kernel/object/slot.h"

err_t ipc_send(struct instance *self, endpoint_t to);
err_t ipc_receive(struct instance *self, endpoint_t from);
err_t ipc_sendrec(struct instance *self, endpoint_t to);
err_t ipc_notify(struct instance *self, endpoint_t to);
err_t ipc_asend(struct instance *self, endpoint_t to);
err_t ipc_reply(struct instance *self, endpoint_t to);
err_t ipc_reply_receive(struct instance *self, endpoint_t to);

/* Notify a slot from EP_KERNEL, EP_CLOCK (bit NOTIFIED_*) or, with bits, EP_HARDWARE. */
void ipc_notify_kernel(struct slot *to, uint32_t notified, uint64_t irq_bits);
/*
 * Deliver to an instance in SLOT_RECEIVING what waits on its slot, unless it
 * is stopped or its slot held.
 */
void ipc_deliver_waiting(struct slot *slot);
/*
 * End the IPC that the instance is in (if any), with this result for it; it becomes runnable. A foreign
 * thread gets no result, and waits for its supervisor (SLOT_FAULTED, without an event).
 */
void ipc_cancel(struct instance *instance, err_t result);
/* Forget the notification that the slot may have from this one, by its number. */
void ipc_notification_forget(struct slot *slot, uint32_t source);
/* Forget a notification from EP_CLOCK that waits. */
void ipc_alarm_forget(struct slot *slot);
/* Wait until the slot is no longer held, then restart the call. Returns KCALL_PENDING. */
err_t ipc_park(struct instance *self, struct slot *on);
/* At most so many of those that wait like this go on. False: there are more. */
bool ipc_unpark(struct slot *on, uint32_t max);
