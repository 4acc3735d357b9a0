/*
 * Requests to VM. Those that a test sends under several numbers, also wrong ones, fill their message by hand;
 * the others use the stubs.
 */
#include "osd/suites/vm/vmtest.h"

#include "osd/lib/request/vm.h"

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
	struct vm_reply reply = vm_space_new(EP_VM);

	*ret_space = reply.space;
	return reply.err;
}

err_t ask_range(uint32_t type, space_t space, vaddr_t va, uint64_t bytes, uint32_t prot)
{
	struct message msg = {.type = type};
	struct vm_reply reply;

	*MSG_AS(struct vm_request_map, &msg) =
	        (struct vm_request_map){.space = space, .prot = prot, .va = va, .bytes = bytes};
	return ask(&msg, &reply);
}

err_t ask_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t populate)
{
	struct vm_request_map request = {.space = space,
	        .prot = prot,
	        .va = va,
	        .bytes = bytes,
	        .flags = populate ? VM_POPULATE : 0,
	        .populate_bytes = populate};

	return vm_map(EP_VM, request).err;
}

err_t ask_share(vaddr_t from_va, space_t to, vaddr_t to_va, uint64_t bytes)
{
	struct vm_request_share request = {.from = VM_SPACE_SELF,
	        .to = to,
	        .from_va = from_va,
	        .to_va = to_va,
	        .bytes = bytes};

	return vm_share(EP_VM, request).err;
}

err_t ask_give(vaddr_t from_va, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	struct vm_request_give request = {
	        .to = to, .prot = prot, .from_va = from_va, .to_va = to_va, .bytes = bytes};

	return vm_give(EP_VM, request).err;
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
	struct vm_request_space request = {
	        .space = space, .max = max, .buffer = (vaddr_t)ret_regions};
	struct vm_reply reply = vm_regions(EP_VM, request);

	*ret_n = reply.count;
	return reply.err;
}

uint64_t frames_left(void)
{
	struct vm_reply reply;

	CHECK(ask_space(VM_USAGE, VM_SPACE_SELF, &reply) == E_OK);
	return reply.free_frames + reply.table_frames;
}
