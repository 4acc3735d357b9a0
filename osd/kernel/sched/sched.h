#pragma once
/*
 * Preemptive priority scheduling: 8 priorities (0 is highest), round robin with quanta within one.
 * The kernel itself is not preempted; a switch happens on the way out of it.
 */
#include "osd/kernel/object/slot.h"

/* The queues of all CPUs. */
void sched_init(void);
/*
 * Link a runnable, not stopped instance into a run queue, asking for a
 * switch where it should run now.
 */
void sched_ready(struct instance *instance);
/* Unlink it. */
void sched_unready(struct instance *instance);
/*
 * It runs on no other CPU when this returns: one that ran there waits in a queue, if it can go on, or
 * has a fault that it met on its way into the kernel. Before a caller looks at its state.
 */
void sched_take_off(struct instance *instance);
/* What it has run so far; where it runs on another CPU, until now. */
uint64_t sched_cycles(const struct instance *instance);
/* Account for a quantum that ended (timer). */
void sched_quantum_check(nsec_t now);
