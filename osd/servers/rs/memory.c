/*
 * Requests to VM, the only service that RS waits for: VM is of the highest rank and never waits
 * itself. Giving memory back cannot fail; if it does, either side has lost count, and RS stops.
 */
#include "osd/servers/rs/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/span.h"

/*
 * Staged blobs share one window of RS's space, drawn at the first use: page tables of a space stay
 * until it ends, so places all over it would use up memory.
 */
#define MEMORY_WINDOW (UINT64_C(128) << 20)

struct memory_part {
	vaddr_t va; /* 0: free entry */
	uint64_t bytes;
};

static struct vm_region memory_own_regions[RS_N_REGIONS];
static struct memory_part memory_parts[STAGE_N_BLOBS];
static vaddr_t memory_window;

static err_t memory_ask(struct message *msg, struct vm_reply *ret_reply)
{
	err_t r = sys_sendrec(EP_VM, msg);

	if (r != E_OK) {
		return r;
	}
	*ret_reply = *MSG_AS(struct vm_reply, msg);
	return ret_reply->err;
}

static void memory_give_back(struct message *msg, const char *what)
{
	struct vm_reply reply;

	if (memory_ask(msg, &reply) != E_OK) {
		rs_panic(what);
	}
}

err_t memory_space_new(space_t *ret_space)
{
	struct message msg = {.type = VM_SPACE_NEW};
	struct vm_reply reply;
	err_t r = memory_ask(&msg, &reply);

	if (r == E_OK) {
		*ret_space = reply.space;
	}
	return r;
}

void memory_space_free(space_t space)
{
	struct message msg = {.type = VM_SPACE_FREE};

	MSG_AS(struct vm_request_space, &msg)->space = space;
	memory_give_back(&msg, "VM_SPACE_FREE failed");
}

err_t memory_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	struct message msg = {.type = VM_MAP};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_map, &msg) = (struct vm_request_map){
	        .space = space,
	        .prot = prot,
	        .va = va,
	        .bytes = bytes,
	        .flags = backed > 0 ? VM_POPULATE : 0,
	        .populate_bytes = backed,
	};
	return memory_ask(&msg, &reply);
}

void memory_unmap(space_t space, vaddr_t va, uint64_t bytes)
{
	struct message msg = {.type = VM_UNMAP};

	*MSG_AS(struct vm_request_map, &msg) =
	        (struct vm_request_map){.space = space, .va = va, .bytes = bytes};
	memory_give_back(&msg, "VM_UNMAP failed");
}

err_t memory_gate(space_t space, vaddr_t va)
{
	struct message msg = {.type = VM_GATE};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_map, &msg) = (struct vm_request_map){.space = space, .va = va};
	return memory_ask(&msg, &reply);
}

err_t memory_share(const void *from, space_t to, vaddr_t to_va, uint64_t bytes)
{
	struct message msg = {.type = VM_SHARE};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_share, &msg) = (struct vm_request_share){
	        .from = VM_SPACE_SELF,
	        .to = to,
	        .from_va = (vaddr_t)from,
	        .to_va = to_va,
	        .bytes = bytes,
	};
	return memory_ask(&msg, &reply);
}

err_t memory_mirror(space_t old, space_t new)
{
	struct message msg = {.type = VM_MIRROR};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_mirror, &msg) =
	        (struct vm_request_mirror){.old = old, .new = new};
	return memory_ask(&msg, &reply);
}

void memory_unmirror(space_t old, space_t new)
{
	struct message msg = {.type = VM_UNMIRROR};

	*MSG_AS(struct vm_request_mirror, &msg) =
	        (struct vm_request_mirror){.old = old, .new = new};
	memory_give_back(&msg, "VM_UNMIRROR failed");
}

err_t memory_regions(space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n)
{
	struct message msg = {.type = VM_REGIONS};
	struct vm_reply reply;
	err_t r;

	*MSG_AS(struct vm_request_space, &msg) = (struct vm_request_space){
	        .space = space, .max = max, .buffer = (vaddr_t)ret_regions};
	r = memory_ask(&msg, &reply);
	if (r == E_OK) {
		*ret_n = reply.count;
	}
	return r;
}

err_t memory_usage(space_t space, struct vm_reply *ret_usage)
{
	struct message msg = {.type = VM_USAGE};

	MSG_AS(struct vm_request_space, &msg)->space = space;
	return memory_ask(&msg, ret_usage);
}

/* Draw the window: a place for it in RS's own space. */
static err_t memory_window_draw(void)
{
	uint64_t random[SPAN_TRIES];
	struct span_set set;
	uint32_t n;
	err_t r = memory_regions(VM_SPACE_SELF, memory_own_regions, RS_N_REGIONS, &n);

	span_set_init(&set);
	for (uint32_t i = 0; r == E_OK && i < n; i++) {
		r = span_set_add(&set, memory_own_regions[i].va, memory_own_regions[i].bytes);
	}
	for (uint32_t i = 0; i < SPAN_TRIES; i++) {
		random[i] = sys_random();
	}
	return r == E_OK ? span_set_draw(&set, MEMORY_WINDOW, random, &memory_window) : r;
}

static bool memory_is_free(vaddr_t va, uint64_t bytes)
{
	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		if (va < memory_parts[i].va + memory_parts[i].bytes &&
		        memory_parts[i].va < va + bytes) {
			return false;
		}
	}
	return va + bytes <= memory_window + MEMORY_WINDOW;
}

/* First fit: at the start of the window, or behind another part. */
static bool memory_part_place(uint64_t bytes, vaddr_t *ret_va)
{
	if (memory_is_free(memory_window, bytes)) {
		*ret_va = memory_window;
		return true;
	}
	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		vaddr_t end = memory_parts[i].va + memory_parts[i].bytes;

		if (memory_parts[i].bytes > 0 && memory_is_free(end, bytes)) {
			*ret_va = end;
			return true;
		}
	}
	return false;
}

/* The entry of the part at this address; 0: a free entry. NULL: there is none. */
static struct memory_part *memory_part_find(vaddr_t va)
{
	for (uint32_t i = 0; i < STAGE_N_BLOBS; i++) {
		if (memory_parts[i].va == va) {
			return &memory_parts[i];
		}
	}
	return NULL;
}

void *stage_memory_new(uint64_t bytes)
{
	struct memory_part *part = memory_part_find(0);
	vaddr_t va;

	if ((memory_window == 0 && memory_window_draw() != E_OK) || part == NULL ||
	        !memory_part_place(bytes, &va) ||
	        memory_map(VM_SPACE_SELF, va, bytes, PROT_R | PROT_W, bytes) != E_OK) {
		return NULL;
	}
	*part = (struct memory_part){.va = va, .bytes = bytes};
	return (void *)va;
}

void stage_memory_free(void *memory, uint64_t bytes)
{
	*memory_part_find((vaddr_t)memory) = (struct memory_part){0};
	memory_unmap(VM_SPACE_SELF, (vaddr_t)memory, bytes);
}
