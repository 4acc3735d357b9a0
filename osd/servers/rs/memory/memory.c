/*
 * Requests to VM, the only service that RS waits for: VM is of the highest rank and never waits
 * itself. Giving memory back cannot fail; if it does, either side has lost count, and RS stops.
 *
 * Each function is one request of osd/abi/vm.def; no state is kept here. RS knows the spaces that
 * it made from the records of its instances.
 */
#include "osd/servers/rs/memory/memory.h"

#include "osd/lib/request/vm.h"
#include "osd/servers/rs/base/log.h"

/* Stop RS unless VM took back what it was given. */
static void memory_give_back(struct vm_reply reply, const char *what)
{
	if (reply.err != E_OK) {
		rs_panic(what);
	}
}

err_t memory_space_new(space_t *ret_space)
{
	struct vm_reply reply = vm_space_new(EP_VM);

	if (reply.err == E_OK) {
		*ret_space = reply.space;
	}
	return reply.err;
}

void memory_space_free(space_t space)
{
	struct vm_request_space request = {.space = space};

	memory_give_back(vm_space_free(EP_VM, request), "VM_SPACE_FREE failed");
}

err_t memory_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	struct vm_request_map request = {
	        .space = space,
	        .prot = prot,
	        .va = va,
	        .bytes = bytes,
	        .flags = backed > 0 ? VM_POPULATE : 0,
	        .populate_bytes = backed,
	};

	return vm_map(EP_VM, request).err;
}

void memory_unmap(space_t space, vaddr_t va, uint64_t bytes)
{
	struct vm_request_map request = {.space = space, .va = va, .bytes = bytes};

	memory_give_back(vm_unmap(EP_VM, request), "VM_UNMAP failed");
}

err_t memory_gate(space_t space, vaddr_t va)
{
	return vm_gate(EP_VM, (struct vm_request_map){.space = space, .va = va}).err;
}

err_t memory_share(const void *from, space_t to, vaddr_t to_va, uint64_t bytes)
{
	struct vm_request_share request = {
	        .from = VM_SPACE_SELF,
	        .to = to,
	        .from_va = (vaddr_t)from,
	        .to_va = to_va,
	        .bytes = bytes,
	};

	return vm_share(EP_VM, request).err;
}

err_t memory_give(const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	struct vm_request_give request = {
	        .to = to, .prot = prot, .from_va = (vaddr_t)from, .to_va = to_va, .bytes = bytes};

	return vm_give(EP_VM, request).err;
}

err_t memory_mirror(space_t old, space_t new)
{
	return vm_mirror(EP_VM, (struct vm_request_mirror){.old = old, .new = new}).err;
}

void memory_unmirror(space_t old, space_t new)
{
	struct vm_request_mirror request = {.old = old, .new = new};

	memory_give_back(vm_unmirror(EP_VM, request), "VM_UNMIRROR failed");
}

err_t memory_regions(space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n)
{
	struct vm_request_space request = {
	        .space = space, .max = max, .buffer = (vaddr_t)ret_regions};
	struct vm_reply reply = vm_regions(EP_VM, request);

	if (reply.err == E_OK) {
		*ret_n = reply.count;
	}
	return reply.err;
}

err_t memory_usage(space_t space, struct vm_reply *ret_usage)
{
	*ret_usage = vm_usage(EP_VM, (struct vm_request_space){.space = space});
	return ret_usage->err;
}
