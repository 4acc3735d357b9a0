#undef NDEBUG
/*
 * Where instances are put and what they are told, over a kernel and a VM that keep account: nothing
 * hits what is taken, a successor sees its predecessor's side until the commit and no longer, and an
 * instance that could not be made leaves nothing.
 */
#include "osd/servers/rs/life/instance.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/memory/span.h"

#define BASE (UINT64_C(3) << 40)
#define SPACE 5
#define SLOT 77
#define N_REGIONS 16
#define N_SYMBOLS 3
#define WORD_STEP UINT64_C(0x9e3779b97f4a7c15)

struct machine machine;

/* What VM has in the space. */
static struct region {
	vaddr_t va;
	uint64_t bytes, backed;
	uint32_t prot;
	const void *shown; /* of RS; NULL: memory of its own */
} regions[N_REGIONS];
static uint32_t n_regions;
static bool has_space, has_slot;
static uint64_t word;            /* the next random word */
static uint32_t n_until_failure; /* calls that can fail before one does; 0: none does */
static uint32_t slot_flags;
static struct start_info page; /* as the instance has it */
static uint32_t n_copies, n_given;

/* Is it this one's turn to fail? */
static bool fails(void)
{
	return n_until_failure != 0 && --n_until_failure == 0;
}

static void copied(const struct host_registers *r)
{
	assert((endpoint_t)r->rdi == EP_SELF && r->rdx == SLOT && has_slot);
	n_copies++;
	if (r->r8 == sizeof(page)) {
		memcpy(&page, (const void *)r->rsi, sizeof(page));
	}
}

/* The kernel: random words, one slot, copies. */
void host_enter(struct host_registers *r)
{
	const struct slot_params *params = (const struct slot_params *)r->rdi;

	switch ((uint32_t)r->rax) {
	case KCALL_random:
		r->rdx = word;
		word += WORD_STEP;
		r->rax = E_OK;
		return;
	case KCALL_slot_create:
		assert(has_space && !has_slot && params->space == SPACE);
		slot_flags = params->flags;
		has_slot = !fails();
		r->rax = has_slot ? SLOT : (uint64_t)(int64_t)E_FULL;
		return;
	case KCALL_slot_destroy:
		assert(has_slot && r->rdi == SLOT);
		has_slot = false;
		r->rax = E_OK;
		return;
	case KCALL_copy:
		copied(r);
		r->rax = (uint64_t)(int64_t)(fails() ? E_FAULT : E_OK);
		return;
	default:
		abort();
	}
}

static err_t region_add(const struct region *region)
{
	assert(has_space && region->bytes > 0 && n_regions < N_REGIONS);
	assert(region->va % PAGE_SIZE == 0 && region->bytes % PAGE_SIZE == 0);
	if (fails()) {
		return E_NOMEM;
	}
	regions[n_regions++] = *region;
	return E_OK;
}

err_t memory_space_new(space_t *ret_space)
{
	assert(!has_space);
	has_space = !fails();
	*ret_space = SPACE;
	return has_space ? E_OK : E_FULL;
}

void memory_space_free(space_t space)
{
	assert(has_space && space == SPACE && !has_slot);
	has_space = false;
	n_regions = 0;
}

err_t memory_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	assert(backed <= bytes);
	return region_add(
	        &(struct region){.va = va, .bytes = bytes, .backed = backed, .prot = prot});
}

err_t memory_gate(space_t space, vaddr_t va)
{
	return region_add(&(struct region){.va = va, .bytes = PAGE_SIZE});
}

err_t memory_share(const void *from, space_t to, vaddr_t to_va, uint64_t bytes)
{
	assert(from != NULL && (uintptr_t)from % PAGE_SIZE == 0);
	return region_add(&(struct region){.va = to_va, .bytes = bytes, .shown = from});
}

/* What RS linked: the sample has one segment. */
err_t layout_give(struct layout *layout, space_t space)
{
	n_given++;
	return region_add(&(struct region){.va = BASE,
	        .bytes = 4 * PAGE_SIZE,
	        .backed = 4 * PAGE_SIZE,
	        .prot = PROT_R | PROT_X});
}

void memory_unmap(space_t space, vaddr_t va, uint64_t bytes)
{
	for (uint32_t i = 0; i < n_regions; i++) {
		if (regions[i].va == va && regions[i].bytes == bytes) {
			regions[i] = regions[--n_regions];
			return;
		}
	}
	abort();
}

struct service *service_at(uint32_t n)
{
	return NULL;
}

struct service *service_find(const char name[SERVICE_NAME_LEN])
{
	return NULL;
}

