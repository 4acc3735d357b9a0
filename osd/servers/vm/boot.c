/*
 * Taking over from the kernel: VM's books (frames, regions, spaces) are put into the first free memory,
 * which VM maps for itself; what the kernel has mapped for VM and RS becomes regions. VM's own memory is
 * all mapped from then on: it never faults. As the books are large and most of them is used late or
 * never, nobody clears them.
 */
#include "osd/servers/vm/priv.h"

#include "osd/lib/sef/sef.h"

#define BOOT_TABLES 16u
/* Pages that are mapped at once, of books that begin where a table does: 8 tables, and those above them. */
#define BOOT_PIECE (8 * VM_CHUNK_BYTES / PAGE_SIZE)

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

/* The largest free range holds the books and their page tables. */
static const struct boot_range *boot_range_largest(const struct boot_info *info)
{
	const struct boot_range *largest = &info->free[0];

	for (uint32_t i = 1; i < info->n_free && i < BOOT_RANGES_MAX; i++) {
		largest = info->free[i].bytes > largest->bytes ? &info->free[i] : largest;
	}
	return largest;
}

static const struct boot_space *boot_space_own(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->n_spaces && i < BOOT_SPACES_MAX; i++) {
		if (info->spaces[i].endpoint == EP_VM) {
			return &info->spaces[i];
		}
	}
	sef_panic("own space");
}

static void boot_space_adopt(const struct boot_space *boot)
{
	struct space *space = space_adopt(boot->space);

	boot_must(space ? E_OK : E_INVAL, "space of the kernel");
	for (uint32_t i = 0; i < boot->n_regions && i < BOOT_REGIONS_MAX; i++) {
		struct region *region = region_new();

		region->kind = REGION_FIXED;
		region->va = boot->regions[i].va;
		region->n_pages = boot->regions[i].bytes / PAGE_SIZE;
		region->n_backed = region->n_pages;
		region->prot = boot->regions[i].prot;
		region->pa = boot->regions[i].pa;
		boot_must(region_insert(&space->regions, region), "region of the kernel");
	}
}

/* Map n frames at pa, a piece of the books. Return how many tables that took, of those from tables_from on. */
static uint32_t boot_piece_map(space_t own, vaddr_t va, paddr_t pa, uint32_t n, paddr_t tables_from)
{
	struct space_op op = {.kind = SPACE_MAP,
	        .space = own,
	        .va = va,
	        .arg = pa,
	        .n_pages = n,
	        .prot = PROT_R | PROT_W};
	paddr_t tables[BOOT_TABLES];
	struct space_batch batch = {
	        .ops = &op, .n_ops = 1, .tables = tables, .n_tables = BOOT_TABLES};
	uint64_t ignored;

	for (uint32_t i = 0; i < BOOT_TABLES; i++) {
		tables[i] = tables_from + i * PAGE_SIZE;
	}
	boot_must(sys_space_batch(&batch, &ignored), "books");
	return batch.n_tables_used;
}

/* Map n frames at pa for VM itself; the page tables, whose number is returned, come from the frames behind them. */
static uint32_t boot_self_map(space_t own, vaddr_t va, paddr_t pa, uint64_t n)
{
	uint32_t n_tables = 0;

	for (uint64_t done = 0; done < n; done += BOOT_PIECE) {
		uint64_t left = n - done, offset = done * PAGE_SIZE;

		n_tables += boot_piece_map(own, va + offset, pa + offset,
		        (uint32_t)(left < BOOT_PIECE ? left : BOOT_PIECE),
		        pa + (n + n_tables) * PAGE_SIZE);
	}
	return n_tables;
}

static bool boot_self_hits(const struct boot_space *own, vaddr_t va, vaddr_t end)
{
	for (uint32_t i = 0; i < own->n_regions && i < BOOT_REGIONS_MAX; i++) {
		if (own->regions[i].va < end && va < own->regions[i].va + own->regions[i].bytes) {
			return true;
		}
	}
	return false;
}

static vaddr_t boot_self_place(const struct boot_space *own, uint64_t bytes)
{
	for (;;) {
		vaddr_t va = (sys_random() & (REGION_END / 2 - 1)) & ~(VM_CHUNK_BYTES - 1);

		if (va >= REGION_LOW && !boot_self_hits(own, va, va + bytes + VM_CHUNK_BYTES)) {
			return va;
		}
	}
}

/* All frames of the machine, with those between its ranges. */
static struct boot_range boot_range_whole(const struct boot_info *info)
{
	paddr_t low = UINT64_MAX, high = 0;

	for (uint32_t i = 0; i < info->n_free && i < BOOT_RANGES_MAX; i++) {
		paddr_t end = info->free[i].base + info->free[i].bytes;

		low = info->free[i].base < low ? info->free[i].base : low;
		high = end > high ? end : high;
	}
	return (struct boot_range){.base = low, .bytes = high - low};
}

static uint64_t boot_page_align(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

/* Return how many frames the books take, with their tables. */
static uint64_t boot_books_make(const struct boot_info *info, paddr_t home)
{
	struct boot_range all = boot_range_whole(info);
	uint64_t n_frames = all.bytes / PAGE_SIZE;
	uint64_t frames = boot_page_align(frame_storage_bytes(n_frames));
	uint64_t regions = boot_page_align(regions_max(n_frames) * sizeof(struct region));
	uint64_t bytes = frames + regions + boot_page_align(N_SPACES * sizeof(struct space));
	const struct boot_space *own = boot_space_own(info);
	vaddr_t va = boot_self_place(own, bytes);
	uint32_t n_tables = boot_self_map(own->space, va, home, bytes / PAGE_SIZE);

	frame_init((void *)va, all.base, n_frames);
	region_init((void *)(va + frames), regions_max(n_frames));
	spaces_init((void *)(va + frames + regions));
	for (uint32_t i = 0; i < info->n_spaces && i < BOOT_SPACES_MAX; i++) {
		boot_space_adopt(&info->spaces[i]);
	}
	space_tables_add(space_of(own->space), (int32_t)n_tables);
	return bytes / PAGE_SIZE + n_tables;
}

void boot_take_over(const struct boot_info *info)
{
	const struct boot_range *home = boot_range_largest(info);
	uint64_t n_used = boot_books_make(info, home->base);

	total_frames = info->total_bytes / PAGE_SIZE;
	for (uint32_t i = 0; i < info->n_free && i < BOOT_RANGES_MAX; i++) {
		uint64_t skip = &info->free[i] == home ? n_used : 0;

		frame_give(info->free[i].base + skip * PAGE_SIZE,
		        info->free[i].bytes / PAGE_SIZE - skip);
	}
}
