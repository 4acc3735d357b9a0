/* The kernel's counters, and what is left of its tables. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/fault/usercopy.h"

err_t do_kernel_stats(struct instance *self, const uint64_t *args)
{
	struct kernel_stats stats = {.n_cpus = arch_cpus_count()};

	for (uint32_t i = 0; i < stats.n_cpus; i++) {
		const struct cpu *cpu = cpu_at(i);

		stats.n_uncommitted_faults += cpu->n_uncommitted_faults;
		stats.n_context_switches += cpu->n_context_switches;
		stats.n_ipc_fast += cpu->n_ipc_fast;
		stats.n_ipc_slow += cpu->n_ipc_slow;
	}
	stats.n_slots_free = slots_free_count();
	stats.n_spaces_free = spaces_free_count();
	stats.n_irq_hooks_free = irq_hooks_free_count();
	stats.kernel_bytes = arch_kernel_bytes();
	stats.slot_bytes = sizeof(struct thread);
	return user_write(self, args[0], &stats, sizeof(stats));
}
