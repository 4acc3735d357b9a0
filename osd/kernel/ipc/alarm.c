/*
 * Alarms: one a slot, in a list a CPU, sorted by time, whose first one the timer is armed for. An
 * alarm arrives as a notification from EP_CLOCK.
 */
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/timer.h"

void alarms_init(void)
{
	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		list_init(&cpu_at(i)->alarms);
	}
}

nsec_t alarm_next(void)
{
	const struct list *alarms = &cpu_this()->alarms;

	return list_is_empty(alarms) ? TIMER_NEVER
	                             : list_entry(alarms->next, struct slot, alarm_link)->alarm_at;
}

void alarm_set(struct slot *slot, nsec_t at)
{
	struct list *alarms = &cpu_this()->alarms, *after;

	list_remove(&slot->alarm_link);
	ipc_alarm_forget(slot);
	slot->alarm_at = at;
	if (at == 0) {
		return;
	}
	after = alarms->prev;
	while (after != alarms && list_entry(after, struct slot, alarm_link)->alarm_at > at) {
		after = after->prev;
	}
	list_push(after->next, &slot->alarm_link);
	timer_arm(alarm_next());
}

void alarms_fire(nsec_t now)
{
	const struct list *alarms = &cpu_this()->alarms;

	while (alarm_next() <= now) {
		struct slot *slot = list_entry(alarms->next, struct slot, alarm_link);
		list_remove(&slot->alarm_link);
		slot->alarm_at = 0;
		ipc_notify_kernel(slot, NOTIFIED_CLOCK, 0);
	}
}