_Noreturn void rs_panic(const char *text)
{
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

static const struct region *region_at(vaddr_t va)
{
	for (uint32_t i = 0; i < n_regions; i++) {
		if (va - regions[i].va < regions[i].bytes) {
			return &regions[i];
		}
	}
	return NULL;
}

/* Is what the instance has there what RS has here? */
static bool shows(vaddr_t va, const void *own)
{
	const struct region *region = region_at(va);

	return region != NULL && (const uint8_t *)region->shown + (va - region->va) == own;
}

/* A release of the sample service: its window at a place of its own, and a description. */
struct release {
	struct binary binary;
	struct image_header header;
	struct image_segment segment;
	uint64_t symbols[N_SYMBOLS];
	uint8_t bytes[64], description[PAGE_SIZE];
};

static void release_init(struct release *r, vaddr_t base)
{
	*r = (struct release){
	        .header = {.base = base,
	                .window_len = 4 * PAGE_SIZE,
	                .entry = base + 16,
	                .n_segments = 1,
	                .n_symbols = N_SYMBOLS},
	        .segment = {.vaddr = base,
	                .mem_size = 4 * PAGE_SIZE,
	                .file_size = 32,
	                .prot = PROT_R | PROT_X},
	        .binary = {.kit = {.service = "sample",
	                           .stack_size = 8 * PAGE_SIZE,
	                           .heap_limit = 64 * PAGE_SIZE}},
	};
	r->binary.image = (struct image_view){.header = &r->header,
	        .segments = &r->segment,
	        .symbols = r->symbols,
	        .bytes = r->bytes};
	r->binary.description = r->description;
	r->binary.description_bytes = 100;
}

static struct release old_release, new_release;
static struct instance old_instance = {.heap = UINT64_C(9) << 40, .heap_limit = PAGE_SIZE};
static const struct vm_region *old_regions;
static uint32_t n_old_regions;

static struct instance_plan plan_of(enum start_kind kind)
{
	struct instance_plan plan = {.binary = &new_release.binary, .kind = kind, .self = 31};

	if (kind == START_UPDATE) {
		plan.old = &old_instance;
		plan.old_binary = &old_release.binary;
		plan.old_regions = old_regions;
		plan.n_old_regions = n_old_regions;
		plan.heap_backed = 3 * PAGE_SIZE;
	}
	return plan;
}

static err_t make(enum start_kind kind, struct instance *ret_instance)
{
	struct instance_plan plan = plan_of(kind);

	return instance_create(&plan, ret_instance);
}

/* Everything lies at least a step apart: no two share a page table. */
static void check_apart(void)
{
	for (uint32_t i = 0; i < n_regions; i++) {
		for (uint32_t k = 0; k < i; k++) {
			vaddr_t low = regions[i].va < regions[k].va ? i : k, high = i + k - low;

			assert((regions[low].va + regions[low].bytes - 1) / SPAN_ALIGN <
			        regions[high].va / SPAN_ALIGN);
		}
	}
}

static void test_fresh(void)
{
	struct instance instance;

	release_init(&new_release, BASE);
	assert(make(START_FRESH, &instance) == E_OK && has_slot && slot_flags == 0);
	check_apart();
	assert(n_regions == 5); /* image, stack, heap, start page, gate page */
	assert(instance.entry == BASE + 16 && region_at(BASE)->backed == 4 * PAGE_SIZE);
	assert(page.magic == START_MAGIC && page.self == SLOT && page.kind == START_FRESH);
	assert(page.heap_base == instance.heap && page.heap_populated == 64 * PAGE_SIZE);
	assert(page.new_state.description == 0 && page.scratch == 0);
	assert(region_at(instance.start_page)->prot == PROT_R && region_at(page.gate) != NULL);
	assert(!instance.is_shown_secret);
	instance_destroy(&instance);
	assert(!has_slot && !has_space);
	instance_destroy(&instance);
}

/* The first stack pointer is drawn, within half a page below the end, as the ABI aligns it. */
static void test_stack(void)
{
	struct instance instance;
	uint64_t first = 0, differ = 0;

	release_init(&new_release, BASE);
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t depth;

		assert(make(START_FRESH, &instance) == E_OK);
		depth = page.stack_high - instance.stack_pointer;
		assert(depth % PLACE_STACK_ALIGN == 0 && depth > 0 && depth <= PLACE_STACK_SPREAD);
		assert(instance.stack_low == page.stack_low);
		assert(page.stack_high - page.stack_low == 8 * PAGE_SIZE);
		differ += i > 0 && depth != first;
		first = i == 0 ? depth : first;
		instance_destroy(&instance);
	}
	assert(differ > 0);
}

/* What the predecessor has, and the window of the image, are not drawn again, whatever is thrown. */
static void test_taken(void)
{
	struct vm_region taken = {.bytes = PAGE_SIZE};
	struct instance instance;
	uint64_t words = word;
	vaddr_t stack;

	release_init(&new_release, BASE);
	release_init(&old_release, BASE + (UINT64_C(1) << 40));
	assert(make(START_UPDATE, &instance) == E_OK);
	stack = instance.stack_low;
	instance_destroy(&instance);

	word = words;
	taken.va = stack;
	old_regions = &taken;
	n_old_regions = 1;
	assert(make(START_UPDATE, &instance) == E_OK && instance.stack_low != stack);
	assert(!region_at(stack));
	instance_destroy(&instance);
	old_regions = NULL;
	n_old_regions = 0;

	word = words;
	release_init(&new_release, stack & ~(SPAN_ALIGN - 1));
	assert(make(START_UPDATE, &instance) == E_OK && instance.stack_low != stack);
	check_apart();
	instance_destroy(&instance);
}

