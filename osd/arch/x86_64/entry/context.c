/*
 * Contexts: the registers of an instance that does not run. How one begins, and how the CPU is
 * switched to it: address space, thread pointer, FPU (fpu.c), each touched only when it changes,
 * since each of these writes is slow.
 */
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/x86.h"

void arch_context_start(struct arch_context *ctx, vaddr_t entry, vaddr_t stack, uint64_t argument)
{
	context_fpu_forget(ctx);
	*ctx = (struct arch_context){
	        .args = {argument},
	        .vector = 0,
	        .rip = entry,
	        .cs = SELECTOR_USER_CODE,
	        .rflags = RFLAGS_FIXED | RFLAGS_IF,
	        .rsp = stack,
	        .ss = SELECTOR_USER_DATA,
	        .gate = ctx->gate,
	        .fpu_area = ctx->fpu_area,
	};
}

void arch_context_tls_set(struct arch_context *ctx, vaddr_t base)
{
	struct arch_cpu *cpu = arch_cpu_this();

	ctx->fsbase = base;
	if (cpu->current == ctx) {
		cpu->fsbase = base;
		msr_write(MSR_FS_BASE, base);
	}
}

vaddr_t arch_context_pc(const struct arch_context *ctx)
{
	return ctx->rip;
}

void arch_context_dump(const struct arch_context *ctx)
{
	log_printf("  rip %016lx rsp %016lx rflags %lx vector %lx error %lx fs %lx\n", ctx->rip,
	        ctx->rsp, ctx->rflags, ctx->vector, ctx->error, ctx->fsbase);
	log_printf("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", ctx->rax, ctx->rbx, ctx->rcx,
	        ctx->args[2]);
	log_printf("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", ctx->args[1], ctx->args[0],
	        ctx->rbp, ctx->args[4]);
	log_printf("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", ctx->args[5], ctx->args[3],
	        ctx->r11, ctx->r12);
	log_printf("  r13 %016lx r14 %016lx r15 %016lx\n", ctx->r13, ctx->r14, ctx->r15);
}

/*
 * The thread pointer. A user can load the fs selector behind our back, null included:
 * every selector that it may load has base 0, so the base is then 0 or what it was.
 * Therefore what was written last proves nothing unless it was 0, and any other base is
 * written anew. entry.S does the same.
 */
static inline void context_fsbase_switch(struct arch_cpu *cpu, const struct arch_context *ctx)
{
	uint32_t selector;

	__asm__ volatile("movl %%fs, %0" : "=r"(selector));
	if (selector != 0) {
		__asm__ volatile("movl %0, %%fs" : : "r"(0));
	}
	if (selector != 0 || ctx->fsbase != 0 || cpu->fsbase != 0) {
		cpu->fsbase = ctx->fsbase;
		msr_write(MSR_FS_BASE, ctx->fsbase);
	}
}

_Noreturn void arch_resume(struct arch_context *ctx, const struct arch_space *space)
{
	struct arch_cpu *cpu = arch_cpu_this();
	const struct arch_context *from = cpu->current;

	cpu->current = ctx;
	cpu->tss.rsp[0] = (uint64_t)ctx + CTX_FRAME_END;
	if (cpu->root != space->root) {
		cpu->root = space->root;
		cr3_write(space->root);
	}
	context_fsbase_switch(cpu, ctx);
	if (from != ctx) {
		context_fpu_switch(from, ctx);
	}
	context_resume(ctx);
}

_Noreturn void arch_idle(void)
{
	struct arch_cpu *cpu = arch_cpu_this();

	context_fpu_switch(cpu->current, NULL);
	cpu->current = NULL;
	cpu->tss.rsp[0] = cpu->stack_top;
	idle_wait();
}
