/* A domain without rights, in a frame of VM's, of a space that has none. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/domain.h"

err_t do_domain_create(struct instance *self, const uint64_t *args)
{
	struct space *space = space_of(args[0]);

	if (!space) {
		return E_INVAL;
	}
	if (space->domain != &domain_none || space_instance(space)) {
		return E_BUSY;
	}
	return domain_open(space, args[1]);
}
