/*
 * Starting the other CPUs, when everything that they share stands: one after the other is told to
 * begin (INIT, then twice the page of ap.S), and awaited until it has set itself up. They come into
 * the kernel through its lock, which the boot CPU gives away with its first way out.
 */
#include "osd/arch/x86_64/boot/smp.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/boot/acpi.h"
#include "osd/arch/x86_64/boot/ap.h"
#include "osd/arch/x86_64/cpu/cpu.h"
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

#define INIT_NSEC (10 * 1000 * 1000ull)
#define AGAIN_NSEC (200 * 1000ull)
#define STEP_NSEC (1000 * 1000ull)
#define N_STEPS 20000u /* that a CPU may take; steps, since the machine can stand still meanwhile */

struct ap_values {
	uint64_t root, stack, function, argument;
};

/* Of ap.S. */
extern const char ap_code[], ap_code_end[], ap_values[];

/* CPU number + 1 of who has set itself up last. */
static volatile uint32_t smp_ready;

static void smp_delay(nsec_t nsec)
{
	nsec_t end = arch_clock() + nsec;

	while (arch_clock() < end) {
		__builtin_ia32_pause();
	}
}

/* The first that runs on a CPU, on its stack, with tables that are only for this. */
static _Noreturn void smp_begin(uint64_t number)
{
	cr3_write(kmap_root);
	cpu_init((uint32_t)number);
	apic_cpu_init();
	smp_ready = (uint32_t)number + 1;
	cpu_enter();
}

/* Tables for the way to smp_begin: the kernel's half, and the page where it begins. */
static paddr_t smp_root_make(void)
{
	paddr_t tables = arch_boot_frames(4);

	arch_space_root_init(arch_frame_ptr(tables));
	for (uint32_t level = PTE_LEVEL_ROOT; level > PTE_LEVEL_PAGE; level--) {
		uint64_t *table = arch_frame_ptr(tables + (PTE_LEVEL_ROOT - level) * PAGE_SIZE);

		table[pte_index(AP_BASE, level)] =
		        (tables + (PTE_LEVEL_ROOT - level + 1) * PAGE_SIZE) | PTE_P | PTE_W;
	}
	((uint64_t *)arch_frame_ptr(
	        tables + PTE_LEVEL_ROOT * PAGE_SIZE))[pte_index(AP_BASE, PTE_LEVEL_PAGE)] =
	        AP_BASE | PTE_P;
	return tables;
}

static void smp_await(uint32_t number)
{
	for (uint32_t i = 0; smp_ready != number + 1; i++) {
		if (i == N_STEPS) {
			panic("CPU %u does not start", number);
		}
		smp_delay(STEP_NSEC);
	}
}

static void smp_cpu_start(uint32_t number, uint8_t id, struct ap_values *values)
{
	cpu_prepare(number, id);
	values->stack = cpu_storage(number)->stack_top;
	values->argument = number;
	apic_ipi(id, IPI_INIT);
	smp_delay(INIT_NSEC);
	apic_ipi(id, IPI_BEGIN | AP_BASE / PAGE_SIZE);
	smp_delay(AGAIN_NSEC);
	if (smp_ready != number + 1) {
		apic_ipi(id, IPI_BEGIN | AP_BASE / PAGE_SIZE);
	}
	smp_await(number);
}

void smp_start(paddr_t rsdp)
{
	uint8_t ids[ARCH_CPUS_MAX], own = (uint8_t)arch_cpu_this()->apic_id;
	uint32_t n = acpi_cpus(rsdp, ids, ARCH_CPUS_MAX), number = 1;
	struct ap_values *values = (struct ap_values *)(KMAP_AP + (uint64_t)(ap_values - ap_code));

	kernel_lock = 1;
	if (n < 2) {
		return;
	}
	kmap_device(KMAP_AP, AP_BASE);
	__builtin_memcpy((void *)KMAP_AP, ap_code, (size_t)(ap_code_end - ap_code));
	values->root = smp_root_make();
	values->function = (uint64_t)smp_begin;
	for (uint32_t i = 0; i < n && number < ARCH_CPUS_MAX; i++) {
		if (ids[i] != own) {
			smp_cpu_start(number++, ids[i], values);
		}
	}
	n_cpus = number;
}
