/*
 * Random calls and supervisor's actions on the kernel's objects, and after each of them what must
 * always hold. Messages carry numbers: each one sent is received at most once, and exactly once
 * when its sender was told so and the receiver lived. Some slots are foreign: of what happens to them
 * they see answers alone.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/fault/event.h"
#include "osd/kernel/fault/fault.h"
#include "osd/kernel/foreign/foreign.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/call/kcall.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/sched/state.h"
#include "osd/kernel/test/core_play.h"
#include "osd/kernel/test/fake.h"

#define MANAGER 4u

uint64_t next_message = 1;
static uint8_t n_received[N_STEPS + 2 * N_ASYNC];
static uint64_t random_state;
static uint32_t n_ending; /* slots that are, one in the pieces of the other */

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % below;
}

paddr_t object_of[N_OBJECTS], domain_of[N_OBJECTS];

/* That of all others, or one of those, as a process manager is. */
static endpoint_t supervisor_draw(uint32_t number)
{
	const struct slot *manager = slot_at(MANAGER);

	return number > MANAGER && manager->endpoint != EP_NONE && draw(2)
	               ? manager->endpoint
	               : slot_at(SUPERVISOR)->endpoint;
}

void open_slot(uint32_t number)
{
	struct slot_params params = {.name = "test", .priority = draw(N_PRIORITIES)};
	struct domain_privileges all = {0};
	endpoint_t supervisor = number == SUPERVISOR ? EP_NONE : supervisor_draw(number);
	struct space *space;
	err_t err = space_open(0, object_of[number], EP_NONE, &space);

	assert(err == E_OK && domain_open(space, domain_of[number]) == E_OK);
	(void)slot_open(number, &params, space, supervisor);
	memset(all.ipc_to, 0xff, sizeof(all.ipc_to));
	domain_privileges_set(space->domain, &all);
	assert(!slot_at(number)->instance->is_foreign);
	slot_at(number)->instance->is_foreign = number != SUPERVISOR && draw(3) == 0;
	instance_state_set(slot_at(number)->instance, SLOT_RUNNABLE);
}

static bool is_ending(uint32_t number)
{
	return slot_at(number)->is_live && slot_at(number)->endpoint == EP_NONE;
}

void close_whole(struct slot *slot)
{
	uint64_t progress = 0;

	while (!slot_close(slot, &progress)) {
		assert(is_ending(slot->number) && slot->instance->state == SLOT_STOPPED);
	}
}

void close_slot(uint32_t number)
{
	struct space *space = slot_at(number)->instance->space;

	close_whole(slot_at(number));
	domain_of[number] = domain_leave(space);
	object_of[number] = space_close(space); /* it may have been another's before an exchange */
}

void fake_delivered(const struct message *message)
{
	uint64_t number = message->w[message->type == MSG_FOREIGN];

	if (message->type == MSG_NOTIFY) {
		assert(message->source != EP_NONE);
		return;
	}
	assert(number != 0 && number < next_message);
	assert(n_received[number]++ == 0);
}

static endpoint_t draw_endpoint(void)
{
	static const endpoint_t special[] = {EP_ANY, EP_KERNEL, EP_CLOCK, EP_NONE, -77, 0};

	return draw(8) == 0 ? special[draw(6)] : slot_endpoint_was(slot_at(draw(N_TEST)));
}

static err_t call(struct instance *self, uint32_t kind)
{
	endpoint_t to = draw_endpoint();

	switch (kind) {
	case 0:
		return ipc_send(self, to);
	case 1:
	case 2:
		return ipc_sendrec(self, to);
	case 3:
		return ipc_asend(self, to);
	case 4:
		return ipc_notify(self, to);
	case 5:
		return ipc_reply(self, to);
	case 6:
	case 7:
		return ipc_reply_receive(self, to);
	case 8:
		alarm_set(self->slot, fake_now + draw(100));
		return E_OK;
	case 9:
		if (slot_of(to) != NULL && slot_of(to)->is_held) {
			return ipc_park(self, slot_of(to)); /* as a copy by a grant */
		}
		return E_OK;
	default:
		return ipc_receive(self, draw(3) ? EP_ANY : to);
	}
}

