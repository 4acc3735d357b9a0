/* What the machine calls when the timer or an interrupt line fires: both become notifications. */
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/sched/timer.h"

void clock_interrupt(void)
{
	nsec_t now = arch_clock(), next;

	timer_fired();
	next = alarms_fire(now);
	sched_quantum_check(now);
	timer_arm(next);
}

void irq_interrupt(uint32_t line)
{
	uint32_t bit;
	struct slot *slot = irq_line_slot(line, &bit);

	if (slot != NULL) {
		ipc_notify_kernel(slot, NOTIFIED_HARDWARE, 1ull << bit);
	}
}
