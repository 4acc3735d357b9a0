#pragma once
/* x86-64: what arch.h embeds, and the inlines of the fast paths. */
#include <stdint.h>
#include "osd/abi/message.h"
#include "osd/arch/x86_64/offsets.h"
#include "osd/arch/x86_64/pte.h"
#include "osd/arch/x86_64/registers.h"

/* First address above user memory. The last page below the canonical hole is left out: sysret there
 * is unsafe. */
#define ARCH_USER_END 0x00007ffffffff000ull

/*
 * Traps save into this from its end (CTX_FRAME_END) downwards. What came in by a call is resumed
 * without restoring rcx and r11 (vector is VECTOR_SYSCALL then).
 */
struct arch_context {
	uint64_t args[6] __attribute__((aligned(16))); /* rdi rsi rdx r10 r8 r9 */
	uint64_t rax, rbx, rbp, r12, r13, r14, r15, rcx, r11;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t fsbase, gsbase; /* as it left them; those of the one that runs are in the CPU */
	uint64_t gate; /* where the gate page's `syscall` returns to; 0: it has no gate page */
	/* Registers of the FPU (fpu.c): the frame for them, NULL where there is none, and the same once
	 * the unit has been used, else NULL. */
	void *fpu_area, *fpu;
};

struct arch_space {
	paddr_t root;
};

struct arch_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

/* Part of the kernel's per-CPU data, found through gs. */
struct arch_cpu {
	struct arch_cpu *self;
	struct arch_context *current;
	uint64_t user_rsp; /* scratch of the call entry */
	uint64_t stack_top;
	paddr_t root;        /* in cr3 */
	uint32_t is_fpu_off; /* cr0.TS */
	uint32_t id;
	uint32_t request; /* what another CPU waits for this one to do (entry/remote.c) */
	uint32_t apic_id;
	struct arch_tss tss __attribute__((aligned(16)));
	uint64_t gdt[8];
};

/* The CPUs of the machine, the boot CPU is the first; fixed before the kernel proper begins. */
#define ARCH_CPUS_MAX 8u
extern uint32_t n_cpus;

static inline uint32_t arch_cpus_count(void)
{
	return n_cpus;
}

static inline struct arch_cpu *arch_cpu_this(void)
{
	struct arch_cpu *cpu;

	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* All RAM, from kernel_direct on (kernel.ld): too far from the code to be an operand but of this one. */
static inline void *arch_frame_ptr(paddr_t pa)
{
	paddr_t direct;

	__asm__("movabsq $kernel_direct, %0" : "=r"(direct));
	return (void *)(direct + pa);
}

/* A free-running counter, for charging time. */
static inline uint64_t arch_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

static inline uint64_t *arch_context_args(struct arch_context *ctx)
{
	return ctx->args;
}

static inline uint64_t arch_context_number(const struct arch_context *ctx)
{
	return ctx->rax;
}

static inline void arch_context_result_set(struct arch_context *ctx, err_t result)
{
	ctx->rax = (uint64_t)result;
}

static inline void arch_context_result2_set(struct arch_context *ctx, uint64_t value)
{
	ctx->args[2] = value;
}

static inline void arch_context_message_get(const struct arch_context *ctx, struct message *ret)
{
	ret->type = (uint32_t)ctx->args[1];
	ret->source = (endpoint_t)(ctx->args[1] >> 32);
	ret->w[0] = ctx->args[2];
	ret->w[1] = ctx->args[4];
	ret->w[2] = ctx->args[5];
	ret->w[3] = ctx->args[3];
	ret->w[4] = ctx->r12;
	ret->w[5] = ctx->r13;
	ret->w[6] = ctx->r14;
}

static inline void arch_context_message_set(struct arch_context *ctx, const struct message *message)
{
	ctx->args[1] = message->type | (uint64_t)(uint32_t)message->source << 32;
	ctx->args[2] = message->w[0];
	ctx->args[4] = message->w[1];
	ctx->args[5] = message->w[2];
	ctx->args[3] = message->w[3];
	ctx->r12 = message->w[4];
	ctx->r13 = message->w[5];
	ctx->r14 = message->w[6];
}

#define ARCH_SYSCALL_BYTES 2u

/* The gate page enters by `syscall`; rax still holds the number. */
static inline void arch_context_restart(struct arch_context *ctx)
{
	ctx->rip -= ARCH_SYSCALL_BYTES;
}

static inline void arch_context_gate_set(struct arch_context *ctx, vaddr_t gate)
{
	ctx->gate = gate != 0 ? gate + ARCH_SYSCALL_BYTES : 0;
}
