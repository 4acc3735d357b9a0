/*
 * Setting up a CPU: descriptor tables, system-call registers, protection bits, stacks.
 * One stack for all of the kernel, and one each for NMI, double fault and machine
 * check, all between guard pages.
 */
#include "osd/arch/x86_64/cpu/cpu.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, reserved;
};

#define GATE_INTERRUPT 0x8e
#define GATE_USER 0x60
#define IST_NMI 1
#define IST_DOUBLE 2
#define IST_MACHINE 3
#define STACKS_PER_CPU 4u
#define TSS_AVAILABLE (0x89ull << 40) /* present, 64-bit */
#define SELECTOR_STEP 8u              /* bytes of a descriptor */

/* Leaf 7 of cpuid. */
#define CPUID_PROTECTION 7u
#define CPUID_B_FSGSBASE 1u
#define CPUID_B_SMEP (1u << 7)
#define CPUID_B_SMAP (1u << 20)
#define CPUID_C_UMIP (1u << 2)

uint32_t n_cpus = 1;

/* Shared by all CPUs. */
static struct gate idt[N_VECTORS];

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

void cpu_tables_fill(void)
{
	for (uint32_t i = 0; i < N_VECTORS; i++) {
		uint64_t stub = (uint64_t)trap_stubs + TRAP_STUB_BYTES * i;
		idt[i] = (struct gate){.low = (uint16_t)stub,
		        .selector = SELECTOR_KERNEL_CODE,
		        .type = GATE_INTERRUPT,
		        .middle = (uint16_t)(stub >> 16),
		        .high = (uint32_t)(stub >> 32)};
	}
	idt[VECTOR_NMI].ist = IST_NMI;
	idt[VECTOR_DOUBLE_FAULT].ist = IST_DOUBLE;
	idt[VECTOR_MACHINE_CHECK].ist = IST_MACHINE;
	idt[VECTOR_BREAKPOINT].type |= GATE_USER;
}

static void cpu_tables_load(struct arch_cpu *arch)
{
	uint64_t tss = (uint64_t)&arch->tss;
	struct pointer gdt_pointer = {sizeof(arch->gdt) - 1, (uint64_t)arch->gdt};
	struct pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};

	arch->gdt[SELECTOR_KERNEL_CODE / SELECTOR_STEP] = DESCRIPTOR_KERNEL_CODE;
	arch->gdt[SELECTOR_KERNEL_DATA / SELECTOR_STEP] = DESCRIPTOR_KERNEL_DATA;
	arch->gdt[SELECTOR_USER_DATA / SELECTOR_STEP] = DESCRIPTOR_USER_DATA;
	arch->gdt[SELECTOR_USER_CODE / SELECTOR_STEP] = DESCRIPTOR_USER_CODE;
	arch->gdt[SELECTOR_TSS / SELECTOR_STEP] = (sizeof(arch->tss) - 1) | (tss & 0xffffff) << 16 |
	                                          TSS_AVAILABLE | (tss >> 24 & 0xff) << 56;
	arch->gdt[SELECTOR_TSS / SELECTOR_STEP + 1] = tss >> 32;
	__asm__ volatile("lgdt %0" : : "m"(gdt_pointer));
	__asm__ volatile("lidt %0" : : "m"(idt_pointer));
	__asm__ volatile("movl %0, %%ss" : : "r"(SELECTOR_KERNEL_DATA));
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
}

static void cpu_stacks_init(struct arch_cpu *cpu)
{
	uint32_t first = cpu->id * STACKS_PER_CPU;

	cpu->stack_top = kmap_stack(first);
	cpu->tss.rsp[0] = cpu->stack_top;
	cpu->tss.ist[IST_NMI - 1] = kmap_stack(first + 1);
	cpu->tss.ist[IST_DOUBLE - 1] = kmap_stack(first + 2);
	cpu->tss.ist[IST_MACHINE - 1] = kmap_stack(first + 3);
	cpu->tss.io_map = sizeof(cpu->tss);
}

/*
 * What the CPU has: users' pages are neither run nor read by the kernel, users see no tables, and their
 * bases of fs and gs are their own.
 */
static void cpu_features_enable(void)
{
	struct cpuid features = cpuid(CPUID_PROTECTION, 0);
	uint64_t bits = 0;

	if (cpuid(0, 0).a < CPUID_PROTECTION) {
		return;
	}
	context_has_fsgsbase = features.b & CPUID_B_FSGSBASE;
	bits |= context_has_fsgsbase ? CR4_FSGSBASE : 0;
	bits |= features.b & CPUID_B_SMEP ? CR4_SMEP : 0;
	bits |= features.b & CPUID_B_SMAP ? CR4_SMAP : 0;
	bits |= features.c & CPUID_C_UMIP ? CR4_UMIP : 0;
	cr4_set(bits);
}

/*
 * sysret takes user code from 16 above what STAR names and user data from 8 above. Flags that a
 * user could turn against the kernel are cleared at the entry.
 */
static void cpu_syscall_init(void)
{
	msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 |
	                            (uint64_t)(SELECTOR_USER_CODE - 2 * SELECTOR_STEP) << 48);
	msr_write(
	        MSR_LSTAR, (uint64_t)(context_has_fsgsbase ? entry_syscall : entry_syscall_plain));
	msr_write(MSR_SFMASK,
	        RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC);
}

void cpu_prepare(uint32_t number, uint32_t apic_id)
{
	struct arch_cpu *cpu = cpu_storage(number);

	cpu->self = cpu;
	cpu->id = number;
	cpu->apic_id = apic_id;
	cpu->root = kmap_root;
	cpu_stacks_init(cpu);
}

void cpu_init(uint32_t number)
{
	struct arch_cpu *cpu = cpu_storage(number);

	msr_write(MSR_GS_BASE, (uint64_t)cpu);
	msr_write(MSR_KERNEL_GS_BASE, 0);
	msr_write(MSR_FS_BASE, 0);
	cpu_tables_load(cpu);
	cpu_features_enable();
	cpu_syscall_init();
	fpu_cpu_init();
}
