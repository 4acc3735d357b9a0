#pragma once
/*
 * Preemptive priority scheduling: 8 priorities (0 is highest), round robin with quanta within one.
 * The kernel itself is not preempted; a switch happens on the way out of it.
 */
#include "osd/kernel/object/slot.h"

void sched_init(void);
/*
 * Link a runnable, not stopped instance into its run queue, asking for a
 * switch where it should run now.
 */
void sched_ready(struct instance *instance);
/* Unlink it. */
void sched_unready(struct instance *instance);
/* Account for a quantum that ended (timer). */
void sched_quantum_check(nsec_t now);
