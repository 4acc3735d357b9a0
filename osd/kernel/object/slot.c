/*
 * The table of slots: who is behind an endpoint, who may supervise whom, and what a slot may call.
 * How a slot begins and ends is in life.c, since that touches everything that a slot is linked
 * into; the states of an instance are in state.c.
 */
#include "osd/kernel/object/slot.h"
#include "osd/kernel/object/rights.h"

struct slot slots[N_SLOTS];
static struct instance instances[N_SLOTS];

endpoint_t slot_endpoint_closed(uint32_t number)
{
	return EP_MAKE(number ^ 1, 0);
}

void slots_init(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		struct slot *slot = &slots[i];
		struct instance *instance = &instances[i];

		slot->endpoint = slot_endpoint_closed(i);
		slot->instance = instance;
		slot->supervisor = EP_NONE;
		list_init(&slot->senders);
		list_init(&slot->alarm_link);
		instance->slot = slot;
		instance->state = SLOT_STOPPED;
		instance->peer = EP_NONE;
		list_init(&instance->ready_link);
		list_init(&instance->sender_link);
		list_init(&instance->fault_link);
		list_init(&instance->event_link);
	}
}

struct slot *slot_of(endpoint_t endpoint)
{
	struct slot *slot = &slots[EP_SLOT(endpoint)];

	return slot->endpoint == endpoint ? slot : NULL;
}

err_t slot_supervised(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	struct slot *slot = slot_of(endpoint);

	if (slot == NULL) {
		return E_DEAD;
	}
	if (slot->supervisor != self->slot->endpoint) {
		return E_PERM;
	}
	*ret_slot = slot;
	return E_OK;
}

struct slot *slot_free_find(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		if (!slots[i].is_live) {
			return &slots[i];
		}
	}
	return NULL;
}

uint32_t slots_free_count(void)
{
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < N_SLOTS; i++) {
		n_free += !slots[i].is_live;
	}
	return n_free;
}

void slot_async_set(struct slot *slot, paddr_t frame)
{
	slot->async = frame != 0 ? arch_frame_ptr(frame) : NULL;
}

void slot_privileges_set(struct slot *slot, const struct slot_privileges *privileges)
{
	slot->privileges = *privileges;
	__builtin_memcpy(slot->ipc_to, privileges->ipc_to, sizeof(slot->ipc_to));
	slot_calls_refresh(slot);
}

void slot_calls_refresh(struct slot *slot)
{
	struct instance *instance = slot->instance;

	instance->calls_allowed = kcall_mask_uncommitted;
	if (!instance->is_uncommitted) {
		instance->calls_allowed |=
		        kcall_mask_all | (slot->privileges.calls[0] & kcall_mask_given);
	}
}
