/*
 * Let an instance go on that stands still because it reported, or because it was stopped, or both; or
 * because it faulted, once its registers are others: with the old ones it would fault again.
 * An event that nobody took goes with it: who resumes has dealt with the report or the fault.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/sched/state.h"
#include "osd/kernel/fault/event.h"

static bool slot_is_mended(const struct instance *instance)
{
	return instance->state == SLOT_FAULTED && instance->fault_wait == FAULT_WAIT_SUPERVISOR &&
	       instance->fault_is_mended;
}

static err_t check_slot_resume(const struct instance *instance)
{
	if (instance->state == SLOT_REPORTED || slot_is_mended(instance)) {
		return E_OK;
	}
	return instance->is_stopped && instance->state != SLOT_EXITED ? E_OK : E_STATE;
}

static void commit_slot_resume(struct instance *instance, uint64_t value)
{
	if (instance->state == SLOT_REPORTED) {
		event_drop(instance);
		arch_context_result_set(&instance->context, (err_t)value);
		instance_state_set(instance, SLOT_RUNNABLE);
	} else if (slot_is_mended(instance)) {
		event_drop(instance);
		instance->fault_wait = FAULT_WAIT_NONE;
		instance->fault_is_mended = false;
		instance_state_set(instance, SLOT_RUNNABLE);
	}
	instance_unstop(instance);
}

err_t do_slot_resume(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK) {
		err = check_slot_resume(slot->instance);
	}
	if (err == E_OK) {
		commit_slot_resume(slot->instance, args[1]);
	}
	return err;
}
