#pragma once
/*
 * What belongs to one CPU: what runs on it, who waits for it, its timer and the alarms that this
 * serves, and its share of the kernel's counters. All of it under the big lock. Other CPUs touch its
 * queues (sched.c) and take its alarms away; what runs there and when its timer fires is its own.
 */
#include "osd/kernel/object/slot.h"

struct cpu {
	struct arch_cpu arch; /* first: entry code finds it through gs */
	uint32_t ready_mask;  /* bit p: ready[p] is not empty */
	bool is_resched;      /* something else should perhaps run on the way out */
	uint64_t cycles_last; /* when what runs now was last charged */
	/* Since boot; kernel_stats adds them up over all CPUs. */
	uint64_t n_ipc_fast; /* counted by arch's entry code */
	uint64_t n_ipc_slow;
	uint64_t n_context_switches;
	uint64_t n_uncommitted_faults;
	struct list ready[N_PRIORITIES];
	nsec_t quantum_end; /* of what runs now; a direct hand-off donates it */
	nsec_t timer_at;    /* the timer fires no later than this; TIMER_NEVER: not armed */
	/* Slots, by when they are due and how urgent they were; an alarm belongs to the CPU that set it. */
	struct heap alarms[N_PRIORITIES];
} __attribute__((aligned(64)));

/* CPU `number`, below arch_cpus_count(). */
struct cpu *cpu_at(uint32_t number);

static inline uint32_t cpu_number(const struct cpu *cpu)
{
	return (uint32_t)(cpu - cpu_at(0));
}

static inline struct cpu *cpu_this(void)
{
	return (struct cpu *)(void *)arch_cpu_this();
}

/* The instance that runs on this CPU; NULL: none, it waits for an interrupt. */
static inline struct instance *cpu_current(void)
{
	return (struct instance *)(void *)cpu_this()->arch.current;
}
