/*
 * One domain for two spaces, as a process that forks is to do no less and no more than before. Both are the
 * caller's: who owns one of the spaces of a domain says what all of them may do.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/domain.h"

static err_t check_space_domain(
        const struct instance *self, const struct space *space, const struct space *other)
{
	endpoint_t caller = self->slot->endpoint;

	if (!space || !other || other->domain == &domain_none) {
		return E_INVAL;
	}
	if (space->owner != caller || other->owner != caller) {
		return E_PERM;
	}
	return space->domain != &domain_none || space_instance(space) ? E_BUSY : E_OK;
}

err_t do_space_domain(struct instance *self, const uint64_t *args)
{
	struct space *space = space_of(args[0]), *other = space_of(args[1]);
	err_t err = check_space_domain(self, space, other);

	if (err == E_OK) {
		domain_join(space, other);
	}
	return err;
}
