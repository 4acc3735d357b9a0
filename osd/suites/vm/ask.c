#include "osd/suites/vm/vmtest.h"

static err_t ask(struct message *msg, struct vm_reply *ret_reply)
{
	CHECK(sys_sendrec(EP_VM, msg) == E_OK && msg->type == MSG_REPLY);
	*ret_reply = *MSG_AS(struct vm_reply, msg);
	return ret_reply->err;
}

err_t ask_space(uint32_t type, space_t space, struct vm_reply *ret_reply)
{
	struct message msg = {.type = type};

	MSG_AS(struct vm_request_space, &msg)->space = space;
	return ask(&msg, ret_reply);
}

err_t ask_space_new(space_t *ret_space)
{
	struct vm_reply reply;
	err_t err = ask_space(VM_SPACE_NEW, 0, &reply);

	*ret_space = reply.space;
	return err;
}

static err_t ask_map_request(uint32_t type, const struct vm_request_map *request)
{
	struct message msg = {.type = type};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_map, &msg) = *request;
	return ask(&msg, &reply);
}

err_t ask_range(uint32_t type, space_t space, vaddr_t va, uint64_t bytes, uint32_t prot)
{
	return ask_map_request(type,
	        &(struct vm_request_map){.space = space, .prot = prot, .va = va, .bytes = bytes});
}

err_t ask_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t populate)
{
	return ask_map_request(VM_MAP, &(struct vm_request_map){.space = space,
	                                       .prot = prot,
	                                       .va = va,
	                                       .bytes = bytes,
	                                       .flags = populate ? VM_POPULATE : 0,
	                                       .populate_bytes = populate});
}

err_t ask_share(vaddr_t from_va, space_t to, vaddr_t to_va, uint64_t bytes)
{
	struct message msg = {.type = VM_SHARE};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_share, &msg) = (struct vm_request_share){.from = VM_SPACE_SELF,
	        .to = to,
	        .from_va = from_va,
	        .to_va = to_va,
	        .bytes = bytes};
	return ask(&msg, &reply);
}

err_t ask_mirror(uint32_t type, space_t old, space_t new)
{
	struct message msg = {.type = type};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_mirror, &msg) =
	        (struct vm_request_mirror){.old = old, .new = new};
	return ask(&msg, &reply);
}

err_t ask_regions(space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n)
{
	struct message msg = {.type = VM_REGIONS};
	struct vm_reply reply;
	err_t err;

	*MSG_AS(struct vm_request_space, &msg) = (struct vm_request_space){
	        .space = space, .max = max, .buffer = (vaddr_t)ret_regions};
	err = ask(&msg, &reply);
	*ret_n = reply.count;
	return err;
}

uint64_t frames_left(void)
{
	struct vm_reply reply;

	CHECK(ask_space(VM_USAGE, VM_SPACE_SELF, &reply) == E_OK);
	return reply.free_frames + reply.table_frames;
}
