/*
 * Physical memory at boot: the PVH memory map, the boot image, and frames for the kernel.
 *
 * The kernel takes frames from the start of one RAM range, the largest below 1 GiB, which the boot
 * tables map; what it has not taken when boot ends belongs to user memory. The first MiB is left
 * alone: firmware tables and the start information lie there.
 */
#include "osd/arch/x86_64/mmu/memory.h"
#include "osd/arch/arch.h"
#include "osd/arch/frame.h"
#include "osd/arch/x86_64/mmu/kmap.h"

#define PVH_MAGIC 0x336ec578u
#define PVH_RAM 1u
#define LOW_MEMORY 0x100000ull
#define BOOT_MAPPED (1ull << 30)

struct pvh_start {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp, memory_map;
	uint32_t n_memory_map, reserved;
};
struct pvh_module {
	uint64_t base, bytes, cmdline, reserved;
};
struct pvh_range {
	uint64_t base, bytes;
	uint32_t type, reserved;
};

uint16_t *frame_uses;
uint64_t n_frame_uses;

static struct memory_range ranges[BOOT_RANGES_MAX];
static uint32_t n_ranges;
static struct memory_range boot_image;
static paddr_t rsdp;
static paddr_t boot_first, boot_next, boot_end; /* pool of arch_boot_frames */
static uint64_t n_given;                        /* frames of it that became user memory */

static uint64_t memory_page_down(uint64_t x)
{
	return x & ~(PAGE_SIZE - 1);
}

static uint64_t memory_page_up(uint64_t x)
{
	return memory_page_down(x + PAGE_SIZE - 1);
}

static void memory_range_add(paddr_t base, paddr_t end)
{
	base = memory_page_up(base < LOW_MEMORY ? LOW_MEMORY : base);
	end = memory_page_down(end);
	if (base >= end || n_ranges == BOOT_RANGES_MAX) {
		return;
	}
	ranges[n_ranges++] = (struct memory_range){base, end - base};
}

uint32_t memory_ranges(const struct memory_range **ret_ranges)
{
	*ret_ranges = ranges;
	return n_ranges;
}

/* What is done with each piece of RAM that nothing lies in. */
typedef void memory_gap(struct boot_info *info, paddr_t base, paddr_t end);

/*
 * Offer [base, end), which is free, as the kernel's own pool if it is
 * larger than the pool so far.
 */
static void memory_pool_offer(struct boot_info *info, paddr_t base, paddr_t end)
{
	end = end > BOOT_MAPPED ? BOOT_MAPPED : end;
	if (end > base && end - base > boot_end - boot_next) {
		boot_first = boot_next = base;
		boot_end = end;
	}
}

/*
 * What of a range lies outside `used`, which is sorted by address, goes
 * to `take` piece by piece.
 */
static void memory_range_gaps(struct memory_range range, const struct memory_range *used,
        uint32_t n_used, memory_gap *take, struct boot_info *info)
{
	paddr_t at = range.base, end = range.base + range.bytes;

	for (uint32_t i = 0; i < n_used; i++) {
		if (used[i].bytes == 0 || used[i].base + used[i].bytes <= at ||
		        used[i].base >= end) {
			continue;
		}
		take(info, at, used[i].base);
		at = used[i].base + used[i].bytes;
	}
	take(info, at, end);
}

static void memory_used_insert(
        struct memory_range *used, uint32_t *n_used, paddr_t base, paddr_t end)
{
	uint32_t i = (*n_used)++;

	for (; i > 0 && used[i - 1].base > base; i--) {
		used[i] = used[i - 1];
	}
	used[i] = (struct memory_range){base, end - base};
}

/* What holds the kernel, the boot image and the pool as far as it is taken. */
static uint32_t memory_used_collect(struct memory_range used[3])
{
	uint32_t n_used = 0;

	memory_used_insert(used, &n_used, kmap_place.load, kmap_image_pa(kernel_end));
	memory_used_insert(used, &n_used, boot_image.base, boot_image.base + boot_image.bytes);
	memory_used_insert(used, &n_used, boot_first, boot_next);
	return n_used;
}

