/*
 * The table of slots: who is behind an endpoint, who may supervise whom, and what a slot may call.
 * How a slot begins and ends is in life.c, since that touches everything that a slot is linked
 * into; the states of an instance are in state.c.
 */
#include "osd/kernel/object/slot.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/object/rights.h"

struct instance *slot_table[N_SLOTS];
static struct thread threads[N_SLOTS];

endpoint_t slot_endpoint_closed(uint32_t number)
{
	return EP_MAKE(number ^ 1, 0);
}

void slots_init(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		struct slot *slot = &threads[i].slot;
		struct instance *instance = &threads[i].instance;

		slot_table[i] = instance;
		slot->number = i;
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
	struct slot *slot = slot_at(EP_SLOT(endpoint));

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
		if (!slot_at(i)->is_live) {
			return slot_at(i);
		}
	}
	return NULL;
}

uint32_t slots_free_count(void)
{
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < N_SLOTS; i++) {
		n_free += !slot_at(i)->is_live;
	}
	return n_free;
}

void slot_async_set(struct slot *slot, paddr_t frame)
{
	slot->async = frame != 0 ? arch_frame_ptr(frame) : NULL;
}

/* Messages that wait are in the space's memory: they change places. */
static void slot_queues_exchange(const struct slot *a, const struct slot *b)
{
	for (uint32_t i = 0; i < N_ASYNC && (a->n_async != 0 || b->n_async != 0); i++) {
		struct message was_a = a->async[i];

		a->async[i] = b->async[i];
		b->async[i] = was_a;
	}
}

static void slot_identity_set(struct slot *slot, const struct slot *identity)
{
	struct slot here = *slot;

	*slot = *identity;
	slot->instance = here.instance;
	slot->async = here.async;
	slot->senders = here.senders;
	slot->alarm_link = here.alarm_link;
	slot_table[slot->number] = slot->instance;
}

void slot_exchange(struct slot *a, struct slot *b)
{
	struct slot was_a = *a;

	KASSERT(!a->async == !b->async);
	slot_queues_exchange(a, b);
	list_exchange(&a->senders, &b->senders);
	list_exchange(&a->alarm_link, &b->alarm_link);
	slot_identity_set(a, b);
	slot_identity_set(b, &was_a);
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
