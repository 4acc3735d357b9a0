/*
 * Alarms: one a slot, in the heaps of the CPU that set it, for whose first one the timer is armed. An alarm
 * arrives as a notification from EP_CLOCK.
 *
 * Thousands may be due at the same time. Then some are fired, and the others after a pause in which who
 * runs goes on; so interrupts are never off for long, and who is urgent gets on meanwhile. A heap a
 * priority, so that its own alarm, which may become due later, does not wait for all of theirs.
 */
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/timer.h"

/* Fired at once; few in the host's tests. From the beginning of these to the next ones: twice what they take. */
#ifndef FIRE_MAX
#define FIRE_MAX 16u
#endif
#define FIRE_NSEC 50000u

void alarms_init(void)
{
	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		for (uint32_t priority = 0; priority < N_PRIORITIES; priority++) {
			heap_init(&cpu_at(i)->alarms[priority]);
		}
	}
}

void alarm_set(struct slot *slot, nsec_t at)
{
	heap_remove(&slot->alarm);
	ipc_alarm_forget(slot);
	slot->alarm.key = at;
	if (at != 0) {
		heap_add(&cpu_this()->alarms[slot->instance->priority], &slot->alarm, at);
		timer_arm(at);
	}
}

static void alarm_fire(struct slot *slot)
{
	heap_remove(&slot->alarm);
	slot->alarm.key = 0;
	ipc_notify_kernel(slot, NOTIFIED_CLOCK, 0);
}

nsec_t alarms_fire(nsec_t now)
{
	nsec_t next = TIMER_NEVER;
	uint32_t n = 0;

	for (uint32_t priority = 0; priority < N_PRIORITIES; priority++) {
		const struct heap *alarms = &cpu_this()->alarms[priority], *first;
		nsec_t at = TIMER_NEVER;

		while ((first = heap_first(alarms)) != NULL && first->key <= now && n < FIRE_MAX) {
			alarm_fire(heap_entry(first, struct slot, alarm));
			n++;
		}
		if (first != NULL) {
			at = first->key <= now ? now + FIRE_NSEC : first->key;
		}
		next = at < next ? at : next;
	}
	return next;
}
