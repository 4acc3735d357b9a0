/*
 * Hand a space on. Whoever keeps the memory makes spaces for those who ask, and those make what runs in
 * them: with the right to slot_create alone, one supervisor could begin in the space of another one.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/domain.h"

err_t do_space_give(struct instance *self, const uint64_t *args)
{
	struct space *space = space_of(args[0]);
	const struct slot *owner = slot_of(call_endpoint(args[1]));

	if (!space) {
		return E_INVAL;
	}
	if (space->owner != self->slot->endpoint) {
		return E_PERM;
	}
	if (!owner) {
		return E_DEAD;
	}
	if (space->domain->n_spaces > 1) {
		return E_BUSY; /* two would say what both of them may do */
	}
	space->owner = owner->endpoint;
	return E_OK;
}
