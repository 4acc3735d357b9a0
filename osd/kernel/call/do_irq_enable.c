/* A line that was delivered stays masked until its driver is done with the device. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/irq.h"

err_t do_irq_enable(struct instance *self, const uint64_t *args)
{
	return args[0] > UINT32_MAX ? E_INVAL : irq_enable(self->slot, (uint32_t)args[0]);
}
