/* An interrupt line becomes a notification of the caller's slot. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/irq.h"

err_t do_irq_hook(struct instance *self, const uint64_t *args)
{
	uint32_t hook;
	err_t err;

	if (args[0] >= arch_irq_lines() || args[1] >= 64) {
		return E_INVAL;
	}
	if (!privileges_have_line(instance_privileges(self), args[0])) {
		return E_PERM;
	}
	err = irq_hook(self->slot, (uint32_t)args[0], (uint32_t)args[1], &hook);
	return err == E_OK ? (err_t)hook : err;
}
