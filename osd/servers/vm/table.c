/*
 * Requests: a handler for each row of osd/abi/vm.def. Everything in a message is checked here or
 * where it is used; what only RS may ask is refused to anybody else before the handler runs. VM
 * never waits: each handler makes the reply at once.
 */
#include "osd/servers/vm/priv.h"

#define N_REGIONS_AT_ONCE 16u
#define MAP_BYTES_MAX (UINT64_C(1) << 40)

/* The space that a request names; only RS may name another than its own. */
static err_t table_space_named(endpoint_t who, space_t id, struct space **ret_space)
{
	struct space *own;
	err_t err;

	if (id != VM_SPACE_SELF && who == EP_RS) {
		*ret_space = space_of(id);
		return *ret_space ? E_OK : E_NOTFOUND;
	}
	err = space_of_endpoint(who, &own);
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
static uint64_t table_pages_of(uint64_t bytes)
{
	return bytes <= MAP_BYTES_MAX ? (bytes + PAGE_SIZE - 1) / PAGE_SIZE : 0;
}

err_t vm_on_space_new(endpoint_t who, struct vm_reply *ret_reply)
{
	struct space *space;
	err_t err = space_new(&space);

	if (err != E_OK) {
		return err;
	}
	err = sys_space_give(space->id, who); /* it is who asks that makes a slot over it */
	if (err != E_OK) {
		(void)space_free(space); /* nobody has used it */
		return err;
	}
	ret_reply->space = space->id;
	return E_OK;
}

err_t vm_on_space_free(
        endpoint_t who, const struct vm_request_space *ask, struct vm_reply *ret_reply)
{
	struct space *space = space_of(ask->space);

	return space ? space_free(space) : E_NOTFOUND;
}

err_t vm_on_map(endpoint_t who, const struct vm_request_map *ask, struct vm_reply *ret_reply)
{
	struct map_request request = {
	        .va = ask->va,
	        .n_pages = table_pages_of(ask->bytes),
	        .prot = ask->prot,
	        .may_use_reserve = who == EP_RS,
	};
	struct space *space;
	err_t err = table_space_named(who, ask->space, &space);

	if (err != E_OK) {
		return err;
	}
	if (ask->flags & ~VM_POPULATE || ask->populate_bytes > ask->bytes) {
		return E_INVAL;
	}
	if (ask->flags & VM_POPULATE) {
		request.n_populate =
		        ask->populate_bytes ? table_pages_of(ask->populate_bytes) : request.n_pages;
	}
	return map_anonymous(space, &request);
}

err_t vm_on_unmap(endpoint_t who, const struct vm_request_map *ask, struct vm_reply *ret_reply)
{
	struct space *space;
	err_t err = table_space_named(who, ask->space, &space);

	return err == E_OK ? map_remove(space, ask->va, table_pages_of(ask->bytes)) : err;
}

err_t vm_on_protect(endpoint_t who, const struct vm_request_map *ask, struct vm_reply *ret_reply)
{
	struct space *space;
	err_t err = table_space_named(who, ask->space, &space);

	if (err != E_OK) {
		return err;
	}
	return map_protect(space, ask->va, table_pages_of(ask->bytes), ask->prot);
}

err_t vm_on_share(endpoint_t who, const struct vm_request_share *ask, struct vm_reply *ret_reply)
{
	struct space *from, *to;
	err_t err = table_space_named(who, ask->from, &from);

	if (err == E_OK) {
		err = table_space_named(who, ask->to, &to);
	}
	if (err != E_OK) {
		return err;
	}
	if (ask->from_va % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	return share_map(from, ask->from_va, to, ask->to_va, table_pages_of(ask->bytes));
}

err_t vm_on_give(endpoint_t who, const struct vm_request_give *ask, struct vm_reply *ret_reply)
{
	struct give_request give = {
	        .to_va = ask->to_va, .n_pages = table_pages_of(ask->bytes), .prot = ask->prot};
	struct space *from;
	err_t err = table_space_named(who, VM_SPACE_SELF, &from);

	if (err == E_OK) {
		err = table_space_named(who, ask->to, &give.to);
	}
	return err == E_OK ? give_map(from, ask->from_va, &give) : err;
}

err_t vm_on_mirror(endpoint_t who, const struct vm_request_mirror *ask, struct vm_reply *ret_reply)
{
	struct space *old = space_of(ask->old), *new = space_of(ask->new);

	return old && new ? mirror_map(old, new) : E_NOTFOUND;
}

err_t vm_on_unmirror(
        endpoint_t who, const struct vm_request_mirror *ask, struct vm_reply *ret_reply)
{
	struct space *old = space_of(ask->old), *new = space_of(ask->new);

	return old && new ? mirror_unmap(old, new) : E_NOTFOUND;
}

static uint32_t table_region_flags(enum region_kind kind)
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
err_t vm_on_regions(endpoint_t who, const struct vm_request_space *ask, struct vm_reply *ret_reply)
{
	struct vm_region some[N_REGIONS_AT_ONCE];
	const struct region *region;
	struct space *space;
	uint32_t n = 0, n_told = 0;
	err_t err = table_space_named(who, ask->space, &space);

	if (err != E_OK) {
		return err;
	}
	for (region = space->regions; region; region = region->next) {
		some[n++] = (struct vm_region){.va = region->va,
		        .bytes = region->n_pages * PAGE_SIZE,
		        .resident_pages = region->n_backed,
		        .prot = region->prot,
		        .flags = table_region_flags(region->kind)};
		if (n < N_REGIONS_AT_ONCE && region->next) {
			continue;
		}
		if (n > ask->max - n_told) {
			return E_FULL;
		}
		err = sys_copy(EP_SELF, (vaddr_t)some, who, ask->buffer + n_told * sizeof(some[0]),
		        n * sizeof(some[0]), 0);
		if (err != E_OK) {
			return err;
		}
		n_told += n;
		n = 0;
	}
	ret_reply->count = n_told;
	return E_OK;
}

/* Memory that a device sees is for those who have one: its frames never become anything else. */
err_t vm_on_dma(endpoint_t who, const struct vm_request_dma *ask, struct vm_reply *ret_reply)
{
	struct slot_info info;
	struct space *space;
	err_t err = table_space_named(who, VM_SPACE_SELF, &space);

	if (err == E_OK) {
		err = sys_slot_info(who, &info);
	}
	if (err != E_OK) {
		return err;
	}
	if (!info.has_devices && who != EP_RS) {
		return E_PERM;
	}
	return device_map_dma(space, ask->bytes, &ret_reply->va, &ret_reply->pa);
}

err_t vm_on_mmio(endpoint_t who, const struct vm_request_dma *ask, struct vm_reply *ret_reply)
{
	struct space *space;
	err_t err = table_space_named(who, VM_SPACE_SELF, &space);

	if (err != E_OK) {
		return err;
	}
	return device_map_registers(space, ask->pa, ask->bytes, &ret_reply->va);
}

err_t vm_on_usage(endpoint_t who, const struct vm_request_space *ask, struct vm_reply *ret_reply)
{
	struct space *space;
	err_t err = table_space_named(who, ask->space, &space);

	if (err != E_OK) {
		return err;
	}
	ret_reply->total_frames = boot_total_frames();
	ret_reply->free_frames = frame_n_free();
	ret_reply->table_frames = space_n_tables();
	ret_reply->resident_pages = space_n_backed(space);
	return E_OK;
}

err_t vm_on_gate(endpoint_t who, const struct vm_request_map *ask, struct vm_reply *ret_reply)
{
	struct space *space = space_of(ask->space);

	return space ? map_gate(space, ask->va) : E_NOTFOUND;
}

#define MAY_RS(who, ret_reply) ((who) == EP_RS ? E_OK : E_PERM)

bool table_dispatch(struct message *msg)
{
	switch (msg->type) {
#define REQUEST SERVE_CASE
#include "osd/abi/vm.def"
#undef REQUEST
	}
	return serve_unknown(msg);
}
