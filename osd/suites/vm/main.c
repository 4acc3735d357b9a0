#include "osd/suites/vm/vmtest.h"

#include <stdio.h>
#include <string.h>

#include "osd/lib/request/vm.h"

#define DATA UINT64_C(0x2000000000)
#define DATA_BYTES (UINT64_C(8) << 20)
#define DATA_PAGES (DATA_BYTES / PAGE_SIZE)
#define FAR (UINT64_C(1) << 40)
#define N_MANY 4096u
/* Those of a machine that has too much memory to fill all of it. */
#define MANY_FRAMES ((UINT64_C(1) << 30) / PAGE_SIZE)
#define RW (PROT_R | PROT_W)

static void say(const char *text)
{
	(void)sys_log_write(text, strlen(text));
}

void vmtest_check(bool ok, const char *text, const char *file, int line)
{
	char out[200];

	if (!ok) {
		(void)snprintf(out, sizeof(out), "not ok - %s:%d: %s\n", file, line, text);
		say(out);
		(void)sys_machine_off(1);
	}
}

static void test_arguments(void)
{
	space_t space;
	struct vm_reply reply;

	CHECK(ask_space_new(&space) == E_OK);
	CHECK(ask_map(space, DATA + 1, PAGE_SIZE, RW, 0) == E_INVAL);
	CHECK(ask_map(space, DATA, 0, RW, 0) == E_INVAL);
	CHECK(ask_map(space, DATA, PAGE_SIZE, PROT_W, 0) == E_INVAL);
	CHECK(ask_map(space, DATA, PAGE_SIZE, RW | PROT_X, 0) == E_INVAL);
	CHECK(ask_map(space, UINT64_C(0x00007ffffffff000), PAGE_SIZE, RW, 0) == E_INVAL);
	CHECK(ask_map(space, DATA, UINT64_MAX, RW, 0) == E_INVAL);
	CHECK(ask_map(space, DATA, PAGE_SIZE, RW, 2 * PAGE_SIZE) == E_INVAL);
	CHECK(ask_map(space + 1, DATA, PAGE_SIZE, RW, 0) == E_NOTFOUND);
	CHECK(ask_map(1000, DATA, PAGE_SIZE, RW, 0) == E_NOTFOUND);
	CHECK(ask_map(space, DATA, UINT64_C(1) << 36, RW, UINT64_C(1) << 36) == E_NOMEM);
	CHECK(ask_map(space, DATA, DATA_BYTES, RW, 0) == E_OK);
	CHECK(ask_map(space, DATA + DATA_BYTES - PAGE_SIZE, PAGE_SIZE, RW, 0) == E_EXISTS);
	CHECK(ask_range(VM_UNMAP, space, DATA, PAGE_SIZE, 0) == E_NOTFOUND);
	CHECK(ask_range(VM_PROTECT, space, DATA, DATA_BYTES, PROT_W | PROT_X) == E_INVAL);
	CHECK(ask_range(VM_UNMAP, space, DATA, DATA_BYTES, 0) == E_OK);
	CHECK(ask_mirror(VM_MIRROR, space, space) == E_INVAL);
	CHECK(ask_space(VM_SPACE_FREE, space, &reply) == E_OK);
	CHECK(ask_space(VM_BASE + 77, space, &reply) == E_NOSYS);
	CHECK(ask_space(VM_BASE, space, &reply) == E_NOSYS);
}

static void test_faults(void)
{
	struct vm_reply before, after;
	struct child child;

	child_new(&child, 0);
	CHECK(ask_map(child.space, DATA, DATA_BYTES, RW, 0) == E_OK);
	CHECK(ask_space(VM_USAGE, child.space, &before) == E_OK);
	CHECK(child_touch(&child, CHILD_READ, DATA, 10, 0) == 0);
	CHECK(child_touch(&child, CHILD_WRITE, DATA, DATA_PAGES, 1) == (int64_t)DATA_PAGES);
	CHECK(child_touch(&child, CHILD_READ, DATA, DATA_PAGES, 0) == (int64_t)DATA_PAGES);
	CHECK(ask_space(VM_USAGE, child.space, &after) == E_OK);
	CHECK(after.resident_pages - before.resident_pages == DATA_PAGES);
	CHECK(ask_range(VM_PROTECT, child.space, DATA, DATA_BYTES, PROT_R) == E_OK);
	CHECK(child_touch(&child, CHILD_READ, DATA, DATA_PAGES, 0) == (int64_t)DATA_PAGES);
	CHECK(child_touch(&child, CHILD_WRITE, DATA + PAGE_SIZE, 1, 1) == -1);
	child_free(&child);
	child_new(&child, 0);
	CHECK(child_touch(&child, CHILD_READ, DATA, 1, 0) == -1);
	child_free(&child);
}

