#pragma once
/* The kernel's half of every address space: see kmap.c. */
#include "osd/abi/types.h"
#include "osd/arch/x86_64/registers.h"

#define KMAP_STACK_PAGES 4u
/* Device pages, behind all stacks. */
#define KMAP_DEVICES 0x10000000ul
#define KMAP_LAPIC (kmap_stacks() + KMAP_DEVICES)
#define KMAP_IOAPIC (KMAP_LAPIC + PAGE_SIZE)     /* one page each */
#define KMAP_AP (KMAP_LAPIC + 3 * PAGE_SIZE)     /* where other CPUs begin (boot/ap.S) */
#define KMAP_WINDOW (KMAP_LAPIC + 4 * PAGE_SIZE) /* two pages, of kmap_read */

/* Where the kernel is, which each start draws anew; boot.S has it. */
struct kmap_place {
	paddr_t load, load_text; /* its image; and in it, .text */
};
extern const struct kmap_place kmap_place;
/* Of kernel.ld. */
extern const char kernel_text_start[], kernel_text_end[], kernel_rodata_end[], kernel_end[];
extern const char kernel_stacks[];

extern paddr_t kmap_root;
/* Build and load the kernel's own tables. */
void kmap_init(void);
/* Map a device register page. */
void kmap_device(vaddr_t va, paddr_t pa);
/* Copy what is not RAM of ours: n bytes at pa, at most a page. Before there are other CPUs. */
void kmap_read(paddr_t pa, void *dst, uint64_t n);
/*
 * Map fresh frames between unmapped guard pages; return the top. Index:
 * any number not used before.
 */
vaddr_t kmap_stack(uint32_t index);

/* Where something of the kernel's image lies in RAM. */
static inline vaddr_t kmap_stacks(void)
{
	return (vaddr_t)kernel_stacks;
}

static inline paddr_t kmap_image_pa(const void *symbol)
{
	return (vaddr_t)symbol - (vaddr_t)kernel_text_start + kmap_place.load_text;
}
