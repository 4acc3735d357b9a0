/* The frame in which the kernel keeps the floating-point and vector registers of who runs in a space. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/space.h"

err_t do_space_fpu(struct instance *self, const uint64_t *args)
{
	struct space *space = space_of(args[0]);

	return space ? space_fpu_give(space, args[1]) : E_INVAL;
}
