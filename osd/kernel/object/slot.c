/*
 * The table of slots: who is behind an endpoint, and who may supervise whom.
 * How a slot begins and ends is in life.c, since that touches everything that a slot is linked
 * into; the states of an instance are in state.c.
 */
#include "osd/kernel/object/slot.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/object/domain.h"

#define INCARNATION_MAX ((1u << 17) - 1)
#define N_PROGRAMS (N_SLOTS - N_SERVICE_SLOTS)

struct instance *slot_table[N_SLOTS];
static uint64_t numbers_taken[N_SLOTS / 64];
static struct thread thread_none;
static uint32_t n_live;

/* What outlives a slot, of each number; programs' that were given back are in a queue. */
static struct {
	uint32_t incarnation : 17; /* last one used */
	uint32_t next : 14;        /* in the queue; 0: the last one */
} numbers[N_SLOTS];
static uint32_t programs_first, programs_last; /* of the queue; 0: it is empty */
static uint32_t n_programs_used;               /* numbers above these were never used */

void slot_thread_init(struct thread *thread)
{
	struct slot *slot = &thread->slot;
	struct instance *instance = &thread->instance;

	__builtin_memset(thread, 0, sizeof(*thread));
	slot->endpoint = EP_NONE;
	slot->instance = instance;
	slot->supervisor = EP_NONE;
	list_init(&slot->senders);
	list_init(&slot->parked);
	list_init(&slot->events);
	heap_init(&slot->alarm);
	list_init(&slot->link);
	instance->slot = slot;
	instance->state = SLOT_STOPPED;
	instance->peer = EP_NONE;
	instance->rights = &domain_none.committed;
	list_init(&instance->ready_link);
	list_init(&instance->sender_link);
	list_init(&instance->fault_link);
	list_init(&instance->event_link);
}

void slots_init(void)
{
	slot_thread_init(&thread_none);
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		slot_table[i] = &thread_none.instance;
	}
}

static uint32_t slot_number_service(void)
{
	uint32_t number = 0;

	while (number < N_SERVICE_SLOTS && slot_at(number)->is_live) {
		number++;
	}
	return number < N_SERVICE_SLOTS ? number : N_SLOTS;
}

static uint32_t slot_number_program(void)
{
	if (n_programs_used < N_PROGRAMS) {
		return N_SERVICE_SLOTS + n_programs_used;
	}
	return programs_first != 0 ? programs_first : N_SLOTS;
}

uint32_t slot_number_free(bool is_program)
{
	return is_program ? slot_number_program() : slot_number_service();
}

static void slot_number_take(uint32_t number)
{
	uint32_t last = numbers[number].incarnation;

	if (number >= N_SERVICE_SLOTS + n_programs_used) {
		n_programs_used++;
	} else if (number >= N_SERVICE_SLOTS) {
		programs_first = numbers[number].next;
		programs_last = programs_first != 0 ? programs_last : 0;
	}
	numbers[number].incarnation = last < INCARNATION_MAX ? last + 1 : 1;
}

static void slot_number_give(uint32_t number)
{
	if (number < N_SERVICE_SLOTS) {
		return;
	}
	numbers[number].next = 0;
	if (programs_last != 0) {
		numbers[programs_last].next = number & (N_SLOTS - 1);
	} else {
		programs_first = number;
	}
	programs_last = number;
}

struct slot *slot_take(uint32_t number, struct thread *thread)
{
	struct slot *slot = &thread->slot;

	KASSERT(!slot_at(number)->is_live && !slot->is_live);
	slot_number_take(number);
	n_live++;
	numbers_taken[number / 64] |= 1ull << number % 64;
	slot_table[number] = slot->instance;
	slot->number = number;
	slot->endpoint = EP_MAKE(number, numbers[number].incarnation);
	slot->is_live = 1;
	return slot;
}

void slot_die(struct slot *slot)
{
	slot->endpoint = EP_NONE;
}

endpoint_t slot_endpoint_was(const struct slot *slot)
{
	return EP_MAKE(slot->number, numbers[slot->number].incarnation);
}

