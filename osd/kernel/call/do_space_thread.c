/* The frame of one more thread of a space: registers, those of the FPU too, and endpoint. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/space.h"

err_t do_space_thread(struct instance *self, const uint64_t *args)
{
	struct space *space = space_of(args[0]);

	return space ? space_thread_give(space, args[1]) : E_INVAL;
}