/* A successor: uncommitted, backed, and shown both sides until it is settled. */
static void test_update(void)
{
	struct instance instance;
	uint32_t n_own;

	release_init(&new_release, BASE);
	release_init(&old_release, BASE + (UINT64_C(1) << 40));
	assert(make(START_UPDATE, &instance) == E_OK && slot_flags == SLOT_UNCOMMITTED);
	check_apart();
	assert(page.self == 31 && page.kind == START_UPDATE && !instance.is_shown_secret);
	assert(region_at(instance.stack_low)->backed == 8 * PAGE_SIZE);
	assert(region_at(instance.heap)->backed == 3 * PAGE_SIZE);
	assert(page.heap_populated == 3 * PAGE_SIZE && page.heap_limit == 64 * PAGE_SIZE);
	assert(page.old_heap_base == old_instance.heap && page.scratch == instance.scratch.base);
	assert(region_at(page.scratch)->backed == page.scratch_bytes);
	assert(page.old_state.bytes == 100 && page.old_state.n_addresses == N_SYMBOLS);
	assert(shows(page.old_state.description, old_release.description));
	assert(shows(page.new_state.description, new_release.description));
	assert(shows(page.old_state.addresses, old_release.symbols));
	assert(shows(page.new_state.addresses, new_release.symbols));
	n_own = 5;
	assert(n_regions == n_own + 5); /* scratch, two descriptions, two address vectors */
	instance_settle(&instance);
	assert(n_regions == n_own && !region_at(page.scratch));
	assert(!region_at(page.old_state.addresses) && !region_at(page.new_state.addresses));
	instance_settle(&instance);
	assert(n_regions == n_own);
	instance_destroy(&instance);
}

/* A release that follows itself has one description, at one address. */
static void test_same_release(void)
{
	struct instance instance;

	release_init(&new_release, BASE);
	release_init(&old_release, BASE + (UINT64_C(1) << 40));
	old_release.binary.description = new_release.description;
	assert(make(START_UPDATE, &instance) == E_OK && n_regions == 9);
	assert(page.old_state.description == page.new_state.description);
	assert(page.old_state.addresses != page.new_state.addresses);
	instance_destroy(&instance);
}

/* Who is shown a layout that RS made is known to see it, until it is settled. */
static void test_shown_secret(void)
{
	uint8_t payload;
	struct instance instance;

	release_init(&new_release, BASE);
	release_init(&old_release, BASE + (UINT64_C(1) << 40));
	old_release.binary.layout.payload = &payload;
	assert(make(START_UPDATE, &instance) == E_OK && instance.is_shown_secret);
	instance_settle(&instance);
	assert(!instance.is_shown_secret);
	instance_destroy(&instance);
	new_release.binary.layout.payload = &payload;
	assert(make(START_RESTART, &instance) == E_OK && !instance.is_shown_secret);
	assert(slot_flags == SLOT_UNCOMMITTED && page.self == 31);
	instance_destroy(&instance);
}

/* What RS linked is handed over, and not copied; what was staged is copied, and stays. */
static void test_given(void)
{
	uint8_t payload;
	struct instance instance;

	release_init(&new_release, BASE);
	n_copies = n_given = 0;
	assert(make(START_FRESH, &instance) == E_OK && n_given == 0);
	assert(n_copies == 2); /* a segment, the start page */
	instance_destroy(&instance);
	new_release.binary.layout.payload = &payload;
	n_copies = 0;
	assert(make(START_FRESH, &instance) == E_OK && n_given == 1 && n_copies == 1);
	assert(region_at(BASE)->prot == (PROT_R | PROT_X) && n_regions == 5);
	check_apart();
	instance_destroy(&instance);
}

/* Whatever fails, nothing is left, and nothing is given out. */
static void test_failures(void)
{
	uint32_t n = 0;
	err_t err;

	release_init(&new_release, BASE);
	release_init(&old_release, BASE + (UINT64_C(1) << 40));
	do {
		struct instance instance = {.slot = 12345};

		n_until_failure = ++n;
		err = make(START_UPDATE, &instance);
		assert(err == E_OK || (!has_slot && !has_space && instance.slot == 12345));
		if (err == E_OK) {
			instance_destroy(&instance);
		}
	} while (err != E_OK);
	/* The space, ten regions, the slot, two copies; then none. */
	assert(n == 15);
	n_until_failure = 0;
}

int main(void)
{
	static const struct boot_header boot;
	static const struct start_info start = {.tsc_khz = 1000000};

	sys_gate = (vaddr_t)host_gate;
	machine.boot.header = &boot;
	machine.start = &start;
	test_fresh();
	test_stack();
	test_taken();
	test_update();
	test_same_release();
	test_shown_secret();
	test_given();
	test_failures();
	return 0;
}
