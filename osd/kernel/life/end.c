/*
 * How a slot ends. Thousands may wait for it, be supervised by it or have a notification of its, and
 * there is one CPU's worth of time between two interrupts: so it ends in pieces. From the first one on
 * it is dead for everybody but its supervisor, who goes on with it: it has no endpoint, is found by no
 * call, and what ran behind it never runs again. So nobody comes to wait for it while those who do have
 * their answer, and it does not matter who is moved, stopped or ends between two pieces. Its number
 * and its memory are taken until the last one.
 *
 *   live ──first piece──▶ ending (SLOT_STOPPED, no endpoint) ──last piece──▶ the number is free
 *
 * Who sends to it, or is parked on it, is in a list. Who waits for its answer is in none, as the short
 * way of a message has no time for that; nor are receivers, notifications and slots that it supervises.
 * They are looked for among all slots, in the order of numbers, unless it never did what leads there
 * (`is_known`). A number is good as a place to go on from: no swap changes what must be found, since
 * who waits is not swapped and all else goes with the number.
 *
 * A supervisor that itself ends in mid-work leaves the slot to its own supervisor, ending as it is.
 */
#include "osd/kernel/fault/event.h"
#include "osd/kernel/fault/fault.h"
#include "osd/kernel/foreign/foreign.h"
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/sched/state.h"

/*
 * Of a piece, a slot that is looked at being 1, which takes some fifty instructions. Pieces are small in the
 * host's tests, where slots are few.
 */
#ifndef WORK_MAX
#define WORK_MAX 512u
#endif
#define WORK_WAIT 16u /* somebody's wait comes to an end */

struct end {
	struct slot *slot;
	endpoint_t endpoint; /* that it has or had */
	err_t reason;
	uint32_t work;    /* done so far */
	bool is_end;      /* or only its instance is another one */
	bool has_orphans; /* found in this piece */
};

static void end_wait(struct end *end, struct instance *instance)
{
	if (instance->is_foreign) {
		foreign_call_unanswered(instance, end->reason);
	} else {
		ipc_cancel(instance, end->reason);
	}
	end->work += WORK_WAIT;
}

/* False: there is more to do with it. */
static bool end_orphan(struct end *end, struct slot *orphan)
{
	struct slot *heir = slot_supervisor(end->slot);

	/* It was opened, and nobody else knows that those who wait for that do so still. */
	if (!orphan->is_held && !slot_unpark(orphan)) {
		end->work = WORK_MAX;
		return false;
	}
	orphan->supervisor = heir->endpoint;
	event_pass_on(orphan->instance, heir);
	end->has_orphans = true;
	return true;
}

static bool end_visit(struct end *end, struct slot *other)
{
	struct instance *instance = other->instance;

	end->work++;
	if (instance->peer == end->endpoint &&
	        (instance->state == SLOT_WAITING_REPLY ||
	                (end->is_end && instance->state == SLOT_RECEIVING))) {
		end_wait(end, instance);
	}
	if (!end->is_end) {
		return true;
	}
	ipc_notification_forget(other, end->slot->number);
	return other->supervisor != end->endpoint || end_orphan(end, other);
}

/* All slots from *progress on. False: there are more. */
static bool end_slots(struct end *end, uint64_t *progress)
{
	uint32_t number = slot_number_next((uint32_t)*progress);

	while (number < N_SLOTS && end->work < WORK_MAX && end_visit(end, slot_at(number))) {
		number = slot_number_next(number + 1);
	}
	*progress = number;
	if (end->has_orphans) {
		ipc_notify_kernel(slot_supervisor(end->slot), NOTIFIED_KERNEL, 0);
	}
	return number == N_SLOTS;
}

/* Who sends to the slot, or waits for it to be opened. False: there are more. */
static bool end_lists(struct end *end)
{
	struct list *senders = &end->slot->senders;

	while (!list_is_empty(senders) && end->work < WORK_MAX) {
		end_wait(end, list_entry(senders->next, struct instance, sender_link));
	}
	return list_is_empty(senders) && slot_unpark(end->slot);
}

static void end_begin(struct slot *slot)
{
	struct instance *instance = slot->instance;

	sched_take_off(instance);
	ipc_cancel(instance, E_DEAD);
	alarm_set(slot, 0);
	irq_release(slot);
	event_drop(instance);
	fault_drop(instance);
	instance_state_set(instance, SLOT_STOPPED);
	instance->rights = &domain_none.committed;
	slot->is_held = 0;
	slot_die(slot);
}

static void end_finish(struct slot *slot)
{
	struct instance *instance = slot->instance;

	KASSERT(list_is_empty(&slot->events));
	arch_context_fpu_set(&instance->context, 0);
	slot_count(slot, -1);
	slot->supervisor = EP_NONE;
	slot_count_clear(slot);
	slot->pending = 0;
	slot->notified_by_kernel = 0;
	__builtin_memset(slot->notified_by, 0, sizeof(slot->notified_by));
	slot->irq_bits = 0;
	slot->n_async = 0;
	slot->async = NULL;
	slot->n_ipc_masked = 0;
	slot->commit_nsec = slot->first_receive_nsec = 0;
	slot->log_rate = (struct log_rate){0};
	slot->is_known = 0;
	slot_give(slot);
	space_thread_put(instance->space, slot_thread(slot));
}

bool slot_close(struct slot *slot, uint64_t *progress)
{
	struct end end = {.slot = slot, .reason = E_DEAD, .is_end = true};

	if (slot->endpoint != EP_NONE) {
		end_begin(slot);
	}
	end.endpoint = slot_endpoint_was(slot);
	if (!end_lists(&end) || (slot->is_known && !end_slots(&end, progress))) {
		return false;
	}
	end_finish(slot);
	return true;
}

bool slot_callers_restart(struct slot *slot, uint64_t *progress)
{
	struct end end = {.slot = slot, .endpoint = slot->endpoint, .reason = E_RESTART};

	return !slot->is_known || end_slots(&end, progress);
}
