/*
 * Requests. Everything in a message is checked here or where it is used; what only RS may do is
 * refused to anybody else. VM never waits: each handler makes the reply at once.
 */
#include "osd/servers/vm/priv.h"

#define N_REGIONS_AT_ONCE 16u
#define MAP_BYTES_MAX (UINT64_C(1) << 40)

/* The space that a request names; only RS may name another than its own. */
static err_t space_named(const struct message *msg, space_t id, struct space **ret_space)
{
	struct space *own;
	err_t err;

	if (id != VM_SPACE_SELF && msg->source == EP_RS) {
		*ret_space = space_of(id);
		return *ret_space ? E_OK : E_NOTFOUND;
	}
	err = space_of_endpoint(msg->source, &own);
	if (err != E_OK) {
		return err;
	}
	if (id != VM_SPACE_SELF && id != own->id) {
		return E_PERM;
	}
	*ret_space = own;
	return E_OK;
}

/* Bytes to pages, rounded up; 0 for what no request may ask. */
static uint64_t pages_of(uint64_t bytes)
{
	return bytes <= MAP_BYTES_MAX ? (bytes + PAGE_SIZE - 1) / PAGE_SIZE : 0;
}

static err_t answer_space_new(const struct message *msg, struct vm_reply *reply)
{
	struct space *space;
	err_t err = space_new(&space);

	(void)msg;
	if (err == E_OK) {
		reply->space = space->id;
	}
	return err;
}

static err_t answer_space_free(const struct message *msg, struct vm_reply *reply)
{
	struct space *space = space_of(MSG_AS(const struct vm_request_space, msg)->space);

	(void)reply;
	return space ? space_free(space) : E_NOTFOUND;
}

static err_t answer_map(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_map *asked = MSG_AS(const struct vm_request_map, msg);
	struct map_request request = {
	        .va = asked->va,
	        .n_pages = pages_of(asked->bytes),
	        .prot = asked->prot,
	        .may_use_reserve = msg->source == EP_RS,
	};
	struct space *space;
	err_t err = space_named(msg, asked->space, &space);

	(void)reply;
	if (err != E_OK) {
		return err;
	}
	if (asked->flags & ~VM_POPULATE || asked->populate_bytes > asked->bytes) {
		return E_INVAL;
	}
	if (asked->flags & VM_POPULATE) {
		request.n_populate =
		        asked->populate_bytes ? pages_of(asked->populate_bytes) : request.n_pages;
	}
	return map_anonymous(space, &request);
}

static err_t answer_unmap(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_map *asked = MSG_AS(const struct vm_request_map, msg);
	struct space *space;
	err_t err = space_named(msg, asked->space, &space);

	(void)reply;
	return err == E_OK ? map_remove(space, asked->va, pages_of(asked->bytes)) : err;
}

static err_t answer_protect(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_map *asked = MSG_AS(const struct vm_request_map, msg);
	struct space *space;
	err_t err = space_named(msg, asked->space, &space);

	(void)reply;
	if (err != E_OK) {
		return err;
	}
	return map_protect(space, asked->va, pages_of(asked->bytes), asked->prot);
}

