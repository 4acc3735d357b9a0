/*
 * Safe copies through direct grants. The call restarts from self->call_progress, and looks the
 * grant up again each time: between two steps the granter may have revoked it, ended, or be
 * somebody else behind the same endpoint. While the granter's slot is held nobody may touch its
 * memory: the caller waits on the slot.
 */
#include "osd/kernel/call/grant.h"
#include "osd/kernel/call/call.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/abi/grant.h"

struct grant_use {
	endpoint_t granter;
	uint32_t id;
	uint64_t offset, bytes;
	vaddr_t local;
	uint16_t access; /* GRANT_READ or GRANT_WRITE */
};

/*
 * The granter's table is in its memory and says whatever the granter
 * wants: read it once, then check.
 */
static err_t grant_read(
        struct instance *self, struct slot *granter, uint32_t id, struct grant *ret_grant)
{
	uint32_t index = id & 0xffff;
	const struct instance *owner = granter->instance;
	err_t err;

	if (index >= owner->n_grants || owner->is_uncommitted) {
		return E_GRANT;
	}
	err = user_read_from(self, owner->space, owner->grant_table + index * sizeof(*ret_grant),
	        ret_grant, sizeof(*ret_grant));
	return err == E_FAULT ? E_GRANT : err;
}

static bool grant_allows(const struct grant *grant, const struct grant_use *use, endpoint_t caller)
{
	vaddr_t start = (vaddr_t)grant->address;

	return start && grant->sequence == use->id >> 16 && grant->to == caller &&
	       (grant->access & use->access) && use->offset <= grant->bytes &&
	       use->bytes <= grant->bytes - use->offset && call_range_is_user(start, grant->bytes);
}

static err_t grant_check(struct instance *self, const struct grant_use *use,
        struct slot **ret_granter, vaddr_t *ret_remote)
{
	struct slot *granter = slot_of(use->granter);
	struct grant grant;
	err_t err;

	if (!call_range_is_user(use->local, use->bytes)) {
		return E_INVAL;
	}
	if (!granter) {
		return E_DEAD;
	}
	if (granter->is_held) {
		return ipc_park(self, granter);
	}
	err = grant_read(self, granter, use->id, &grant);
	if (err != E_OK) {
		return err;
	}
	if (!grant_allows(&grant, use, self->slot->endpoint)) {
		return E_GRANT;
	}
	*ret_granter = granter;
	*ret_remote = (vaddr_t)grant.address + use->offset;
	return E_OK;
}

static struct grant_use grant_use_of(const uint64_t *args, uint16_t access)
{
	return (struct grant_use){.granter = call_endpoint(args[0]),
	        .id = (uint32_t)args[1],
	        .offset = args[2],
	        .local = args[3],
	        .bytes = args[4],
	        .access = access};
}

err_t grant_copy(struct instance *self, const uint64_t *args, uint16_t access)
{
	const struct grant_use use = grant_use_of(args, access);
	struct user_copy copy = {.n = use.bytes, .access = MMU_ACCESS_WRITE};
	struct slot *granter;
	vaddr_t remote;
	err_t err = grant_check(self, &use, &granter, &remote);

	if (err != E_OK) {
		if (err != KCALL_PENDING) {
			self->call_progress = 0;
		}
		return err;
	}
	if (use.access == GRANT_READ) {
		copy.from = granter->instance->space;
		copy.from_va = remote;
		copy.to = self->space;
		copy.to_va = use.local;
	} else {
		copy.from = self->space;
		copy.from_va = use.local;
		copy.to = granter->instance->space;
		copy.to_va = remote;
	}
	return user_copy(self, &copy);
}
