/* CPUs, for tests that have something to say of them: how many, and one alone. */
#include "osd/suites/kcall/kcall.h"

#define N_CPUS_MAX 8u
#define PRIORITY_URGENT 0u /* more than the driver's */

static struct child occupiers[N_CPUS_MAX];
static uint32_t n_occupiers;

uint32_t cpus_count(void)
{
	struct kernel_stats stats = {.n_cpus = 0};

	IS(E_OK, sys_kernel_stats(&stats));
	return stats.n_cpus;
}

static void occupy(uint64_t argument)
{
	(void)argument;
	for (;;) {
		__asm__ volatile("pause");
	}
}

void cpus_occupy(void)
{
	n_occupiers = cpus_count() - 1;
	for (uint32_t i = 0; i < n_occupiers; i++) {
		struct child *child = &occupiers[i];
		err_t r;

		child_space_new(child);
		r = child_slot_new_at(child, "occupier", 0, PRIORITY_URGENT);
		if (r < 0) {
			bare_die("slot_create for an occupier", r);
		}
		child_fill(child);
		child_start(child, occupy, 0);
	}
}

void cpus_release(void)
{
	for (uint32_t i = 0; i < n_occupiers; i++) {
		child_free(&occupiers[i]);
	}
	n_occupiers = 0;
}
