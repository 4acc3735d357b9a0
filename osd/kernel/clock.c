/*
 * Alarms in one list sorted by time, and the timer of this CPU. The timer is armed for the next
 * alarm, and by the scheduler for the end of the running quantum while somebody else waits for the
 * CPU; one that is armed too early is left to fire.
 */
#include "osd/kernel/clock.h"
#include "osd/kernel/cpu.h"
#include "osd/kernel/ipc.h"
#include "osd/kernel/sched.h"

static struct list alarms;

void clock_init(void)
{
	list_init(&alarms);
}

static nsec_t alarm_next(void)
{
	return list_is_empty(&alarms) ? UINT64_MAX
	                              : list_entry(alarms.next, struct slot, alarm_link)->alarm_at;
}

void clock_arm(nsec_t at)
{
	struct cpu *cpu = cpu_this();

	if (at < cpu->timer_at) {
		cpu->timer_at = at;
		arch_timer_set(at);
	}
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
	clock_arm(alarm_next());
}

void clock_interrupt(void)
{
	struct cpu *cpu = cpu_this();
	nsec_t now = arch_clock();

	cpu->timer_at = UINT64_MAX;
	while (alarm_next() <= now) {
		struct slot *slot = list_entry(alarms.next, struct slot, alarm_link);
		list_remove(&slot->alarm_link);
		slot->alarm_at = 0;
		ipc_notify_kernel(slot, NOTIFIED_CLOCK, 0);
	}
	sched_quantum_check(now);
	clock_arm(alarm_next());
}