static void memory_pool_init(void)
{
	struct memory_range used[3];
	uint32_t n_used = memory_used_collect(used);

	for (uint32_t i = 0; i < n_ranges; i++) {
		memory_range_gaps(ranges[i], used, n_used, memory_pool_offer, NULL);
	}
	if (boot_end == 0) {
		panic("no memory below 1 GiB");
	}
}

/* All RAM is the kernel's until arch_boot_finish. */
static void memory_frame_uses_init(void)
{
	paddr_t top = 0, pa;

	for (uint32_t i = 0; i < n_ranges; i++) {
		top = ranges[i].base + ranges[i].bytes > top ? ranges[i].base + ranges[i].bytes
		                                             : top;
	}
	n_frame_uses = top / PAGE_SIZE;
	pa = arch_boot_frames(memory_page_up(n_frame_uses * sizeof(*frame_uses)) / PAGE_SIZE);
	frame_uses = arch_frame_ptr(pa);
	for (uint32_t i = 0; i < n_ranges; i++) {
		frame_uses_set(ranges[i].base, ranges[i].bytes / PAGE_SIZE, FRAME_KERNEL);
	}
}

void memory_init(paddr_t start_info)
{
	const struct pvh_start *start = arch_frame_ptr(start_info);
	const struct pvh_range *map = arch_frame_ptr(start->memory_map);
	const struct pvh_module *modules = arch_frame_ptr(start->modules);

	if (start->magic != PVH_MAGIC || start->version < 1) {
		panic("not started by the PVH protocol");
	}
	for (uint32_t i = 0; i < start->n_memory_map; i++) {
		if (map[i].type == PVH_RAM) {
			memory_range_add(map[i].base, map[i].base + map[i].bytes);
		}
	}
	if (start->n_modules > 0) {
		boot_image.base = memory_page_down(modules[0].base);
		boot_image.bytes =
		        memory_page_up(modules[0].base + modules[0].bytes) - boot_image.base;
	}
	rsdp = start->rsdp;
	memory_pool_init();
	memory_frame_uses_init();
}

paddr_t memory_rsdp(void)
{
	return rsdp;
}

paddr_t arch_boot_frames(uint64_t n)
{
	paddr_t pa = boot_next;

	if (n > (boot_end - boot_next) / PAGE_SIZE) {
		panic("out of memory at boot");
	}
	boot_next += n * PAGE_SIZE;
	__builtin_memset(arch_frame_ptr(pa), 0, n * PAGE_SIZE);
	return pa;
}

void arch_boot_image(paddr_t *ret_base, uint64_t *ret_bytes)
{
	*ret_base = boot_image.base;
	*ret_bytes = boot_image.bytes;
}

void arch_boot_frames_to_user(paddr_t pa, uint64_t n)
{
	frame_uses_set(pa, n, FRAME_USER);
	if (pa >= boot_first && pa < boot_next) {
		n_given += n;
	}
}

/* Hand [base, end) to user memory and report it. */
static void memory_user_release(struct boot_info *info, paddr_t base, paddr_t end)
{
	if (base >= end || info->n_free == BOOT_RANGES_MAX) {
		return;
	}
	arch_boot_frames_to_user(base, (end - base) / PAGE_SIZE);
	info->free[info->n_free++] = (struct boot_range){base, end - base};
}

void arch_boot_finish(struct boot_info *info)
{
	struct memory_range used[3];
	uint32_t n_used = memory_used_collect(used);

	info->n_free = 0;
	info->total_bytes = 0;
	for (uint32_t i = 0; i < n_ranges; i++) {
		info->total_bytes += ranges[i].bytes;
		memory_range_gaps(ranges[i], used, n_used, memory_user_release, info);
	}
	arch_boot_frames_to_user(boot_image.base, boot_image.bytes / PAGE_SIZE);
	info->image = (struct boot_range){boot_image.base, boot_image.bytes};
	boot_end = boot_next;
}

uint64_t arch_kernel_bytes(void)
{
	return kmap_image_pa(kernel_end) - kmap_place.load + (boot_next - boot_first) -
	       n_given * PAGE_SIZE;
}
