/* What the kernel knows of a slot and the instance behind it. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/sched/sched.h"

static void info_fill(const struct slot *slot, struct slot_info *ret_info)
{
	const struct instance *instance = slot->instance;

	*ret_info = (struct slot_info){.endpoint = slot->endpoint,
	        .space = instance->space->id,
	        .state = instance->is_stopped ? SLOT_STOPPED : instance->state,
	        .is_uncommitted = instance->is_uncommitted,
	        .is_held = slot->is_held,
	        .is_stopped = instance->is_stopped,
	        .has_devices = instance_privileges(instance)->n_mmio != 0,
	        .n_senders = slot->n_senders,
	        .n_async = slot->n_async,
	        .n_vm_faults = instance->n_vm_faults,
	        .n_ipc_masked = slot->n_ipc_masked,
	        .first_receive_nsec = slot->first_receive_nsec,
	        .commit_nsec = slot->commit_nsec,
	        .cpu_nsec = arch_cycles_nsec(sched_cycles(instance))};
	for (unsigned int i = 0; i < SERVICE_NAME_LEN; i++) {
		ret_info->name[i] = slot->name[i];
	}
}

err_t do_slot_info(struct instance *self, const uint64_t *args)
{
	struct slot_info info;
	struct slot *slot;
	err_t err = call_slot_memory(self, call_endpoint(args[0]), &slot);

	if (err != E_OK) {
		return err;
	}
	info_fill(slot, &info);
	return user_write(self, args[1], &info, sizeof(info));
}
