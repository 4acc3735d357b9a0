/* The kernel clock. */
#include "osd/kernel/call/call.h"

err_t do_clock_read(struct instance *self, const uint64_t *args)
{
	return (err_t)arch_clock();
}
