/* From the boot entry to the kernel proper, on the boot stack. */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/boot/smp.h"
#include "osd/arch/x86_64/irq/apic.h"
#include "osd/arch/x86_64/cpu/cpu.h"
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/mmu/memory.h"
#include "osd/arch/x86_64/irq/time.h"

#define BOOT_CPU 0
#define BUILD_ID_NOTE_BYTES 16 /* of the ELF note before what it says: three numbers, and "GNU" */

/* Of kernel.ld. */
extern const char kernel_build_id[];

const uint8_t *arch_kernel_build_id(void)
{
	return (const uint8_t *)kernel_build_id + BUILD_ID_NOTE_BYTES;
}

/* Called by boot.S with the physical address of the PVH start information. */
_Noreturn void boot_start(uint32_t start_info);

_Noreturn void boot_start(uint32_t start_info)
{
	memory_init(start_info);
	kmap_init();
	apic_init();
	cpu_prepare(BOOT_CPU, apic_id());
	cpu_tables_fill();
	fpu_init();
	cpu_init(BOOT_CPU);
	time_init();
	smp_start(memory_rsdp());
	boot_main();
}
