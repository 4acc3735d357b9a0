/*
 * An empty address space, on a frame of VM's for its root and one for itself; it is the caller's until it is
 * handed on.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/space.h"

err_t do_space_create(struct instance *self, const uint64_t *args)
{
	struct space *space;
	err_t err = space_open(args[0], args[1], self->slot->endpoint, &space);

	return err == E_OK ? (err_t)space->id : err;
}
