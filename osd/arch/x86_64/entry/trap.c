/*
 * Exceptions and interrupts, sorted to the functions of the kernel. Exceptions of users become
 * faults with a reason; those that say nothing more about the service than that it is wrong are
 * FAULT_OTHER. An exception of the kernel's own is a panic. Nothing here returns: the way out is
 * sched_run().
 */
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/x86.h"

#define PAGE_ERROR_PRESENT 1u
#define PAGE_ERROR_WRITE 2u
#define PAGE_ERROR_RESERVED 8u
#define PAGE_ERROR_EXEC 16u

enum {
	VEC_DIVIDE = 0,
	VEC_DEBUG = 1,
	VEC_BREAKPOINT = 3,
	VEC_OVERFLOW = 4,
	VEC_BOUND = 5,
	VEC_ILLEGAL = 6,
	VEC_NO_FPU = 7,
	VEC_SEGMENT_FIRST = 10,
	VEC_PROTECTION = 13,
	VEC_PAGE = 14,
	VEC_FPU = 16,
	VEC_ALIGN = 17,
	VEC_SSE = 19
};

static const uint8_t trap_reasons[32] = {
        [VEC_DIVIDE] = FAULT_DIVIDE,
        [VEC_DEBUG] = FAULT_DEBUG,
        [VEC_BREAKPOINT] = FAULT_DEBUG,
        [VEC_OVERFLOW] = FAULT_OTHER,
        [VEC_BOUND] = FAULT_OTHER,
        [VEC_ILLEGAL] = FAULT_ILLEGAL,
        [VEC_SEGMENT_FIRST] = FAULT_PROTECTION,
        [VEC_SEGMENT_FIRST + 1] = FAULT_PROTECTION,
        [VEC_SEGMENT_FIRST + 2] = FAULT_PROTECTION,
        [VEC_PROTECTION] = FAULT_PROTECTION,
        [VEC_FPU] = FAULT_FPU,
        [VEC_ALIGN] = FAULT_PROTECTION,
        [VEC_SSE] = FAULT_FPU,
};

static void trap_page_fault(struct instance *self, uint64_t error)
{
	uint32_t flags = 0;

	flags |= error & PAGE_ERROR_PRESENT ? PAGE_FAULT_PRESENT : 0;
	flags |= error & PAGE_ERROR_WRITE ? PAGE_FAULT_WRITE : 0;
	flags |= error & PAGE_ERROR_EXEC ? PAGE_FAULT_EXEC : 0;
	if (error & PAGE_ERROR_RESERVED) {
		panic("page table of the running process is damaged at %lx", cr2_read());
	}
	fault_page(self, cr2_read(), flags);
}

static void trap_exception(struct arch_context *ctx)
{
	struct instance *self = (struct instance *)(void *)ctx;
	uint32_t reason = trap_reasons[ctx->vector];

	if (ctx->vector == VEC_PAGE) {
		trap_page_fault(self, ctx->error);
	} else if (ctx->vector == VEC_NO_FPU) {
		context_fpu_take(ctx);
	} else {
		fault_exception(self, reason != 0 ? reason : FAULT_OTHER, ctx->error, ctx->vector);
	}
}

static void trap_interrupt(uint64_t vector)
{
	if (vector == VECTOR_TIMER) {
		apic_end_of_interrupt();
		clock_interrupt();
	} else if (vector == VECTOR_CPU) {
		apic_end_of_interrupt(); /* what there is to do was done at the lock, or is sched_run's */
	} else if (vector != VECTOR_SPURIOUS && vector - VECTOR_IRQ_FIRST < arch_irq_lines()) {
		arch_irq_mask((uint32_t)(vector - VECTOR_IRQ_FIRST));
		apic_end_of_interrupt();
		irq_interrupt((uint32_t)(vector - VECTOR_IRQ_FIRST));
	}
}

/*
 * Most exceptions come again when the instruction is made again. These do not: it has been made.
 */
void trap_left(struct arch_context *ctx)
{
	if (ctx->vector == VEC_DEBUG || ctx->vector == VEC_BREAKPOINT ||
	        ctx->vector == VEC_OVERFLOW) {
		trap_exception(ctx);
	}
}

/* From user mode, registers in the current context, without the lock. */
_Noreturn void trap_user(struct arch_context *ctx)
{
	uint64_t vector = ctx->vector;

	if (flags_read() & RFLAGS_AC) {
		panic("a trap runs with a user's flags");
	}
	cpu_lock_take();
	if (arch_cpu_this()->current == NULL) { /* it had to leave, and may be anything now */
		trap_interrupt(vector);
		sched_run();
	}
	if (vector < VECTOR_IRQ_FIRST) {
		trap_exception(ctx);
	} else {
		trap_interrupt(vector);
		/* Some CPUs take an interrupt after a jump to a non-canonical address, where iretq
		 * would fault. */
		if (ctx->rip >= ARCH_USER_END) {
			fault_exception((struct instance *)(void *)ctx, FAULT_PROTECTION, ctx->rip,
			        VEC_PROTECTION);
		}
	}
	sched_run();
}

/* From the kernel: an interrupt ends the idle wait; anything else is a bug. */
_Noreturn void trap_kernel(struct arch_context *ctx)
{
	if (ctx->vector < VECTOR_IRQ_FIRST || arch_cpu_this()->current != NULL) {
		trap_fatal(ctx);
	}
	cpu_lock_take();
	trap_interrupt(ctx->vector);
	sched_run();
}

/*
 * gs may still be the user's, who can have written anything into it: a CPU is known by where its
 * descriptors are.
 */
static void trap_cpu_find(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdt;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	msr_write(MSR_GS_BASE, gdt.base - offsetof(struct arch_cpu, gdt));
}

_Noreturn void trap_fatal(struct arch_context *ctx)
{
	trap_cpu_find();
	while (ctx->vector == VECTOR_NMI && cpu_is_halted()) {
		__asm__ volatile("hlt");
	}
	log_printf("exception in the kernel: vector %lu error %lx cr2 %lx\n", ctx->vector,
	        ctx->error, cr2_read());
	arch_context_dump(ctx);
	panic("exception %lu in the kernel", ctx->vector);
}