static void test_populate(void)
{
	struct vm_reply reply;
	struct child child;
	uint64_t resident;

	child_new(&child, 0);
	CHECK(ask_space(VM_USAGE, child.space, &reply) == E_OK);
	resident = reply.resident_pages;
	CHECK(ask_map(child.space, DATA, DATA_BYTES, RW, DATA_BYTES / 2) == E_OK);
	CHECK(ask_map(child.space, FAR, DATA_BYTES, RW, DATA_BYTES) == E_OK);
	CHECK(ask_space(VM_USAGE, child.space, &reply) == E_OK);
	CHECK(reply.resident_pages - resident == DATA_PAGES + DATA_PAGES / 2);
	CHECK(child_touch(&child, CHILD_WRITE, DATA, DATA_PAGES, 2) == 2 * (int64_t)DATA_PAGES);
	CHECK(child_touch(&child, CHILD_READ, FAR, DATA_PAGES, 0) == 0);
	CHECK(ask_range(VM_UNMAP, child.space, DATA, DATA_BYTES, 0) == E_OK);
	CHECK(child_touch(&child, CHILD_READ, DATA, 1, 0) == -1);
	child_free(&child);
}

/* The old child goes on while it is mirrored; the new one sees what it did, and cannot write. */
static void test_mirror(void)
{
	struct child old, new;
	struct vm_reply reply;

	child_new(&old, 0);
	child_new(&new, UINT64_C(1) << 39);
	CHECK(ask_map(old.space, DATA, DATA_BYTES, RW, 0) == E_OK);
	CHECK(child_touch(&old, CHILD_WRITE, DATA, 5, 3) == 15);
	CHECK(ask_mirror(VM_MIRROR, old.space, new.space) == E_OK);
	CHECK(child_touch(&new, CHILD_READ, DATA, DATA_PAGES, 0) == 15);
	CHECK(child_touch(&old, CHILD_WRITE, DATA + 5 * PAGE_SIZE, 5, 3) == 15);
	CHECK(child_touch(&new, CHILD_READ, DATA, DATA_PAGES, 0) == 30);
	CHECK(child_touch(&old, CHILD_WRITE, DATA, DATA_PAGES, 1) == (int64_t)DATA_PAGES);
	CHECK(ask_mirror(VM_MIRROR, old.space, new.space) == E_OK);
	CHECK(child_touch(&new, CHILD_READ, DATA, DATA_PAGES, 0) == (int64_t)DATA_PAGES);
	CHECK(ask_space(VM_SPACE_FREE, old.space, &reply) == E_BUSY);
	CHECK(child_touch(&new, CHILD_WRITE, DATA, 1, 1) == -1);
	CHECK(ask_mirror(VM_UNMIRROR, old.space, new.space) == E_OK);
	CHECK(ask_mirror(VM_UNMIRROR, old.space, new.space) == E_OK);
	CHECK(child_touch(&old, CHILD_READ, DATA, DATA_PAGES, 0) == (int64_t)DATA_PAGES);
	child_free(&old);
	child_free(&new);
}

static void test_mirror_overlap(void)
{
	struct child old, new;

	child_new(&old, 0);
	child_new(&new, 0);
	CHECK(ask_mirror(VM_MIRROR, old.space, new.space) == E_EXISTS);
	CHECK(ask_mirror(VM_UNMIRROR, old.space, new.space) == E_OK);
	child_free(&old);
	child_free(&new);
}

static void test_share(void)
{
	struct child child;
	uint8_t *own = (uint8_t *)FAR;

	child_new(&child, 0);
	CHECK(ask_map(VM_SPACE_SELF, FAR, DATA_BYTES, RW, DATA_BYTES / 2) == E_OK);
	for (uint64_t i = 0; i < DATA_PAGES / 2; i++) {
		own[i * PAGE_SIZE] = 4;
	}
	CHECK(ask_share(FAR, child.space, DATA, DATA_BYTES) == E_FAULT);
	CHECK(ask_share(FAR + PAGE_SIZE, child.space, DATA, 100 * PAGE_SIZE) == E_OK);
	CHECK(ask_share(FAR, child.space, DATA, PAGE_SIZE) == E_EXISTS);
	CHECK(child_touch(&child, CHILD_READ, DATA, 100, 0) == 400);
	CHECK(ask_range(VM_UNMAP, VM_SPACE_SELF, FAR, DATA_BYTES, 0) == E_BUSY);
	CHECK(child_touch(&child, CHILD_WRITE, DATA, 1, 0) == -1);
	child_free(&child);
	/* Demand-zero in our own space, then away with it. */
	own[DATA_BYTES - 1] = 1;
	CHECK(ask_range(VM_UNMAP, VM_SPACE_SELF, FAR, DATA_BYTES, 0) == E_OK);
}

