/*
 * From a machine that works to the first two services. The kernel loads the entries of the boot
 * image that are flagged for it, VM and RS, each into a space of its own, with everything they need
 * before VM works: image, stack, heap, start page; for VM what memory there is, for RS the boot
 * image. Everything else is RS's work.
 */
#include "osd/arch/arch.h"

#include "osd/abi/start.h"
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/base/random.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/sched/state.h"
#include "proto/image/image.h"

#define N_SERVICES 2u
#define STACK_PAGES 32u
/* As their descriptions say: they cannot ask for more, and what is not used is lost to everybody else. */
#define HEAP_PAGES 16u
#define HEAP_LIMIT (1ull << 32)
#define REGION_ALIGN (2ull << 20)
#define REGION_GAP_MAX 4096u /* of REGION_ALIGN, drawn between regions */
#define WINDOW_DISTANCE (1ull << 36)

#define CALL_BIT(name) (1ull << (KCALL_##name - KCALL_BASE))

/* A service while it is being loaded. */
struct load {
	struct slot *slot;
	struct space *space;
	struct boot_space *boot; /* what VM is told of it */
	vaddr_t next;            /* where the next region may begin */
};

static struct boot_view image;

static void boot_image_open(void)
{
	enum image_error err;
	uint64_t bytes;
	paddr_t base;

	arch_boot_image(&base, &bytes);
	if (bytes < sizeof(struct boot_header)) {
		panic("no boot image");
	}
	/* The loader rounds to pages; the header knows the length. */
	const struct boot_header *header = arch_frame_ptr(base);
	err = boot_check(header, header->total_size < bytes ? header->total_size : bytes, &image);
	if (err != IMAGE_OK) {
		panic("boot image: %s", image_error_text(err));
	}
}

/* Place a region at a random distance behind the one before it. */
static vaddr_t boot_region_place(struct load *load, uint64_t n_pages)
{
	vaddr_t va = load->next + random_next() % REGION_GAP_MAX * REGION_ALIGN;

	load->next = (va + n_pages * PAGE_SIZE + 2 * REGION_ALIGN - 1) & ~(REGION_ALIGN - 1);
	return va;
}

/* Map what lies in one table; pa 0: the gate page. */
static void boot_map_part(struct load *load, const struct space_op *map)
{
	paddr_t frames[MMU_TABLES_MAX];
	struct mmu_tables tables = {.frames = frames};
	uint32_t n = mmu_map_need(&load->space->mmu, map->va, map->n_pages);
	err_t err;

	for (; tables.n < n; tables.n++) {
		frames[tables.n] = arch_boot_frames(1);
		arch_boot_frames_to_user(frames[tables.n], 1);
	}
	err = map->arg != 0 ? mmu_map(&load->space->mmu, map, &tables)
	                    : mmu_gate(&load->space->mmu, map->va, &tables);
	if (err != E_OK) {
		panic("cannot map %lx of %.24s: %ld", map->va, load->slot->name, err);
	}
}

static void boot_map(struct load *load, const struct space_op *map)
{
	vaddr_t end = map->va + map->n_pages * PAGE_SIZE;
	struct space_op part = *map;

	for (; part.va < end; part.va += part.n_pages * PAGE_SIZE) {
		vaddr_t part_end = mmu_part_end(part.va);

		part.n_pages =
		        (uint32_t)(((part_end < end ? part_end : end) - part.va) / PAGE_SIZE);
		boot_map_part(load, &part);
		part.arg += part.n_pages * PAGE_SIZE;
	}
}

/* Map frames at va and tell VM of them. */
static void boot_region_map(struct load *load, const struct space_op *region)
{
	struct boot_space *boot = load->boot;

	KASSERT(boot->n_regions < BOOT_REGIONS_MAX);
	boot_map(load, region);
	boot->regions[boot->n_regions++] = (struct boot_region){
	        region->va, region->arg, region->n_pages * PAGE_SIZE, region->prot, 0};
}

/* Fresh frames at va; returns their direct-map address. */
static void *boot_region_new(struct load *load, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	paddr_t pa = arch_boot_frames(n_pages);

	arch_boot_frames_to_user(pa, n_pages);
	boot_region_map(
	        load, &(struct space_op){.va = va, .arg = pa, .n_pages = n_pages, .prot = prot});
	return arch_frame_ptr(pa);
}

