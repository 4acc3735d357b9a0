/*
 * The kernel's half of every address space: its image with one protection a section, all RAM (the
 * direct map), device pages and stacks; each start draws the places of these three anew (boot.S). Nothing is writable and executable, and the direct map has
 * no second, writable view of the kernel's code and constants. Every space shares the tables below
 * the root, so the root entries never change.
 */
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/memory.h"
#include "osd/arch/x86_64/x86.h"

#define BIG_PAGE (2ull << 20)

paddr_t kmap_root;

static uint64_t *kmap_entry(vaddr_t va, uint32_t level)
{
	uint64_t *table = arch_frame_ptr(kmap_root);

	for (uint32_t at = PTE_LEVEL_ROOT; at > level; at--) {
		uint64_t *entry = &table[pte_index(va, at)];
		if (!(*entry & PTE_P)) {
			*entry = arch_boot_frames(1) | PTE_P | PTE_W;
		}
		table = arch_frame_ptr(pte_frame(*entry));
	}
	return &table[pte_index(va, level)];
}

static void kmap_map_pages(vaddr_t va, paddr_t pa, uint64_t bytes, uint64_t bits)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		*kmap_entry(va + at, PTE_LEVEL_PAGE) = (pa + at) | PTE_P | PTE_G | bits;
	}
}

static void kmap_map_image(void)
{
	const struct {
		const char *from, *to;
		uint64_t bits;
	} parts[] = {
	        {kernel_text_start, kernel_text_end, 0},
	        {kernel_text_end, kernel_rodata_end, PTE_NX},
	        {kernel_rodata_end, kernel_end, PTE_NX | PTE_W},
	};

	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		kmap_map_pages((vaddr_t)parts[i].from, kmap_image_pa(parts[i].from),
		        (uint64_t)(parts[i].to - parts[i].from), parts[i].bits);
	}
}

static bool kmap_is_constant(paddr_t pa, uint64_t bytes)
{
	return pa < kmap_image_pa(kernel_rodata_end) && pa + bytes > kmap_place.load;
}

static void kmap_map_direct(const struct memory_range *range)
{
	paddr_t at = range->base, end = range->base + range->bytes;

	while (at < end) {
		if (at % BIG_PAGE == 0 && end - at >= BIG_PAGE && !kmap_is_constant(at, BIG_PAGE)) {
			*kmap_entry((vaddr_t)arch_frame_ptr(at), PTE_LEVEL_DIRECTORY) =
			        at | PTE_P | PTE_W | PTE_G | PTE_NX | PTE_BIG;
			at += BIG_PAGE;
			continue;
		}
		kmap_map_pages((vaddr_t)arch_frame_ptr(at), at, PAGE_SIZE,
		        PTE_NX | (kmap_is_constant(at, PAGE_SIZE) ? 0 : PTE_W));
		at += PAGE_SIZE;
	}
}

void kmap_init(void)
{
	const struct memory_range *ranges;
	uint32_t n_ranges = memory_ranges(&ranges);

	kmap_root = arch_boot_frames(1);
	kmap_map_image();
	for (uint32_t i = 0; i < n_ranges; i++) {
		kmap_map_direct(&ranges[i]);
	}
	cr3_write(kmap_root);
}

void kmap_device(vaddr_t va, paddr_t pa)
{
	kmap_map_pages(va, pa, PAGE_SIZE, PTE_W | PTE_NX | PTE_PCD | PTE_PWT);
}

void kmap_read(paddr_t pa, void *dst, uint64_t n)
{
	paddr_t page = pa & ~(PAGE_SIZE - 1);

	kmap_map_pages(KMAP_WINDOW, page, 2 * PAGE_SIZE, PTE_NX);
	invlpg(KMAP_WINDOW);
	invlpg(KMAP_WINDOW + PAGE_SIZE);
	__builtin_memcpy(dst, (const char *)KMAP_WINDOW + (pa - page), n);
}

vaddr_t kmap_stack(uint32_t index)
{
	vaddr_t low =
	        kmap_stacks() + (vaddr_t)index * (KMAP_STACK_PAGES + 1) * PAGE_SIZE + PAGE_SIZE;

	kmap_map_pages(low, arch_boot_frames(KMAP_STACK_PAGES), KMAP_STACK_PAGES * PAGE_SIZE,
	        PTE_W | PTE_NX);
	return low + KMAP_STACK_PAGES * PAGE_SIZE;
}