/* What is given is there with its bytes, with the access that was asked for, and gone here. */
static void test_give(void)
{
	struct child child;
	uint8_t *own = (uint8_t *)FAR;

	child_new(&child, 0);
	CHECK(ask_map(VM_SPACE_SELF, FAR, DATA_BYTES, RW, DATA_BYTES) == E_OK);
	for (uint64_t i = 0; i < DATA_PAGES; i++) {
		own[i * PAGE_SIZE] = i < 10 ? 5 : 4;
	}
	CHECK(ask_give(FAR, child.space, DATA, PAGE_SIZE, PROT_R) == E_FAULT);
	CHECK(ask_give(FAR, child.space, DATA, DATA_BYTES, RW | PROT_X) == E_INVAL);
	CHECK(ask_give(FAR, VM_SPACE_SELF, DATA, DATA_BYTES, RW) == E_INVAL);
	CHECK(ask_give(FAR + 10 * PAGE_SIZE, child.space, DATA, DATA_BYTES - 10 * PAGE_SIZE,
	              PROT_R | PROT_X) == E_OK);
	CHECK(child_touch(&child, CHILD_READ, DATA, DATA_PAGES - 10, 0) ==
	        4 * ((int64_t)DATA_PAGES - 10));
	CHECK(sys_copy(EP_SELF, FAR + 10 * PAGE_SIZE, EP_SELF, (vaddr_t)&child, 1, 0) == E_FAULT);
	CHECK(own[9 * PAGE_SIZE] == 5);
	CHECK(ask_give(FAR, child.space, FAR, 10 * PAGE_SIZE, RW) == E_OK);
	CHECK(ask_range(VM_UNMAP, VM_SPACE_SELF, FAR, 10 * PAGE_SIZE, 0) == E_NOTFOUND);
	CHECK(child_touch(&child, CHILD_READ, FAR, 10, 0) == 50);
	CHECK(child_touch(&child, CHILD_WRITE, FAR, 10, 1) == 10);
	CHECK(child_touch(&child, CHILD_WRITE, DATA, 1, 1) == -1);
	child_free(&child);
	CHECK(ask_map(VM_SPACE_SELF, FAR, DATA_BYTES, RW, DATA_BYTES) == E_OK);
	CHECK(own[10 * PAGE_SIZE] == 0);
	CHECK(ask_range(VM_UNMAP, VM_SPACE_SELF, FAR, DATA_BYTES, 0) == E_OK);
}

static void test_regions(void)
{
	static struct vm_region regions[32];
	struct child child;
	uint32_t n;

	child_new(&child, 0);
	CHECK(ask_map(child.space, DATA, DATA_BYTES, RW, PAGE_SIZE) == E_OK);
	CHECK(ask_regions(child.space, regions, 32, &n) == E_OK && n == 4);
	CHECK(regions[3].va == DATA && regions[3].bytes == DATA_BYTES);
	CHECK(regions[3].resident_pages == 1 && regions[3].prot == RW);
	CHECK(regions[0].va == CHILD_CODE && regions[0].prot == (PROT_R | PROT_X));
	CHECK(ask_regions(child.space, regions, 3, &n) == E_FULL);
	CHECK(ask_regions(child.space, (struct vm_region *)DATA, 32, &n) == E_FAULT);
	CHECK(ask_regions(VM_SPACE_SELF, regions, 32, &n) == E_OK && n > 3);
	child_free(&child);
}

/* A device request without the right, and DMA memory that comes back to DMA. */
static void test_device(void)
{
	struct vm_request_dma memory = {.bytes = 3 * PAGE_SIZE};
	struct vm_request_dma registers = {.pa = 0xfeb00000, .bytes = PAGE_SIZE};
	struct vm_reply first, second;

	first = vm_dma(EP_VM, memory);
	CHECK(first.err == E_OK);
	memset((void *)first.va, 5, memory.bytes);
	CHECK(ask_range(VM_UNMAP, VM_SPACE_SELF, first.va, memory.bytes, 0) == E_OK);
	second = vm_dma(EP_VM, memory);
	CHECK(second.err == E_OK && second.pa == first.pa);
	CHECK(*(uint8_t *)second.va == 0);
	CHECK(ask_range(VM_UNMAP, VM_SPACE_SELF, second.va, memory.bytes, 0) == E_OK);
	CHECK(vm_mmio(EP_VM, registers).err == E_PERM);
}

