/* The way out of a hold after an update: the new instance becomes the service. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/irq.h"

static bool slot_has_ended(const struct instance *instance)
{
	return instance->state == SLOT_EXITED ||
	       (instance->state == SLOT_FAULTED && instance->fault_wait == FAULT_WAIT_SUPERVISOR);
}

static err_t check_slot_commit(const struct slot *slot)
{
	if (!slot->is_held || !slot->instance->is_uncommitted || slot_has_ended(slot->instance)) {
		return E_STATE;
	}
	return E_OK;
}

static void commit_slot_commit(struct slot *slot)
{
	slot->instance->is_uncommitted = false;
	domain_rights_give(slot->instance);
	irq_review(slot->instance->space->domain);
	slot->commit_nsec = arch_clock();
	slot->first_receive_nsec = 0;
	slot->pending |= PENDING_FIRST_RECEIVE;
	slot_unhold(slot);
}

err_t do_slot_commit(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK && self->call_progress == 0) {
		err = check_slot_commit(slot);
		if (err == E_OK) {
			commit_slot_commit(slot);
		}
	}
	return call_unpark(self, err, slot);
}
