/* The way out of a hold after a rollback: the old instance, swapped back, goes on. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/object/space.h"

err_t do_slot_unhold(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK && self->call_progress == 0) {
		if (!slot->is_held || slot->instance->is_uncommitted) {
			return E_STATE;
		}
		irq_review(slot->instance->space->domain);
		slot_unhold(slot);
	}
	return call_unpark(self, err, slot);
}
