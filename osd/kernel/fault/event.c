/* Events wait with the supervisor, in the order in which they happened. */
#include "osd/kernel/fault/event.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/sched/state.h"

void event_raise(struct instance *instance, enum slot_state state, enum slot_event_kind kind,
        const uint64_t w[5])
{
	struct slot *slot = instance->slot;
	struct slot *supervisor = slot_supervisor(slot);

	KASSERT(list_is_empty(&instance->event_link));
	if (supervisor == NULL && kind == SLOT_EVENT_FAULT) {
		panic("%.24s faulted: reason %lu address %lx ip %lx vector %lu", slot->name, w[0],
		        w[1], w[2], w[3]);
	}
	if (supervisor == NULL) {
		panic("%.24s ended: event %u code %lu", slot->name, kind, w[0]);
	}
	instance_state_set(instance, state);
	instance->event = (struct slot_event){.kind = kind, .at = arch_clock()};
	__builtin_memcpy(instance->event.w, w, sizeof(instance->event.w));
	list_push(&supervisor->events, &instance->event_link);
	ipc_notify_kernel(supervisor, NOTIFIED_KERNEL, 0);
}

bool event_take(struct slot *supervisor, struct slot_event *ret_event)
{
	struct instance *instance;

	if (list_is_empty(&supervisor->events)) {
		return false;
	}
	instance = list_entry(supervisor->events.next, struct instance, event_link);
	list_remove(&instance->event_link);
	*ret_event = instance->event;
	ret_event->endpoint = instance->slot->endpoint;
	return true;
}

void event_pass_on(struct instance *instance, struct slot *heir)
{
	if (!list_is_empty(&instance->event_link)) {
		list_remove(&instance->event_link);
		list_push(&heir->events, &instance->event_link);
	}
}

void event_drop(struct instance *instance)
{
	list_remove(&instance->event_link);
}
