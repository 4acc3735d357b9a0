/* The kernel's counters, and what is left of its tables. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/base/stats.h"
#include "osd/kernel/fault/usercopy.h"

err_t do_kernel_stats(struct instance *self, const uint64_t *args)
{
	struct kernel_stats stats = kernel_stats;

	stats.n_slots_free = slots_free_count();
	stats.n_spaces_free = spaces_free_count();
	stats.n_irq_hooks_free = irq_hooks_free_count();
	stats.n_cpus = 1;
	stats.kernel_bytes = arch_kernel_bytes();
	return user_write(self, args[0], &stats, sizeof(stats));
}