void slot_give(struct slot *slot)
{
	slot->is_live = 0;
	slot->endpoint = EP_NONE;
	slot_table[slot->number] = &thread_none.instance;
	numbers_taken[slot->number / 64] &= ~(1ull << slot->number % 64);
	slot_number_give(slot->number);
	n_live--;
}

uint32_t slot_number_next(uint32_t number)
{
	uint64_t word;

	if (number >= N_SLOTS) {
		return N_SLOTS;
	}
	word = numbers_taken[number / 64] >> number % 64 << number % 64;
	for (uint32_t i = number / 64;; word = numbers_taken[i]) {
		if (word != 0) {
			return i * 64 + (uint32_t)__builtin_ctzll(word);
		}
		if (++i == N_SLOTS / 64) {
			return N_SLOTS;
		}
	}
}

struct slot *slot_of(endpoint_t endpoint)
{
	struct slot *slot = slot_at(EP_SLOT(endpoint));

	return endpoint >= 0 && slot->endpoint == endpoint ? slot : NULL;
}

struct slot *slot_of_any(endpoint_t endpoint)
{
	struct slot *slot = slot_at(EP_SLOT(endpoint));

	return endpoint >= 0 && slot->is_live && slot_endpoint_was(slot) == endpoint ? slot : NULL;
}

static err_t slot_check_supervised(
        const struct instance *self, struct slot *slot, struct slot **ret_slot)
{
	if (slot == NULL) {
		return E_DEAD;
	}
	if (slot->supervisor != self->slot->endpoint) {
		return E_PERM;
	}
	*ret_slot = slot;
	return E_OK;
}

err_t slot_supervised(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	return slot_check_supervised(self, slot_of(endpoint), ret_slot);
}

err_t slot_supervised_any(struct instance *self, endpoint_t endpoint, struct slot **ret_slot)
{
	return slot_check_supervised(self, slot_of_any(endpoint), ret_slot);
}

bool slot_may_supervise(const struct slot *slot)
{
	uint32_t n_above = 0;

	for (; !slot_is_root(slot); slot = slot_supervisor(slot)) {
		const struct domain *domain = slot->instance->space->domain;

		if (domain->n_supervised >= domain->privileges.n_slots ||
		        n_above > SUPERVISORS_MAX) {
			return false;
		}
		n_above++;
	}
	return true;
}

/* The domain has what all slots that run in it have together. */
static void slot_charge(struct slot *slot, uint32_t change)
{
	slot->n_supervised += change;
	slot->instance->space->domain->n_supervised += change;
}

void slot_count(const struct slot *slot, int32_t change)
{
	struct slot *above = slot_supervisor(slot);

	for (; above != NULL; above = slot_supervisor(above)) {
		slot_charge(above, (uint32_t)change);
	}
}

void slot_count_clear(struct slot *slot)
{
	slot_charge(slot, -slot->n_supervised);
}

uint32_t slots_free_count(void)
{
	return N_SLOTS - n_live;
}

/* What an identity has below it is charged to the domain of what runs behind it from now on. */
static void slot_charges_exchange(const struct slot *a, const struct slot *b)
{
	uint32_t more = b->n_supervised - a->n_supervised;

	a->instance->space->domain->n_supervised += more;
	b->instance->space->domain->n_supervised -= more;
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
	slot->parked = here.parked;
	slot->events = here.events;
	slot->alarm = here.alarm;
	slot->link = here.link;
	slot_table[slot->number] = slot->instance;
}

void slot_exchange(struct slot *a, struct slot *b)
{
	struct slot was_a = *a;

	KASSERT(!a->async == !b->async);
	slot_charges_exchange(a, b);
	slot_queues_exchange(a, b);
	list_exchange(&a->senders, &b->senders);
	list_exchange(&a->parked, &b->parked);
	list_exchange(&a->events, &b->events);
	heap_exchange(&a->alarm, &b->alarm);
	slot_identity_set(a, b);
	slot_identity_set(b, &was_a);
}
