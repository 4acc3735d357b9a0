/*
 * Requests to VM, the only service that RS waits for: VM is of the highest rank and never waits
 * itself. Giving memory back cannot fail; if it does, either side has lost count, and RS stops.
 *
 * Each function is one request of osd/abi/vm.def; no state is kept here. RS knows the spaces that
 * it made from the records of its instances.
 */
#include "osd/servers/rs/memory/memory.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/log.h"

/*
 * Send and wait; the error of the request, else that of the way. *ret_reply is set in the first
 * case.
 */
static err_t memory_ask(struct message *msg, struct vm_reply *ret_reply)
{
	err_t err = sys_sendrec(EP_VM, msg);

	if (err != E_OK) {
		return err;
	}
	*ret_reply = *MSG_AS(struct vm_reply, msg);
	return ret_reply->err;
}

/* what: for the log, when RS ends here. */
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
	err_t err = memory_ask(&msg, &reply);

	if (err == E_OK) {
		*ret_space = reply.space;
	}
	return err;
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
	err_t err;

	*MSG_AS(struct vm_request_space, &msg) = (struct vm_request_space){
	        .space = space, .max = max, .buffer = (vaddr_t)ret_regions};
	err = memory_ask(&msg, &reply);
	if (err == E_OK) {
		*ret_n = reply.count;
	}
	return err;
}

err_t memory_usage(space_t space, struct vm_reply *ret_usage)
{
	struct message msg = {.type = VM_USAGE};

	MSG_AS(struct vm_request_space, &msg)->space = space;
	return memory_ask(&msg, ret_usage);
}
