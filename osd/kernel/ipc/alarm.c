/*
 * Alarms: one a slot, all in one list sorted by time, whose first one the timer is armed for. An
 * alarm arrives as a notification from EP_CLOCK.
 */
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/sched/timer.h"

static struct list alarms;

void alarms_init(void)
{
	list_init(&alarms);
}

nsec_t alarm_next(void)
{
	return list_is_empty(&alarms) ? TIMER_NEVER
	                              : list_entry(alarms.next, struct slot, alarm_link)->alarm_at;
}

void alarm_set(struct slot *slot, nsec_t at)
{
	struct list *after;

	list_remove(&slot->alarm_link);
	ipc_alarm_forget(slot);
	slot->alarm_at = at;
	if (at == 0) {
		return;
	}
	after = alarms.prev;
	while (after != &alarms && list_entry(after, struct slot, alarm_link)->alarm_at > at) {
		after = after->prev;
	}
	list_push(after->next, &slot->alarm_link);
	timer_arm(alarm_next());
}

void alarms_fire(nsec_t now)
{
	while (alarm_next() <= now) {
		struct slot *slot = list_entry(alarms.next, struct slot, alarm_link);
		list_remove(&slot->alarm_link);
		slot->alarm_at = 0;
		ipc_notify_kernel(slot, NOTIFIED_CLOCK, 0);
	}
}
