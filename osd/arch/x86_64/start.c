/* From the boot entry to the kernel proper, on the boot stack. */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/apic.h"
#include "osd/arch/x86_64/cpu.h"
#include "osd/arch/x86_64/kmap.h"
#include "osd/arch/x86_64/memory.h"
#include "osd/arch/x86_64/time.h"

/* Called by boot.S with the physical address of the PVH start information. */
_Noreturn void boot_start(uint32_t start_info);

_Noreturn void boot_start(uint32_t start_info)
{
	memory_init(start_info);
	kmap_init();
	cpu_init();
	apic_init();
	time_init();
	boot_main();
}
