#pragma once
/* The kernel's half of every address space: see kmap.c. */
#include "osd/abi/types.h"
#include "osd/arch/x86_64/registers.h"

#define KMAP_LAPIC 0xffffffffd0000000ul
#define KMAP_IOAPIC 0xffffffffd0001000ul /* one page each */
#define KMAP_STACKS 0xffffffffc0000000ul
#define KMAP_STACK_PAGES 4u

extern paddr_t kmap_root;
/* Build and load the kernel's own tables. */
void kmap_init(void);
/* Map a device register page. */
void kmap_device(vaddr_t va, paddr_t pa);
/*
 * Map fresh frames between unmapped guard pages; return the top. Index:
 * any number not used before.
 */
vaddr_t kmap_stack(uint32_t index);

/* Where something of the kernel's image lies in RAM. */
static inline paddr_t kmap_image_pa(const void *symbol)
{
	return (paddr_t)symbol - KERNEL_BASE;
}