static void boot_segments_load(struct load *load, const struct image_view *payload)
{
	for (uint32_t i = 0; i < payload->header->n_segments; i++) {
		const struct image_segment *segment = &payload->segments[i];
		void *to = boot_region_new(load, segment->vaddr,
		        (uint32_t)(segment->mem_size / PAGE_SIZE), segment->prot);
		__builtin_memcpy(to, image_segment_bytes(payload, i), segment->file_size);
	}
}

static void boot_name_set(struct start_name *name, uint32_t slot)
{
	*name = (struct start_name){.endpoint = EP_MAKE(slot, 1)};
	__builtin_memcpy(name->name, image.entries[slot].name, sizeof(name->name));
}

/* What does not depend on where the regions lie. */
static void boot_start_fill(struct start_info *start, const struct load *load)
{
	*start = (struct start_info){
	        .magic = START_MAGIC,
	        .version = 1,
	        .size = sizeof(*start),
	        .kind = START_FRESH,
	        .self = load->slot->endpoint,
	        .supervisor = EP_NONE,
	        .heap_limit = HEAP_LIMIT,
	        .heap_populated = HEAP_PAGES * PAGE_SIZE,
	        .tsc_khz = arch_clock_khz(),
	        .n_names = N_SERVICES,
	};
	__builtin_memcpy(start->name, load->slot->name, sizeof(start->name));
	__builtin_memcpy(start->arguments, image.header->cmdline, sizeof(start->arguments));
	for (uint32_t i = 0; i < N_SERVICES; i++) {
		boot_name_set(&start->names[i], i);
	}
	for (uint32_t i = 0; i < sizeof(start->random) / 8; i++) {
		uint64_t word = random_next();
		__builtin_memcpy(start->random + 8 * i, &word, 8);
	}
}

static void boot_memory_map(struct load *load, struct start_info *start)
{
	start->stack_low = boot_region_place(load, STACK_PAGES);
	start->stack_high = start->stack_low + STACK_PAGES * PAGE_SIZE;
	(void)boot_region_new(load, start->stack_low, STACK_PAGES, PROT_R | PROT_W);
	start->gate = boot_region_place(load, 1);
	boot_map(load, &(struct space_op){.va = start->gate, .n_pages = 1});
	space_gate_set(load->space, start->gate);
	start->heap_base = boot_region_place(load, HEAP_LIMIT / PAGE_SIZE);
	(void)boot_region_new(load, start->heap_base, HEAP_PAGES, PROT_R | PROT_W);
}

/* The boot image, as RS sees it. */
static void boot_image_map(struct load *load, struct start_info *start)
{
	uint64_t bytes;
	paddr_t base;

	arch_boot_image(&base, &bytes);
	arch_boot_frames_to_user(base, bytes / PAGE_SIZE);
	start->boot_image = boot_region_place(load, bytes / PAGE_SIZE);
	start->boot_image_bytes = image.header->total_size;
	boot_region_map(load, &(struct space_op){.va = start->boot_image,
	                              .arg = base,
	                              .n_pages = (uint32_t)(bytes / PAGE_SIZE),
	                              .prot = PROT_R});
}

static struct slot *boot_slot_make(uint32_t number)
{
	struct slot_params params = {.priority = number};
	paddr_t root = arch_boot_frames(1), object = arch_boot_frames(1), fpu = arch_boot_frames(1);
	paddr_t domain = arch_boot_frames(1);
	struct space *space = NULL;

	__builtin_memcpy(params.name, image.entries[number].name, sizeof(params.name));
	arch_boot_frames_to_user(root, 1);
	arch_boot_frames_to_user(fpu, 1);
	arch_boot_frames_to_user(object, 1);
	arch_boot_frames_to_user(domain, 1);
	if (space_open(root, object, EP_NONE, &space) != E_OK) {
		panic("no space for %.24s", params.name);
	}
	if (space_fpu_give(space, fpu) != E_OK) {
		panic("no memory for the registers of %.24s", params.name);
	}
	if (domain_open(space, domain) != E_OK) {
		panic("no domain for %.24s", params.name);
	}
	return slot_open(number, &params, space, EP_NONE);
}

