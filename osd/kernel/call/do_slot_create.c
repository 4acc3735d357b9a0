/* A stopped instance over an address space, in a slot of its own; the caller supervises it. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/fault/usercopy.h"

#define SLOT_FLAGS (SLOT_UNCOMMITTED | SLOT_PROGRAM)

static bool slot_name_is_valid(const char name[SERVICE_NAME_LEN])
{
	unsigned int n = 0;

	while (n < SERVICE_NAME_LEN &&
	        ((name[n] >= 'a' && name[n] <= 'z') || (name[n] >= '0' && name[n] <= '9') ||
	                name[n] == '_')) {
		n++;
	}
	if (n == 0 || n == SERVICE_NAME_LEN) {
		return false;
	}
	while (n < SERVICE_NAME_LEN && name[n] == '\0') {
		n++;
	}
	return n == SERVICE_NAME_LEN;
}

static bool slot_class_is_valid(const struct slot_params *params)
{
	return params->ipc_class < (params->flags & SLOT_PROGRAM ? N_CLASSES : 1);
}

/*
 * Services are found by name and are in others' masks by number, so who could make them could be any
 * of them. More urgent than its supervisor, a process could keep that from stopping it.
 */
static bool slot_is_allowed(const struct instance *self, const struct slot_params *params)
{
	const struct domain_privileges *own = instance_privileges(self);

	return slot_is_root(self->slot) ||
	       (params->flags & SLOT_PROGRAM && own->ipc_classes >> params->ipc_class & 1 &&
	               params->priority >= self->priority);
}

/*
 * Has the space memory for it? Who runs there has committed, and so has who comes, since what has not can
 * do no harm, alone or with others.
 */
static err_t check_slot_space(const struct slot_params *params, const struct space *space)
{
	const struct instance *other = space_instance(space);

	if (other != NULL && (other->is_uncommitted || params->flags & SLOT_UNCOMMITTED)) {
		return E_BUSY;
	}
	return list_is_empty(&space->threads) ? E_BUSY : E_OK;
}

static err_t check_slot_create(struct instance *self, vaddr_t address,
        struct slot_params *ret_params, struct space **ret_space, uint32_t *ret_number)
{
	err_t err = user_read(self, address, ret_params, sizeof(*ret_params));

	if (err != E_OK) {
		return err;
	}
	if (!slot_name_is_valid(ret_params->name) || ret_params->flags & ~SLOT_FLAGS ||
	        ret_params->priority >= N_PRIORITIES || !slot_class_is_valid(ret_params)) {
		return E_INVAL;
	}
	if (!slot_is_allowed(self, ret_params)) {
		return E_PERM;
	}
	*ret_space = space_of(ret_params->space);
	if (!*ret_space) {
		return E_INVAL;
	}
	if ((*ret_space)->owner != self->slot->endpoint) {
		return E_PERM;
	}
	*ret_number = slot_number_free(ret_params->flags & SLOT_PROGRAM);
	if (*ret_number == N_SLOTS || !slot_may_supervise(self->slot)) {
		return E_FULL;
	}
	return check_slot_space(ret_params, *ret_space);
}

err_t do_slot_create(struct instance *self, const uint64_t *args)
{
	struct slot_params params;
	struct space *space;
	uint32_t number;
	err_t err = check_slot_create(self, args[0], &params, &space, &number);

	if (err != E_OK) {
		return err;
	}
	return slot_open(number, &params, space, self->slot->endpoint)->endpoint;
}
