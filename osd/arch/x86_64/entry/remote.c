/*
 * What CPUs want of each other. One that has the kernel's lock writes its wish into the other one's
 * `request`, interrupts it, and waits until the wish is fulfilled, with the lock. The other one is
 * - in user mode: then the interrupt brings it to the lock, where it waits;
 * - on the way from or to user mode, for some instructions without a loop, with the same end;
 * - at the lock, where it waits and looks at its request at each turn (entry.S, cpu_lock_take).
 * So each wish is fulfilled by a CPU that waits for the lock, while the one with the wish holds it and
 * stands still: the lock is lent. Nobody is asked that waits for an interrupt, since it uses no user's
 * tables (arch_idle) and runs nothing.
 *
 * Order of memory. What a CPU wrote under the lock is seen by the next that has it: it is taken by a
 * locked instruction and opened by a store, and on this machine stores are seen in their order, and
 * not before earlier loads are done. A request is a store behind the changes of page tables that it
 * is about; the answer is one behind all that the other CPU did for it, registers in its context
 * included. The compiler is told by acquire and release.
 */
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

#define GONE_PAGES_MAX 32u /* more than that are flushed by reloading cr3 */

enum { REQUEST_NONE, REQUEST_FLUSH, REQUEST_LEAVE };

static bool remote_halting;

static void remote_request(struct arch_cpu *cpu, uint32_t request)
{
	__atomic_store_n(&cpu->request, request, __ATOMIC_RELEASE);
	apic_ipi(cpu->apic_id, VECTOR_CPU);
}

static void remote_await(const struct arch_cpu *cpu)
{
	while (__atomic_load_n(&cpu->request, __ATOMIC_ACQUIRE) != REQUEST_NONE) {
		__builtin_ia32_pause();
	}
}

void cpu_answer(struct arch_cpu *cpu)
{
	if (cpu->request == REQUEST_LEAVE) {
		context_leave(cpu);
	} else {
		cr3_write(cpu->root);
	}
	__atomic_store_n(&cpu->request, REQUEST_NONE, __ATOMIC_RELEASE);
}

void cpu_lock_take(void)
{
	struct arch_cpu *cpu = arch_cpu_this();

	while (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE) != 0) {
		while (kernel_lock != 0) {
			if (__atomic_load_n(&cpu->request, __ATOMIC_ACQUIRE) != REQUEST_NONE) {
				cpu_answer(cpu);
			}
			__builtin_ia32_pause();
		}
	}
}

_Noreturn void cpu_enter(void)
{
	cpu_lock_take();
	sched_run();
}

/* rdi of entry.S: its call waits for the lock, and all of its registers are saved. */
void entry_answer(struct arch_context *ctx)
{
	struct arch_cpu *cpu = arch_cpu_this();

	if (cpu->request == REQUEST_LEAVE) {
		arch_context_restart(ctx);
		cpu_answer(cpu);
		cpu_enter();
	}
	cpu_answer(cpu);
}

void arch_cpu_wake(uint32_t number)
{
	apic_ipi(cpu_storage(number)->apic_id, VECTOR_CPU);
}

void arch_cpu_leave(uint32_t number)
{
	struct arch_cpu *cpu = cpu_storage(number);
	struct arch_context *ctx = cpu->current;

	remote_request(cpu, REQUEST_LEAVE);
	remote_await(cpu);
	trap_left(ctx);
}

void arch_cpus_halt(void)
{
	__atomic_store_n(&remote_halting, true, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < n_cpus; i++) {
		if (i != arch_cpu_this()->id) {
			apic_ipi(cpu_storage(i)->apic_id, IPI_NMI);
		}
	}
}

bool cpu_is_halted(void)
{
	return __atomic_load_n(&remote_halting, __ATOMIC_ACQUIRE);
}

/* Does a CPU hold translations of this space? One that waits for an interrupt uses no user's tables. */
static bool remote_uses(const struct arch_cpu *cpu, const struct arch_space *space)
{
	return cpu->root == space->root;
}

/* Or of one that mirrors it? Of what has left a CPU that has not looked for something else it is not known. */
static bool remote_sees(const struct arch_cpu *cpu, const struct arch_space *space)
{
	if (remote_uses(cpu, space)) {
		return true;
	}
	return cpu->root != kmap_root &&
	       (cpu->current == NULL || context_mirrors(cpu->current) == space);
}

/* All are asked before the first is awaited. */
static void remote_flush(const struct arch_space *space,
        bool (*is_concerned)(const struct arch_cpu *cpu, const struct arch_space *space))
{
	uint32_t own = arch_cpu_this()->id;

	for (uint32_t i = 0; i < n_cpus; i++) {
		if (i != own && is_concerned(cpu_storage(i), space)) {
			remote_request(cpu_storage(i), REQUEST_FLUSH);
		}
	}
	for (uint32_t i = 0; i < n_cpus; i++) {
		if (i != own) {
			remote_await(cpu_storage(i));
		}
	}
}

/* On this CPU. */
static void remote_forget_own(vaddr_t va, uint64_t n_pages)
{
	if (n_pages > GONE_PAGES_MAX) {
		cr3_write(arch_cpu_this()->root);
		return;
	}
	for (uint64_t i = 0; i < n_pages; i++) {
		invlpg(va + i * PAGE_SIZE);
	}
}

void arch_space_gone(const struct arch_space *space, vaddr_t va, uint64_t n_pages)
{
	if (n_cpus > 1) {
		remote_flush(space, remote_uses);
	}
	if (space->root == arch_cpu_this()->root) {
		remote_forget_own(va, n_pages);
	}
}

void arch_space_gone_mirrored(const struct arch_space *space, vaddr_t va, uint64_t n_pages)
{
	if (n_cpus > 1) {
		remote_flush(space, remote_sees);
	}
	remote_forget_own(va, n_pages);
}
