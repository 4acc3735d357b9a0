#undef NDEBUG
/*
 * What RS says of addresses in an instance of a secret layout, over a heap directory that is sound,
 * and over one that is not.
 */
#include "osd/servers/rs/life/where.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "osd/lib/heap/heap_layout.h"
#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"

#define TERA (UINT64_C(1) << 40)
#define IMAGE (3 * TERA)
#define SITE (IMAGE + 0x40)
#define HEAP (5 * TERA)
#define STACK (7 * TERA)
#define N_PAGES 20

static struct heap_page directory[N_PAGES];
static struct instance instance = {.heap = HEAP,
        .heap_limit = N_PAGES * HEAP_PAGE_BYTES,
        .stack_low = STACK,
        .stack_pointer = STACK + 0x3000};
static uint8_t payload;
static struct image_header header = {.base = IMAGE, .window_len = 2 * PAGE_SIZE};
static struct binary binary = {.layout.payload = &payload, .image.header = &header};
static uint32_t n_copies;

/* The kernel: memory of the instance is its heap's directory. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_copy && r->rdi == 77 && r->rsi - HEAP < instance.heap_limit);
	n_copies++;
	r->rax = (uint64_t)E_FAULT;
	if (r->rsi - HEAP + sizeof(struct heap_page) <= sizeof(directory)) {
		memcpy((void *)r->r10, (const uint8_t *)directory + (r->rsi - HEAP),
		        sizeof(struct heap_page));
		r->rax = E_OK;
	}
}

/* One piece, number 9. */
bool layout_locate(const struct layout_kit *kit, const struct layout *layout, uint64_t address,
        uint32_t *ret_piece, uint32_t *ret_offset)
{
	if (address - SITE >= 0x20) {
		return false;
	}
	*ret_piece = 9;
	*ret_offset = (uint32_t)(address - SITE);
	return true;
}

static void is(uint64_t address, const char *expected)
{
	char bytes[96];
	struct text text = text_init(bytes, sizeof(bytes));

	where_add(&text, &instance, &binary, 77, address);
	if (strcmp(bytes, expected) != 0) {
		fprintf(stderr, "%llx: \"%s\", not \"%s\"\n", (unsigned long long)address, bytes,
		        expected);
		assert(false);
	}
}

static uint64_t page(uint64_t n)
{
	return HEAP + n * HEAP_PAGE_BYTES;
}

static void test_image_and_stack(void)
{
	is(8, "0x8");
	is(SITE, "piece 9");
	is(SITE + 0x1f, "piece 9 + 0x1f");
	is(SITE + 0x20, "an address outside its image");
	is(STACK + 0x3000, "stack, depth 0x0");
	is(STACK + 0x2ff0, "stack, depth 0x10");
	is(STACK - 8, "stack, depth 0x3008"); /* it ran over */
	is(STACK + 0x3001, "an address outside its image");
	is(STACK - 17 * PAGE_SIZE, "an address outside its image");
	assert(n_copies == 0);
	binary.layout.payload = NULL; /* made outside: whoever may see the text knows the layout */
	is(SITE, "0x30000000040");
	binary.layout.payload = &payload;
}

static void test_heap(void)
{
	directory[9] = (struct heap_page){.kind = HEAP_PAGE_SMALL,
	        .site = SITE,
	        .stride = 48,
	        .n_slots = 80,
	        .live = {UINT64_C(1) << 2, 1}};
	directory[10] = (struct heap_page){.kind = HEAP_PAGE_LARGE, .site = SITE + 8, .span = 3};
	directory[12] = (struct heap_page){.kind = HEAP_PAGE_TAIL, .span = 2};
	is(page(9) + 2 * 48, "object 9.2 + 0x0 of site piece 9");
	is(page(9) + 2 * 48 + 47, "object 9.2 + 0x2f of site piece 9");
	is(page(9) + 64 * 48 + 1, "object 9.64 + 0x1 of site piece 9");
	is(page(9) + 3 * 48, "an address in its heap"); /* a free slot */
	is(page(9) + 4095, "an address in its heap");   /* the counts */
	is(page(10) + 5, "object 10.0 + 0x5 of site piece 9 + 0x8");
	is(page(12) + 5, "object 10.0 + 0x2005 of site piece 9 + 0x8");
	is(page(13), "an address in its heap");
	n_copies = 0;
	is(page(3), "an address in its heap"); /* the directory itself */
	assert(n_copies == 0);
	is(page(N_PAGES), "an address outside its image");
	directory[9].site = 17;
	is(page(9) + 2 * 48, "object 9.2 + 0x0 of site unknown");
}

/* Made outside, but in the middle of an update it sees an instance whose layout RS made. */
static void test_shown_secret(void)
{
	binary.layout.payload = NULL;
	is(9 * TERA, "0x90000000000");
	instance.is_shown_secret = true;
	is(8, "0x8");
	is(SITE, "0x30000000040");
	is(IMAGE + 2 * PAGE_SIZE, "an address outside its image");
	is(9 * TERA, "an address outside its image");
	is(STACK + 0x2ff0, "stack, depth 0x10");
	directory[9].site = SITE;
	is(page(9) + 2 * 48, "object 9.2 + 0x0 of site unknown");
	instance.is_shown_secret = false;
	binary.layout.payload = &payload;
}

/* What the instance wrote there is not believed. */
static void test_hostile(void)
{
	static const struct heap_page bad[] = {
	        {.kind = HEAP_PAGE_SMALL, .stride = 0, .n_slots = 80, .live = {-1, -1, -1, -1}},
	        {.kind = HEAP_PAGE_SMALL, .stride = 15, .n_slots = 80, .live = {-1, -1, -1, -1}},
	        {.kind = HEAP_PAGE_SMALL, .stride = 16, .n_slots = 300, .live = {-1, -1, -1, -1}},
	        {.kind = HEAP_PAGE_SMALL, .stride = 48, .n_slots = 2, .live = {-1, -1, -1, -1}},
	        {.kind = HEAP_PAGE_TAIL, .span = 12},
	        {.kind = HEAP_PAGE_TAIL, .span = 11},
	        {.kind = HEAP_PAGE_TAIL, .span = 0},
	        {.kind = HEAP_PAGE_TAIL, .span = 1},
	        {.kind = _HEAP_PAGE_N},
	        {.kind = 0xffff},
	};

	directory[10] = (struct heap_page){.kind = HEAP_PAGE_TAIL, .span = 1};
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		directory[11] = bad[i];
		is(page(11) + 3000, "an address in its heap");
	}
	instance.heap_limit = HEAP_CHUNK_BYTES; /* more than is there */
	is(page(N_PAGES + 1), "an address in its heap");
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_image_and_stack();
	test_heap();
	test_shown_secret();
	test_hostile();
	return 0;
}
