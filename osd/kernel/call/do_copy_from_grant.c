/* A safe copy out of memory that another process has granted to the caller. */
#include "osd/kernel/call/grant.h"
#include "osd/abi/grant.h"

err_t do_copy_from_grant(struct instance *self, const uint64_t *args)
{
	return grant_copy(self, args, GRANT_READ);
}
