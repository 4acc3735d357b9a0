/*
 * The timer of this CPU, tickless: one deadline. It is armed for the next alarm, and by the
 * scheduler for the end of the running quantum while somebody else waits for the CPU; one that is
 * armed too early is left to fire.
 */
#include "osd/kernel/sched/timer.h"
#include "osd/kernel/sched/cpu.h"

void timer_arm(nsec_t at)
{
	struct cpu *cpu = cpu_this();

	if (at < cpu->timer_at) {
		cpu->timer_at = at;
		arch_timer_set(at);
	}
}

void timer_fired(void)
{
	cpu_this()->timer_at = TIMER_NEVER;
}
