/*
 * Let an instance go on that stands still because it reported, or because it was stopped, or both.
 * An event that nobody took goes with it: who resumes has dealt with the report.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/sched/state.h"
#include "osd/kernel/fault/event.h"

static err_t check_slot_resume(const struct instance *instance)
{
	if (instance->state == SLOT_REPORTED) {
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
