/*
 * For a kernel that measures itself (samsara-kernel-measured): how long interrupts are off, from each way
 * in to the way out, at most, by the call or the vector that it came in by; and how long a CPU waits for
 * the kernel's lock, which is counted apart: the first begins when the lock is taken. The linker puts this
 * between (--wrap): what calls X gets __wrap_X, and X is called __real_X. No other kernel has any of it.
 *
 * Counted in arch_cycles(), which under QEMU's -icount shift=0 are instructions: of all CPUs, which run
 * there one after the other, so that the time that one waits for another is in it. Left out: the assembly
 * of both ways, and messages that take the short way, which are straight code of a hundred instructions;
 * the debug console, which takes its bytes one by one; boot and panic. What was found is printed when
 * the machine is switched off: "irqoff call NUMBER COUNT", "irqoff vector NUMBER COUNT",
 * "irqoff wait 0 COUNT".
 */
#include "osd/arch/x86_64/entry/irqoff.h"

#define N_CALLS 64u
#define WAY_VECTOR N_CALLS
#define WAY_STRAY (WAY_VECTOR + N_VECTORS)
#define N_WAYS (WAY_STRAY + 1)

/* What a CPU does since when; 0: nothing, or it was not seen coming in. */
static struct {
	uint64_t begun, way;
} irqoff_cpus[ARCH_CPUS_MAX];

/* Under the kernel's lock. */
static uint64_t irqoff_max[N_WAYS];
uint64_t irqoff_wait_max;

static void irqoff_begin(uint64_t way)
{
	uint32_t cpu = arch_cpu_this()->id;

	irqoff_cpus[cpu].way = way;
	irqoff_cpus[cpu].begun = arch_cycles();
}

static void irqoff_end(void)
{
	uint32_t cpu = arch_cpu_this()->id;
	uint64_t taken = arch_cycles() - irqoff_cpus[cpu].begun;
	uint64_t *max = &irqoff_max[irqoff_cpus[cpu].way];

	if (irqoff_cpus[cpu].begun != 0 && taken > *max) {
		*max = taken;
	}
	irqoff_cpus[cpu].begun = 0;
}

void __wrap_cpu_lock_take(void)
{
	uint64_t before = arch_cycles(), now;
	uint32_t cpu = arch_cpu_this()->id;

	__real_cpu_lock_take();
	now = arch_cycles();
	if (irqoff_cpus[cpu].begun == 0) {
		return; /* a CPU that begins, or begins anew */
	}
	irqoff_cpus[cpu].begun = now;
	if (now - before > irqoff_wait_max) {
		irqoff_wait_max = now - before;
	}
}

void __wrap_kcall_dispatch(struct instance *self, uint64_t number)
{
	uint64_t call = number - KCALL_BASE;

	irqoff_begin(call < N_CALLS ? call : WAY_STRAY);
	__real_kcall_dispatch(self, number);
	irqoff_end();
}

_Noreturn void __wrap_kcall_stray(struct instance *self)
{
	irqoff_begin(WAY_STRAY);
	__real_kcall_stray(self);
}

_Noreturn void __wrap_trap_user(struct arch_context *ctx)
{
	irqoff_begin(WAY_VECTOR + ctx->vector);
	__real_trap_user(ctx);
}

_Noreturn void __wrap_trap_kernel(struct arch_context *ctx)
{
	irqoff_begin(WAY_VECTOR + ctx->vector);
	__real_trap_kernel(ctx);
}

_Noreturn void __wrap_context_resume(struct arch_context *ctx)
{
	irqoff_end();
	__real_context_resume(ctx);
}

_Noreturn void __wrap_idle_wait(void)
{
	irqoff_end();
	__real_idle_wait();
}

void __wrap_arch_log_write(const char *text, size_t n)
{
	uint64_t before = arch_cycles();

	__real_arch_log_write(text, n);
	if (irqoff_cpus[arch_cpu_this()->id].begun != 0) {
		irqoff_cpus[arch_cpu_this()->id].begun += arch_cycles() - before;
	}
}

_Noreturn void __wrap_arch_off(uint32_t code)
{
	for (uint64_t way = 0; way < N_WAYS; way++) {
		bool is_call = way < WAY_VECTOR;

		if (irqoff_max[way] != 0) {
			log_printf("irqoff %s %lx %lu\n", is_call ? "call" : "vector",
			        is_call ? KCALL_BASE + way : way - WAY_VECTOR, irqoff_max[way]);
		}
	}
	log_printf("irqoff wait 0 %lu\n", irqoff_wait_max);
	__real_arch_off(code);
}