/* Some of the routes are dead by now, and there is none for the last number. */
static void call_foreign(struct instance *self)
{
	endpoint_t routes[N_TEST];

	if (draw(4) == 0) {
		for (uint32_t i = 0; i < N_TEST; i++) {
			routes[i] = slot_endpoint_was(slot_at(i));
		}
		personality_set(0, slot_at(SUPERVISOR)->endpoint, routes, N_TEST);
	}
	self->context.number = draw(N_TEST + 1);
	self->context.args[0] = next_message++;
	self->context.result = E_OK;
	foreign_call(self);
	assert(self->state != SLOT_RUNNABLE);
}

/* Has a foreign instance got this answer? */
static bool is_answer(uint64_t number)
{
	for (uint32_t i = 0; i < N_TEST; i++) {
		const struct instance *instance = slot_at(i)->instance;

		if (instance->is_foreign && (uint64_t)instance->context.result == number) {
			return true;
		}
	}
	return false;
}

/* The instance runs, makes one call, and leaves the CPU. */
static void run(struct instance *self)
{
	struct cpu *cpu = cpu_this();
	uint32_t kind = draw(12);
	err_t result;

	sched_unready(self);
	cpu->arch.current = &self->context;
	if (self->is_foreign) {
		call_foreign(self);
		cpu->arch.current = NULL;
		return;
	}
	self->context.message = (struct message){.type = TYPE, .w = {next_message++}};
	result = call(self, kind);
	cpu->arch.current = NULL;
	if (result == KCALL_PENDING) {
		assert(self->state != SLOT_RUNNABLE);
		return;
	}
	if (result == E_OK && (kind == 0 || kind == 5)) {
		uint64_t number = self->context.message.w[0];

		assert(n_received[number] == 1 || (kind == 5 && is_answer(number)));
	}
	sched_ready(self);
}

static bool is_at_rest(uint32_t number)
{
	const struct instance *instance = slot_at(number)->instance;

	return instance->is_stopped && !instance_is_in_ipc(instance);
}

/* What runs behind two slots changes places, if it may; what waits at them does not. */
static void exchange(uint32_t number, uint32_t other)
{
	struct slot *a = slot_at(number), *b = slot_at(other);
	struct instance *of_a = a->instance, *of_b = b->instance;
	struct slot was = *a;

	if (number == other || !is_at_rest(number) || !is_at_rest(other) || is_ending(other)) {
		return;
	}
	if (a->supervisor != b->supervisor &&
	        (!list_is_empty(&of_a->event_link) || !list_is_empty(&of_b->event_link))) {
		return; /* nobody could swap these */
	}
	if ((number == SUPERVISOR || other == SUPERVISOR) &&
	        (of_a->is_foreign || of_b->is_foreign)) {
		return;
	}
	slot_instances_exchange(&a, &b);
	assert(a == slot_at(number) && a->instance == of_b);
	assert(b == slot_at(other) && b->instance == of_a);
	assert(a->endpoint == was.endpoint && a->n_async == was.n_async &&
	        a->alarm.key == was.alarm.key);
}

/* As slot_registers_set and slot_resume do, or slot_foreign_end. */
static void act_foreign(struct instance *instance)
{
	if (instance->is_foreign && instance->state == SLOT_FAULTED) {
		event_drop(instance);
		instance->fault_wait = FAULT_WAIT_NONE;
		instance_state_set(instance, SLOT_RUNNABLE);
	} else if (foreign_call_end(instance) == E_OK) {
		assert(instance->state == SLOT_FAULTED);
		assert(list_is_empty(&instance->event_link));
	}
}