/* What a service may ask: its own memory, nothing that is another's or RS's alone. */
static void test_rights(void)
{
	static const uint32_t for_rs[] = {VM_SPACE_NEW, VM_SPACE_FREE, VM_SHARE, VM_MIRROR,
	        VM_UNMIRROR, VM_REGIONS, VM_GATE, VM_GIVE};
	struct message msg = {.type = VM_MAP};
	struct vm_request_map *map = MSG_AS(struct vm_request_map, &msg);
	struct child child, other;
	uint64_t ignored;

	child_new(&child, 0);
	child_new(&other, 0);
	*map = (struct vm_request_map){
	        .space = VM_SPACE_SELF, .prot = RW, .va = DATA, .bytes = DATA_BYTES};
	CHECK(child_ask(&child, &msg, &ignored) == E_OK);
	CHECK(child_touch(&child, CHILD_WRITE, DATA, 9, 1) == 9);
	map->va = FAR;
	map->space = child.space;
	CHECK(child_ask(&child, &msg, &ignored) == E_OK);
	map->space = other.space;
	CHECK(child_ask(&child, &msg, &ignored) == E_PERM);
	msg.type = VM_UNMAP;
	CHECK(child_ask(&child, &msg, &ignored) == E_PERM);
	for (size_t i = 0; i < sizeof(for_rs) / sizeof(for_rs[0]); i++) {
		msg = (struct message){.type = for_rs[i], .w = {child.space, 16, DATA}};
		CHECK(child_ask(&child, &msg, &ignored) == E_PERM);
	}
	msg = (struct message){.type = VM_MMIO};
	*MSG_AS(struct vm_request_dma, &msg) =
	        (struct vm_request_dma){.pa = 0xfeb00000, .bytes = PAGE_SIZE};
	CHECK(child_ask(&child, &msg, &ignored) == E_PERM);
	MSG_AS(struct vm_request_dma, &msg)->pa = UINT64_MAX;
	CHECK(child_ask(&child, &msg, &ignored) == E_INVAL);
	child_free(&child);
	child_free(&other);
}

/* A service that wants everything gets E_NOMEM while RS still gets what it needs. */
static void test_exhaustion(void)
{
	struct message msg = {.type = VM_MAP};
	struct vm_request_map *map = MSG_AS(struct vm_request_map, &msg);
	struct child child, other;
	uint64_t ignored, n = 0;

	child_new(&child, 0);
	*map = (struct vm_request_map){.space = VM_SPACE_SELF,
	        .prot = RW,
	        .va = DATA,
	        .bytes = DATA_BYTES,
	        .flags = VM_POPULATE};
	while (child_ask(&child, &msg, &ignored) == E_OK) {
		map->va += DATA_BYTES;
		n++;
	}
	CHECK(n > 4);
	map->flags = 0;
	CHECK(child_ask(&child, &msg, &ignored) == E_OK);
	CHECK(child_touch(&child, CHILD_WRITE, map->va, DATA_PAGES, 1) == -1);
	child_new(&other, 0);
	CHECK(child_touch(&other, CHILD_READ, CHILD_STACK, 1, 0) >= 0);
	child_free(&other);
	child_free(&child);
}

/* Four thousand processes: a space each, memory in two places of it, and somebody who could run there. */
static void test_many(void)
{
	struct slot_params params = {.name = "many", .flags = SLOT_PROGRAM, .priority = 4};
	static endpoint_t endpoints[N_MANY];
	static space_t spaces[N_MANY];
	struct vm_reply reply;

	for (uint32_t i = 0; i < N_MANY; i++) {
		err_t endpoint;

		CHECK(ask_space_new(&spaces[i]) == E_OK);
		CHECK(ask_map(spaces[i], DATA, DATA_BYTES, RW, 0) == E_OK);
		CHECK(ask_map(spaces[i], FAR, DATA_BYTES, RW, 0) == E_OK);
		params.space = spaces[i];
		endpoint = sys_slot_create(&params);
		CHECK(endpoint > 0);
		endpoints[i] = (endpoint_t)endpoint;
	}
	for (uint32_t i = 0; i < N_MANY; i++) {
		CHECK(sys_slot_destroy(endpoints[i]) == E_OK);
		CHECK(ask_space(VM_SPACE_FREE, spaces[i], &reply) == E_OK);
	}
}

static void test_all(void)
{
	test_arguments();
	test_faults();
	test_populate();
	test_mirror();
	test_mirror_overlap();
	test_share();
	test_give();
	test_regions();
	test_rights();
}

int main(void)
{
	char text[64];
	uint64_t before;

	test_device();
	test_all();
	before = frames_left();
	for (int i = 0; i < 6; i++) {
		test_all();
	}
	if (before < MANY_FRAMES) {
		test_exhaustion();
	}
	test_many();
	CHECK(frames_left() == before);
	(void)snprintf(text, sizeof(text), "ok - vm, %lu frames left\n", before);
	say(text);
	(void)sys_machine_off(0);
	return 0;
}
