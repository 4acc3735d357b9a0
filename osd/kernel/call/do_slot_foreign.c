/* An instance that has not begun is to be a foreign thread. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/foreign/foreign.h"
#include "osd/kernel/object/space.h"

static err_t check_slot_foreign(const struct instance *instance, uint32_t personality)
{
	if (!personality_is_set(personality)) {
		return E_INVAL;
	}
	if (instance->state != SLOT_NEW || instance->is_uncommitted) {
		return E_STATE;
	}
	return instance->space->gate != 0 ? E_BUSY : E_OK;
}

err_t do_slot_foreign(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK) {
		err = check_slot_foreign(slot->instance, (uint32_t)args[1]);
	}
	if (err == E_OK) {
		slot->instance->is_foreign = 1;
		slot->instance->personality = (uint32_t)args[1];
	}
	return err;
}
