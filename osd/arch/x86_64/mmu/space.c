/*
 * User spaces, as far as the machine has a part in them: the kernel's half of a root, and what the
 * gate page consists of. Their tables are osd/kernel/mmu's; translations that CPUs may still hold
 * are entry/remote.c's.
 */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

/* Of entry.S. */
extern const char gate_page[];

void arch_space_root_init(void *root)
{
	__builtin_memset(root, 0, PAGE_SIZE / 2);
	__builtin_memcpy((char *)root + PAGE_SIZE / 2,
	        (char *)arch_frame_ptr(kmap_root) + PAGE_SIZE / 2, PAGE_SIZE / 2);
}

void arch_gate_write(void *page)
{
	__builtin_memcpy(page, gate_page, PAGE_SIZE);
}
