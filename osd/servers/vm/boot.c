/*
 * Taking over from the kernel: the frame tables are put into the first free memory, which VM maps
 * for itself; what the kernel has mapped for VM and RS becomes regions. VM's own memory is all
 * mapped from then on: it never faults.
 */
#include "osd/servers/vm/priv.h"

#include "osd/lib/sef/sef.h"

#define BOOT_TABLES 16u

static uint64_t total_frames;

uint64_t boot_total_frames(void)
{
	return total_frames;
}

static void boot_must(err_t err, const char *what)
{
	if (err < 0) {
		sef_panic("%s: %s", what, sys_error_name(err));
	}
}

/* The largest free range holds the frame tables and their page tables. */
static const struct boot_range *boot_range_largest(const struct boot_info *info)
{
	const struct boot_range *largest = &info->free[0];

	for (uint32_t i = 1; i < info->n_free && i < BOOT_RANGES_MAX; i++) {
		largest = info->free[i].bytes > largest->bytes ? &info->free[i] : largest;
	}
	return largest;
}

static struct space *boot_spaces_adopt(const struct boot_info *info)
{
	struct space *own = NULL;

	for (uint32_t i = 0; i < info->n_spaces && i < BOOT_SPACES_MAX; i++) {
		const struct boot_space *boot = &info->spaces[i];
		struct space *space = space_adopt(boot->space);

		boot_must(space ? E_OK : E_INVAL, "space of the kernel");
		for (uint32_t j = 0; j < boot->n_regions && j < BOOT_REGIONS_MAX; j++) {
			struct region *region = region_new();

			region->kind = REGION_FIXED;
			region->va = boot->regions[j].va;
			region->n_pages = boot->regions[j].bytes / PAGE_SIZE;
			region->n_backed = region->n_pages;
			region->prot = boot->regions[j].prot;
			region->pa = boot->regions[j].pa;
			boot_must(region_insert(&space->regions, region), "region of the kernel");
		}
		own = boot->endpoint == EP_VM ? space : own;
	}
	boot_must(own ? E_OK : E_NOTFOUND, "own space");
	return own;
}

/* Map n frames at pa for VM itself; the page tables come from the frames behind them. Returns
 * frames used by both. */
static uint64_t boot_self_map(struct space *own, vaddr_t va, paddr_t pa, uint64_t n)
{
	struct space_op op = {.kind = SPACE_MAP,
	        .space = own->id,
	        .va = va,
	        .arg = pa,
	        .n_pages = (uint32_t)n,
	        .prot = PROT_R | PROT_W | SPACE_OP_ZERO};
	paddr_t tables[BOOT_TABLES];
	struct space_batch batch = {
	        .ops = &op, .n_ops = 1, .tables = tables, .n_tables = BOOT_TABLES};
	uint64_t ignored;

	for (uint32_t i = 0; i < BOOT_TABLES; i++) {
		tables[i] = pa + (n + i) * PAGE_SIZE;
	}
	boot_must(sys_space_batch(&batch, &ignored), "frame tables");
	space_tables_add(own, (int32_t)batch.n_tables_used);
	return n + batch.n_tables_used;
}

static vaddr_t boot_self_place(const struct space *own, uint64_t bytes)
{
	for (;;) {
		vaddr_t va = (sys_random() & (REGION_END / 2 - 1)) & ~(VM_CHUNK_BYTES - 1);

		if (va >= REGION_LOW &&
		        !region_hits(own->regions, va, va + bytes + VM_CHUNK_BYTES)) {
			return va;
		}
	}
}

void boot_take_over(const struct boot_info *info)
{
	const struct boot_range *home = boot_range_largest(info);
	paddr_t low = UINT64_MAX, high = 0;
	struct space *own;
	uint64_t n_storage, n_used;
	vaddr_t va;

	total_frames = info->total_bytes / PAGE_SIZE;
	region_init();
	own = boot_spaces_adopt(info);
	for (uint32_t i = 0; i < info->n_free && i < BOOT_RANGES_MAX; i++) {
		paddr_t end = info->free[i].base + info->free[i].bytes;

		low = info->free[i].base < low ? info->free[i].base : low;
		high = end > high ? end : high;
	}
	n_storage = (frame_storage_bytes((high - low) / PAGE_SIZE) + PAGE_SIZE - 1) / PAGE_SIZE;
	va = boot_self_place(own, n_storage * PAGE_SIZE);
	n_used = boot_self_map(own, va, home->base, n_storage);
	frame_init((void *)va, low, (high - low) / PAGE_SIZE);
	for (uint32_t i = 0; i < info->n_free && i < BOOT_RANGES_MAX; i++) {
		uint64_t skip = &info->free[i] == home ? n_used : 0;

		frame_give(info->free[i].base + skip * PAGE_SIZE,
		        info->free[i].bytes / PAGE_SIZE - skip);
	}
}
