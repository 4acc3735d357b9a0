/*
 * Contexts: the registers of an instance that does not run. How one begins, and how the CPU is
 * switched to it: address space, bases of fs and gs, FPU (fpu.c).
 */
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

bool context_has_fsgsbase;

void arch_context_start(struct arch_context *ctx, vaddr_t entry, vaddr_t stack, uint64_t argument)
{
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
	if (cpu->current == ctx && context_has_fsgsbase) {
		__asm__ volatile("wrfsbase %0" : : "r"(base));
	} else if (cpu->current == ctx) {
		msr_write(MSR_FS_BASE, base);
	}
}

void arch_context_registers_get(const struct arch_context *ctx, struct slot_registers *ret)
{
	bool is_call = ctx->vector == VECTOR_SYSCALL;

	*ret = (struct slot_registers){
	        .rax = ctx->rax,
	        .rbx = ctx->rbx,
	        .rcx = is_call ? ctx->rip : ctx->rcx, /* as `sysret` will leave them */
	        .rdx = ctx->args[2],
	        .rsi = ctx->args[1],
	        .rdi = ctx->args[0],
	        .rbp = ctx->rbp,
	        .rsp = ctx->rsp,
	        .r8 = ctx->args[4],
	        .r9 = ctx->args[5],
	        .r10 = ctx->args[3],
	        .r11 = is_call ? ctx->rflags : ctx->r11,
	        .r12 = ctx->r12,
	        .r13 = ctx->r13,
	        .r14 = ctx->r14,
	        .r15 = ctx->r15,
	        .rip = ctx->rip,
	        .rflags = ctx->rflags,
	        .fsbase = ctx->fsbase,
	        .gsbase = ctx->gsbase,
	};
}

/* One that the CPU takes for an address, of whomever: users may write such a base themselves. */
static bool context_base_is_valid(uint64_t base)
{
	return (uint64_t)((int64_t)(base << 16) >> 16) == base;
}

static bool context_registers_are_valid(const struct slot_registers *r)
{
	return r->rip < ARCH_USER_END && context_base_is_valid(r->fsbase) &&
	       context_base_is_valid(r->gsbase) && !(r->rflags & ~RFLAGS_USER) &&
	       (r->rflags & (RFLAGS_FIXED | RFLAGS_IF)) == (RFLAGS_FIXED | RFLAGS_IF);
}

bool arch_context_registers_set(struct arch_context *ctx, const struct slot_registers *r)
{
	if (!context_registers_are_valid(r)) {
		return false;
	}
	ctx->rax = r->rax;
	ctx->rbx = r->rbx;
	ctx->rcx = r->rcx;
	ctx->args[2] = r->rdx;
	ctx->args[1] = r->rsi;
	ctx->args[0] = r->rdi;
	ctx->rbp = r->rbp;
	ctx->rsp = r->rsp;
	ctx->args[4] = r->r8;
	ctx->args[5] = r->r9;
	ctx->args[3] = r->r10;
	ctx->r11 = r->r11;
	ctx->r12 = r->r12;
	ctx->r13 = r->r13;
	ctx->r14 = r->r14;
	ctx->r15 = r->r15;
	ctx->rip = r->rip;
	ctx->rflags = r->rflags;
	ctx->fsbase = r->fsbase;
	ctx->gsbase = r->gsbase;
	/* All of them are loaded: by iretq. */
	ctx->vector = 0;
	ctx->cs = SELECTOR_USER_CODE;
	ctx->ss = SELECTOR_USER_DATA;
	return true;
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
 * The bases of fs and gs. With FSGSBASE users write both as they like, so they are taken from the CPU
 * when it leaves a context. The user's gs is the one behind `swapgs`; no interrupt comes between, and
 * trap_fatal() relies on neither.
 *
 * A user can also load a selector. Every one that it may load has base 0, so that is what it made of
 * the base; where it may not write bases, the context's own comes back with the next switch. No
 * selector stays for another one to see. entry.S does the same.
 */
static void context_bases_save(struct arch_context *from)
{
	if (context_has_fsgsbase) {
		__asm__ volatile("rdfsbase %0\n\tswapgs\n\trdgsbase %1\n\tswapgs"
		        : "=&r"(from->fsbase), "=&r"(from->gsbase)
		        :
		        : "memory");
	}
}

static bool context_has_selectors(void)
{
	uint32_t ds, es, fs, gs;

	__asm__ volatile("movl %%ds, %0\n\tmovl %%es, %1\n\tmovl %%fs, %2\n\tmovl %%gs, %3"
	        : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	return (ds | es | fs | gs) != 0;
}

/* The bases too, of which those of fs and of the user's gs are loaded afterwards. */
static void context_selectors_clear(void)
{
	__asm__ volatile("movl %0, %%ds\n\tmovl %0, %%es\n\tmovl %0, %%fs\n\t"
	                 "swapgs\n\tmovl %0, %%gs\n\tswapgs"
	        :
	        : "r"(0)
	        : "memory");
}

static void context_bases_load(const struct arch_context *to)
{
	if (context_has_selectors()) {
		context_selectors_clear();
	}
	if (context_has_fsgsbase) {
		__asm__ volatile("wrfsbase %0\n\tswapgs\n\twrgsbase %1\n\tswapgs"
		        :
		        : "r"(to->fsbase), "r"(to->gsbase)
		        : "memory");
	} else {
		msr_write(MSR_FS_BASE, to->fsbase);
		msr_write(MSR_KERNEL_GS_BASE, to->gsbase);
	}
}

/* This CPU goes from what it runs to another context; NULL: to none. */
static void context_switch(struct arch_cpu *cpu, struct arch_context *to)
{
	struct arch_context *from = cpu->current;

	if (from == to) {
		return;
	}
	cpu->current = to;
	if (from != NULL) {
		context_bases_save(from);
	}
	if (to != NULL) {
		context_bases_load(to);
	}
	context_fpu_switch(from, to);
}

_Noreturn void arch_resume(struct arch_context *ctx, const struct arch_space *space)
{
	struct arch_cpu *cpu = arch_cpu_this();

	cpu->tss.rsp[0] = (uint64_t)ctx + CTX_FRAME_END;
	if (cpu->root != space->root) {
		cpu->root = space->root;
		cr3_write(space->root);
	}
	context_switch(cpu, ctx);
	context_resume(ctx);
}

void context_leave(struct arch_cpu *cpu)
{
	context_switch(cpu, NULL);
	if (cpu->root != kmap_root) {
		cpu->root = kmap_root;
		cr3_write(kmap_root);
	}
}

_Noreturn void arch_idle(void)
{
	struct arch_cpu *cpu = arch_cpu_this();

	context_leave(cpu);
	cpu->tss.rsp[0] = cpu->stack_top;
	idle_wait();
}
