#pragma once
/* Per-CPU data, found through arch_cpu_this(). Only its own CPU touches it, under the big lock. */
#include "osd/kernel/object/slot.h"

struct cpu {
	struct arch_cpu arch; /* first: entry code finds it through gs */
	uint32_t ready_mask;  /* bit p: ready[p] is not empty */
	bool is_resched;      /* something else should perhaps run on the way out */
	uint64_t cycles_last; /* when what runs now was last charged */
	struct list ready[N_PRIORITIES];
	nsec_t quantum_end; /* of what runs now; a direct hand-off donates it */
	nsec_t timer_at;    /* the timer fires no later than this; UINT64_MAX: not armed */
};

static inline struct cpu *cpu_this(void)
{
	return (struct cpu *)(void *)arch_cpu_this();
}

static inline struct instance *cpu_current(void)
{
	return (struct instance *)(void *)cpu_this()->arch.current;
}
