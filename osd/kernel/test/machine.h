#pragma once
/* A machine made of nothing, for tests of the kernel's objects on the host: see osd/arch/arch.h. */
#include <stdint.h>
#include "osd/abi/message.h"
#include "osd/kernel/mmu/test/small/pte.h"

#define ARCH_USER_END 0x00007ffffffff000ull

struct arch_context {
	uint64_t args[6];
	uint64_t number;
	err_t result;
	uint64_t result2;
	struct message message;
	uint64_t n_restarts;
	vaddr_t gate;
};

struct arch_space {
	paddr_t root;
};

#define ARCH_CPUS_MAX 8u
extern uint32_t fake_n_cpus;

static inline uint32_t arch_cpus_count(void)
{
	return fake_n_cpus;
}

struct arch_cpu {
	struct arch_context *current;
};

extern struct arch_cpu *fake_cpu;
extern uint64_t fake_cycles;

static inline struct arch_cpu *arch_cpu_this(void)
{
	return fake_cpu;
}

static inline uint64_t arch_cycles(void)
{
	return fake_cycles++;
}

/* Memory, all of it user memory at the beginning. */
#define FAKE_FRAMES 8192u
extern uint8_t fake_memory[FAKE_FRAMES * 4096];

static inline void *arch_frame_ptr(paddr_t pa)
{
	return fake_memory + pa;
}

static inline uint64_t *arch_context_args(struct arch_context *ctx)
{
	return ctx->args;
}

static inline uint64_t arch_context_number(const struct arch_context *ctx)
{
	return ctx->number;
}

static inline void arch_context_result_set(struct arch_context *ctx, err_t result)
{
	ctx->result = result;
}

static inline void arch_context_result2_set(struct arch_context *ctx, uint64_t value)
{
	ctx->result2 = value;
}

static inline void arch_context_message_get(const struct arch_context *ctx, struct message *ret)
{
	*ret = ctx->message;
}

/* A message has reached its receiver: a test counts them. */
void fake_delivered(const struct message *message);

static inline void arch_context_message_set(struct arch_context *ctx, const struct message *message)
{
	fake_delivered(message);
	ctx->message = *message;
}

static inline void arch_context_restart(struct arch_context *ctx)
{
	ctx->n_restarts++;
}

static inline void arch_context_gate_set(struct arch_context *ctx, vaddr_t gate)
{
	ctx->gate = gate;
}