/* VM keeps memory, RS everything else; neither drives devices. */
static void boot_privileges_give(void)
{
	static struct domain_privileges vm = {.rank = UINT32_MAX};
	static struct domain_privileges rs = {.rank = UINT32_MAX - 1};

	vm.calls[0] = kcalls_ordinary() | CALL_BIT(space_create) | CALL_BIT(space_batch) |
	              CALL_BIT(space_destroy) | CALL_BIT(space_trim) | CALL_BIT(space_fpu) |
	              CALL_BIT(space_thread) | CALL_BIT(space_give) | CALL_BIT(frame_list) |
	              CALL_BIT(domain_create) | CALL_BIT(fault_next) | CALL_BIT(fault_done) |
	              CALL_BIT(kernel_stats) | CALL_BIT(slot_info) | CALL_BIT(copy);
	vm.ipc_to[0] = 1ull << EP_SLOT(EP_RS);
	__builtin_memset(rs.calls, 0xff, sizeof(rs.calls));
	__builtin_memset(rs.ipc_to, 0xff, sizeof(rs.ipc_to));
	rs.ipc_classes = UINT64_MAX;
	domain_privileges_set(slot_at(EP_SLOT(EP_VM))->instance->space->domain, &vm);
	domain_privileges_set(slot_at(EP_SLOT(EP_RS))->instance->space->domain, &rs);
}

/* Regions go into the 64 GiB behind the payload's window, or before it where it lies high. */
static vaddr_t boot_regions_begin(const struct image_header *header)
{
	vaddr_t end = header->base + header->window_len + IMAGE_WINDOW_MAX;

	if (header->base > ARCH_USER_END / 2) {
		end = header->base - WINDOW_DISTANCE;
	}
	return (end + REGION_ALIGN - 1) & ~(REGION_ALIGN - 1);
}

/* Load service `number` and make it runnable. */
static void boot_service_load(uint32_t number, struct boot_info *info, paddr_t info_pa)
{
	struct slot *slot = boot_slot_make(number);
	struct load load = {slot, slot->instance->space, &info->spaces[number], 0};
	struct image_view payload;
	enum image_error err;
	struct boot_item item;
	struct start_info *start;
	vaddr_t start_va;

	boot_entry_get(&image, number, &item);
	err = image_check(item.payload, item.payload_len, &payload);
	if (err != IMAGE_OK) {
		panic("payload of %.24s: %s", slot->name, image_error_text(err));
	}
	load.boot->space = load.space->id;
	load.boot->endpoint = slot->endpoint;
	load.next = boot_regions_begin(payload.header);
	boot_segments_load(&load, &payload);
	start_va = boot_region_place(&load, 1);
	start = boot_region_new(&load, start_va, 1, PROT_R);
	boot_start_fill(start, &load);
	boot_memory_map(&load, start);
	if (number == EP_SLOT(EP_VM)) {
		start->boot_info = boot_region_place(&load, 1);
		arch_boot_frames_to_user(info_pa, 1);
		boot_region_map(&load, &(struct space_op){.va = start->boot_info,
		                               .arg = info_pa,
		                               .n_pages = 1,
		                               .prot = PROT_R});
	} else {
		boot_image_map(&load, start);
	}
	arch_context_start(
	        &slot->instance->context, payload.header->entry, start->stack_high, start_va);
	instance_state_set(slot->instance, SLOT_RUNNABLE);
}

static void boot_services_load(void)
{
	paddr_t info_pa = arch_boot_frames(1);
	struct boot_info *info = arch_frame_ptr(info_pa);

	if (image.header->n_entries < N_SERVICES) {
		panic("the boot image does not hold VM and RS");
	}
	info->n_spaces = N_SERVICES;
	for (uint32_t i = 0; i < N_SERVICES; i++) {
		if (!(image.entries[i].flags & BOOT_KERNEL_LOADED)) {
			panic("entry %u of the boot image is not loaded by the kernel", i);
		}
		boot_service_load(i, info, info_pa);
	}
	boot_privileges_give();
	arch_boot_finish(info);
	log_printf("kernel: %lu KiB of memory, %lu KiB the kernel's\n", info->total_bytes / 1024,
	        arch_kernel_bytes() / 1024);
}

_Noreturn void boot_main(void)
{
	sched_init();
	slots_init();
	spaces_init();
	irq_init();
	alarms_init();
	boot_image_open();
	random_init(image.header->random_seed);
	log_printf("kernel: samsara, clock %lu kHz, %u interrupt lines, %u CPUs\n",
	        arch_clock_khz(), arch_irq_lines(), arch_cpus_count());
	boot_services_load();
	sched_run();
}