static err_t answer_share(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_share *asked = MSG_AS(const struct vm_request_share, msg);
	struct space *from, *to;
	err_t err = space_named(msg, asked->from, &from);

	(void)reply;
	if (err == E_OK) {
		err = space_named(msg, asked->to, &to);
	}
	if (err != E_OK) {
		return err;
	}
	if (asked->from_va % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	return share_map(from, asked->from_va, to, asked->to_va, pages_of(asked->bytes));
}

static err_t answer_mirror(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_mirror *asked = MSG_AS(const struct vm_request_mirror, msg);
	struct space *old = space_of(asked->old), *new = space_of(asked->new);

	(void)reply;
	if (!old || !new) {
		return E_NOTFOUND;
	}
	return msg->type == VM_MIRROR ? mirror_map(old, new) : mirror_unmap(old, new);
}

static uint32_t region_flags(enum region_kind kind)
{
	switch (kind) {
	case REGION_DMA:
		return VM_REGION_DMA;
	case REGION_DEVICE:
		return VM_REGION_DEVICE;
	case REGION_SHARED:
		return VM_REGION_SHARED;
	case REGION_MIRROR:
		return VM_REGION_MIRROR;
	case REGION_ANONYMOUS:
	case REGION_FIXED:
	case REGION_GATE:
	case REGION_KIND_N:
		break;
	}
	return 0;
}

/* Tell the regions of a space to the caller's memory, a few at a time. */
static err_t answer_regions(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_space *asked = MSG_AS(const struct vm_request_space, msg);
	struct vm_region some[N_REGIONS_AT_ONCE];
	const struct region *region;
	struct space *space;
	uint32_t n = 0, n_told = 0;
	err_t err = space_named(msg, asked->space, &space);

	if (err != E_OK) {
		return err;
	}
	for (region = space->regions; region; region = region->next) {
		some[n++] = (struct vm_region){.va = region->va,
		        .bytes = region->n_pages * PAGE_SIZE,
		        .resident_pages = region->n_backed,
		        .prot = region->prot,
		        .flags = region_flags(region->kind)};
		if (n < N_REGIONS_AT_ONCE && region->next) {
			continue;
		}
		if (n > asked->max - n_told) {
			return E_FULL;
		}
		err = sys_copy(EP_SELF, (vaddr_t)some, msg->source,
		        asked->buffer + n_told * sizeof(some[0]), n * sizeof(some[0]), 0);
		if (err != E_OK) {
			return err;
		}
		n_told += n;
		n = 0;
	}
	reply->count = n_told;
	return E_OK;
}

/* Memory that a device sees is for those who have one: its frames never become anything else. */
static err_t answer_dma(const struct message *msg, struct vm_reply *reply)
{
	struct slot_info info;
	struct space *space;
	err_t err = space_named(msg, VM_SPACE_SELF, &space);

	if (err == E_OK) {
		err = sys_slot_info(msg->source, &info);
	}
	if (err != E_OK) {
		return err;
	}
	if (!info.has_devices && msg->source != EP_RS) {
		return E_PERM;
	}
	return device_map_dma(
	        space, MSG_AS(const struct vm_request_dma, msg)->bytes, &reply->va, &reply->pa);
}

static err_t answer_mmio(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_dma *asked = MSG_AS(const struct vm_request_dma, msg);
	struct space *space;
	err_t err = space_named(msg, VM_SPACE_SELF, &space);

	if (err != E_OK) {
		return err;
	}
	return device_map_registers(space, asked->pa, asked->bytes, &reply->va);
}

static err_t answer_usage(const struct message *msg, struct vm_reply *reply)
{
	struct space *space;
	err_t err = space_named(msg, MSG_AS(const struct vm_request_space, msg)->space, &space);

	if (err != E_OK) {
		return err;
	}
	reply->total_frames = boot_total_frames();
	reply->free_frames = frame_n_free();
	reply->table_frames = space_n_tables();
	reply->resident_pages = space_n_backed(space);
	return E_OK;
}

static err_t answer_gate(const struct message *msg, struct vm_reply *reply)
{
	const struct vm_request_map *asked = MSG_AS(const struct vm_request_map, msg);
	struct space *space = space_of(asked->space);

	(void)reply;
	return space ? map_gate(space, asked->va) : E_NOTFOUND;
}

static const struct {
	err_t (*answer)(const struct message *msg, struct vm_reply *reply);
	bool is_for_rs;
} requests[] = {
        [VM_SPACE_NEW - VM_BASE] = {answer_space_new, true},
        [VM_SPACE_FREE - VM_BASE] = {answer_space_free, true},
        [VM_MAP - VM_BASE] = {answer_map, false},
        [VM_UNMAP - VM_BASE] = {answer_unmap, false},
        [VM_PROTECT - VM_BASE] = {answer_protect, false},
        [VM_SHARE - VM_BASE] = {answer_share, true},
        [VM_MIRROR - VM_BASE] = {answer_mirror, true},
        [VM_UNMIRROR - VM_BASE] = {answer_mirror, true},
        [VM_REGIONS - VM_BASE] = {answer_regions, true},
        [VM_DMA - VM_BASE] = {answer_dma, false},
        [VM_MMIO - VM_BASE] = {answer_mmio, false},
        [VM_USAGE - VM_BASE] = {answer_usage, false},
        [VM_GATE - VM_BASE] = {answer_gate, true},
};

void request_answer(struct message *msg)
{
	uint32_t index = msg->type - VM_BASE;
	struct vm_reply reply = {.err = E_NOSYS};

	if (index < sizeof(requests) / sizeof(requests[0]) && requests[index].answer) {
		bool is_allowed = !requests[index].is_for_rs || msg->source == EP_RS;

		reply.err = is_allowed ? requests[index].answer(msg, &reply) : E_PERM;
	}
	*msg = (struct message){.type = MSG_REPLY, .source = msg->source};
	*MSG_AS(struct vm_reply, msg) = reply;
}