/* In pieces, between which others do what they do. */
static void end_slot(uint32_t number)
{
	struct slot *slot = slot_at(number);
	struct space *space = slot->instance->space;
	endpoint_t was = slot->endpoint;
	uint64_t progress = 0;

	while (!slot_close(slot, &progress)) {
		assert(is_ending(number) && slot_of(was) == NULL && n_ending < N_TEST);
		progress =
		        draw(4) == 0 ? 0 : progress; /* another supervisor, who does not know it */
		n_ending++;
		play_step();
		n_ending--;
	}
	assert(!is_ending(number));
	domain_of[number] = domain_leave(space);
	object_of[number] = space_close(space);
	open_slot(number);
}

/* As slot_swap does, for one who is at rest; the same instance goes on. */
static void restart_callers(uint32_t number)
{
	struct slot *slot = slot_at(number);
	endpoint_t endpoint = slot->endpoint;
	uint64_t progress = 0;

	if (!slot->instance->is_stopped) {
		return;
	}
	ipc_cancel(slot->instance, E_RESTART);
	while (!slot_callers_restart(slot, &progress)) {
	}
	for (uint32_t i = 0; i < N_TEST; i++) {
		const struct instance *other = slot_at(i)->instance;

		assert(other->state != SLOT_WAITING_REPLY || other->peer != endpoint);
	}
}

/* What the supervisor, VM or time may do to a slot at any moment. */
static void act(uint32_t number)
{
	struct slot *slot = slot_at(number);

	switch (draw(11)) {
	case 10:
		restart_callers(number);
		break;
	case 8:
		exchange(number, draw(N_TEST));
		break;
	case 0:
		instance_stop(slot->instance);
		break;
	case 1:
	case 2:
		instance_unstop(slot->instance);
		break;
	case 3:
		slot_hold(slot);
		break;
	case 4:
	case 5:
		slot_unhold(slot);
		if (draw(2)) {
			(void)slot_unpark(slot);
		}
		break;
	case 6:
		if (number != SUPERVISOR && n_ending < 3 && draw(4) == 0) {
			end_slot(number);
		}
		break;
	case 7:
		act_foreign(slot->instance);
		break;
	default:
		fake_now += draw(50);
		clock_interrupt();
	}
}

static uint32_t count(const struct list *head)
{
	uint32_t n = 0;

	for (const struct list *at = head->next; at != head; at = at->next) {
		n++;
	}
	return n;
}

static bool is_in(const struct list *head, const struct list *node)
{
	for (const struct list *at = head->next; at != head; at = at->next) {
		if (at == node) {
			return true;
		}
	}
	return false;
}

static void check_instance(const struct slot *slot)
{
	const struct instance *i = slot->instance;
	const struct cpu *cpu = cpu_this();

	assert(i->slot == slot);
	assert(i->is_ready == (i->state == SLOT_RUNNABLE && !i->is_stopped));
	assert(i->is_ready == is_in(&cpu->ready[i->priority], &i->ready_link));
	if (i->state == SLOT_SENDING) {
		const struct slot *target = slot_of_any(i->peer);
		assert(target && is_in(&target->senders, &i->sender_link));
	} else {
		assert(!list_is_empty(&i->sender_link) == (i->state == SLOT_PARKED));
	}
	if (i->state == SLOT_PARKED) {
		assert(is_in(&slot_of_any(i->peer)->parked, &i->sender_link));
	}
	if (i->state == SLOT_WAITING_REPLY || (i->state == SLOT_RECEIVING && i->peer >= 0)) {
		assert(slot_of_any(i->peer));
	}
	if (!list_is_empty(&i->event_link)) {
		assert(is_in(&slot_supervisor(slot)->events, &i->event_link));
	}
	if (i->is_foreign) {
		assert(i->context.result >= 0);
		assert(i->state != SLOT_FAULTED || i->fault_wait == FAULT_WAIT_SUPERVISOR);
	}
	if (i->state == SLOT_RECEIVING && i->peer == EP_ANY && !i->is_stopped && !slot->is_held) {
		assert(slot->pending == 0);
	}
}

