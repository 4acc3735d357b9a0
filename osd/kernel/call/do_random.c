/* Random bits for anybody. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/base/random.h"

err_t do_random(struct instance *self, const uint64_t *args)
{
	arch_context_result2_set(&self->context, random_next());
	return E_OK;
}
