/* The frame in which asynchronous messages wait for who runs in a space. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/space.h"

err_t do_space_queue(struct instance *self, const uint64_t *args)
{
	struct space *space = args[0] < N_SPACES ? space_of((space_t)args[0]) : NULL;

	return space ? space_queue_give(space, args[1]) : E_INVAL;
}