static void check_slot(const struct slot *slot)
{
	uint64_t notified = slot->notified_by_kernel;

	assert(slot->number == SUPERVISOR || slot_of_any(slot->supervisor));
	assert(!is_ending(slot->number) || slot->instance->state == SLOT_STOPPED);
	for (uint32_t i = 0; i < N_TEST; i++) {
		assert(!(slot->notified_by[0] >> i & 1) || slot_at(i)->is_known);
	}
	assert(slot->async ==
	        space_thread_queue(slot->instance->space, slot_thread((struct slot *)slot)));
	assert((slot->alarm.key != 0) == heap_is_in(&slot->alarm));
	/* The timer fires in time, or soon where some that were due are left. */
	assert(slot->alarm.key == 0 || slot->alarm.key >= cpu_this()->timer_at ||
	        cpu_this()->timer_at <= fake_now + 100000);

	for (unsigned int i = 0; i < N_SERVICE_SLOTS / 64; i++) {
		notified |= slot->notified_by[i];
	}
	assert(!(slot->pending & PENDING_NOTIFY) == (notified == 0));
	assert(!(slot->pending & PENDING_ASYNC) == (slot->n_async == 0));
	assert(!(slot->pending & PENDING_SENDER) == list_is_empty(&slot->senders));
	assert(slot->n_senders == count(&slot->senders));
	assert(slot->n_async <= N_ASYNC);
}

/* A domain has what all have below them that run in it, wherever an exchange or an end has put that. */
static void check_domain(const struct domain *domain)
{
	uint32_t n = 0;

	for (uint32_t i = slot_number_next(0); i < N_SLOTS; i = slot_number_next(i + 1)) {
		n += slot_at(i)->instance->space->domain == domain ? slot_at(i)->n_supervised : 0;
	}
	assert(domain->n_supervised == n);
}

void check_all(void)
{
	uint32_t mask = 0, n_live = 0;

	for (uint32_t i = 0; i < N_TEST; i++) {
		check_slot(slot_at(i));
		check_instance(slot_at(i));
		mask |= slot_at(i)->instance->is_ready ? 1u << slot_at(i)->instance->priority : 0;
	}
	assert(mask == cpu_this()->ready_mask);
	for (uint32_t i = slot_number_next(0); i < N_SLOTS; i = slot_number_next(i + 1)) {
		check_domain(slot_at(i)->instance->space->domain);
		n_live++;
	}
	assert(slot_at(SUPERVISOR)->n_supervised == n_live - 1);
}

void play_step(void)
{
	bool was_sending[N_TEST];
	endpoint_t was[N_TEST];
	uint32_t number = draw(N_TEST);

	for (uint32_t i = 0; i < N_TEST; i++) {
		was_sending[i] = slot_at(i)->instance->state == SLOT_SENDING;
		was[i] = slot_at(i)->endpoint;
	}
	if (slot_at(number)->instance->is_ready && draw(4)) {
		run(slot_at(number)->instance);
	} else if (!is_ending(number)) {
		act(number);
	}
	for (uint32_t i = 0; i < N_TEST; i++) {
		const struct instance *instance = slot_at(i)->instance;
		if (was_sending[i] && was[i] == slot_at(i)->endpoint &&
		        instance->state == SLOT_WAITING_REPLY) {
			assert(n_received[instance->is_foreign ? instance->context.args[0]
			                                       : instance->context.message.w[0]] ==
			        1);
		}
	}
	check_all();
}

void play_init(uint64_t seed)
{
	random_state = seed | 1;
	fake_cpu = cpu_storage(0);
	slots_init();
	spaces_init();
	irq_init();
	alarms_init();
	sched_init();
	for (uint32_t i = 0; i < N_OBJECTS; i++) {
		object_of[i] = FRAME(i);
		domain_of[i] = DOMAIN_FRAME(i);
	}
	open_slot(SUPERVISOR);
	for (uint32_t i = 0; i < N_TEST; i++) {
		if (i != SUPERVISOR) {
			open_slot(i);
		}
	}
}
