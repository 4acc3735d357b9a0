/*
 * The kernel's objects on the host: random play (core_play.c), and then single cases, each on what the play
 * left. Cases that need more than that are in life_test.c.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/arch/frame.h"
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

static void test_events(void)
{
	const uint64_t w[5] = {1, 2, 3, 4, 5};
	struct slot_event event;
	struct slot *slot = slot_at(3);

	close_slot(3);
	open_slot(3);
	while (event_take(slot_at(SUPERVISOR), &event)) {
		/* of foreign slots */
	}
	sched_unready(slot->instance);
	event_raise(slot->instance, SLOT_REPORTED, SLOT_EVENT_REPORT, w);
	assert(!event_take(slot_at(2), &event));
	assert(event_take(slot_at(SUPERVISOR), &event));
	assert(event.endpoint == slot->endpoint && event.w[4] == 5);
	assert(!event_take(slot_at(SUPERVISOR), &event));
	instance_state_set(slot->instance, SLOT_RUNNABLE);
	check_all();
}

/* Whoever was in a slot before leaves no rights behind. */
static void test_opened(void)
{
	static const struct domain_privileges none;
	struct slot_params params = {.name = "test"};
	struct domain_privileges all;
	struct slot *slot = slot_at(5);
	struct space *space;

	memset(&all, 0xff, sizeof(all));
	domain_privileges_set(slot->instance->space->domain, &all);
	close_slot(5);
	assert(space_open(0, object_of[5], EP_NONE, &space) == E_OK);
	assert(domain_open(space, domain_of[5]) == E_OK);
	assert(slot_open(5, &params, space, slot_at(SUPERVISOR)->endpoint) == slot);
	assert(memcmp(&space->domain->privileges, &none, sizeof(none)) == 0);
	assert(memcmp(slot->instance->rights->ipc_to, none.ipc_to, sizeof(none.ipc_to)) == 0);
	assert(slot->instance->rights->calls == 0);
	close_slot(5);
	open_slot(5);
	check_all();
}

/* A slot that may have n_slots made. */
static struct slot *open_below(const struct slot *above, uint32_t n_slots)
{
	struct slot_params params = {.name = "test"};
	struct domain_privileges privileges = {.n_slots = n_slots};
	uint32_t number = slot_number_free(false);
	struct space *space;
	struct slot *slot;

	assert(space_open(0, object_of[number], EP_NONE, &space) == E_OK);
	assert(domain_open(space, domain_of[number]) == E_OK);
	slot = slot_open(number, &params, space, above->endpoint);
	domain_privileges_set(space->domain, &privileges);
	return slot;
}

/* What one may have made is what those it made may have made, too. */
static void test_supervised(void)
{
	struct slot *top = slot_at(SUPERVISOR), *a, *b, *c, *d;
	uint32_t n = top->n_supervised;

	a = open_below(top, 3);
	b = open_below(a, 100);
	c = open_below(b, 1);
	assert(top->n_supervised == n + 3 && a->n_supervised == 2 && b->n_supervised == 1);
	assert(c->n_supervised == 0 && slot_may_supervise(c));
	d = open_below(c, 0);
	assert(!slot_may_supervise(b) && !slot_may_supervise(a)); /* a has all of its 3 */
	assert(slot_may_supervise(top));
	close_slot(b->number);
	assert(top->n_supervised == n + 3 && a->n_supervised == 2 && c->n_supervised == 1);
	assert(c->supervisor == a->endpoint && slot_may_supervise(a));
	assert(!slot_may_supervise(c) && !slot_may_supervise(d));
	close_slot(a->number);
	assert(top->n_supervised == n + 2 && c->supervisor == top->endpoint);
	close_slot(c->number);
	close_slot(d->number);
	assert(top->n_supervised == n && !b->is_live && b->n_supervised == 0);
}

/* Those that share a domain have one budget, and a domain that comes by an exchange has what its slot has. */
static void test_supervised_domain(void)
{
	struct slot_params params = {.name = "test"};
	struct slot *top = slot_at(SUPERVISOR), *a, *b, *c, *d;
	uint32_t number;
	struct space *space;

	a = open_below(top, 2);
	number = slot_number_free(false);
	assert(space_open(0, object_of[number], EP_NONE, &space) == E_OK);
	domain_join(space, a->instance->space);
	b = slot_open(number, &params, space, top->endpoint);
	c = open_below(a, 0);
	assert(slot_may_supervise(a) && slot_may_supervise(b) && b->n_supervised == 0);
	d = open_below(b, 5);
	assert(!slot_may_supervise(a) && !slot_may_supervise(b) && a->n_supervised == 1);
	slot_exchange(
	        c, b); /* the one that has d below it runs in c's domain, which may have nothing */
	assert(c->n_supervised == 1 && !slot_may_supervise(c) && slot_may_supervise(a));
	check_all();
	slot_exchange(b, c);
	assert(b->n_supervised == 1 && !slot_may_supervise(a));
	close_whole(b);
	assert(slot_may_supervise(a) && d->supervisor == top->endpoint);
	check_all();
	assert(domain_leave(space) == 0);
	object_of[number] = space_close(space);
	close_slot(c->number);
	close_slot(d->number);
	close_slot(a->number);
	check_all();
}

/* They stand above each other as deep as may be, and no deeper. */
static void test_supervised_deep(void)
{
	struct slot *line[SUPERVISORS_MAX + 2], *above = slot_at(SUPERVISOR);

	for (uint32_t i = 0; i < SUPERVISORS_MAX + 2; i++) {
		assert(slot_may_supervise(above));
		above = line[i] = open_below(above, 100);
	}
	assert(!slot_may_supervise(above) && line[0]->n_supervised == SUPERVISORS_MAX + 1);
	close_slot(line[3]->number);
	assert(slot_may_supervise(above));
	for (uint32_t i = 0; i < SUPERVISORS_MAX + 2; i++) {
		if (i != 3) {
			close_slot(line[i]->number);
		}
	}
	check_all();
}

static struct message async_next(uint32_t number)
{
	struct slot *slot = slot_at(number);

	slot->instance->context.message = (struct message){0};
	assert(ipc_receive(slot->instance, EP_ANY) == E_OK);
	return slot->instance->context.message;
}

/* A queue that is full and wraps, and one with two in it: each stays with its slot, there and back. */
static void test_queues(void)
{
	struct instance *sender = slot_at(SUPERVISOR)->instance;
	struct slot *a, *b;

	for (uint32_t i = 3; i <= 4; i++) {
		close_slot(i);
		open_slot(i);
		sched_unready(slot_at(i)->instance);
		instance_stop(slot_at(i)->instance);
	}
	slot_at(3)->async_first = N_ASYNC - 3;
	slot_at(4)->async_first = 1;
	for (uint32_t i = 0; i < N_ASYNC + 2; i++) {
		sender->context.message = (struct message){.type = TYPE + i, .w = {next_message++}};
		assert(ipc_asend(sender, slot_at(i < N_ASYNC ? 3 : 4)->endpoint) == E_OK);
	}
	assert(ipc_asend(sender, slot_at(3)->endpoint) == E_FULL);
	a = slot_at(3);
	b = slot_at(4);
	slot_instances_exchange(&a, &b);
	assert(a == slot_at(3) && b == slot_at(4) && a->instance->slot == a);
	for (uint32_t i = 0; i < N_ASYNC / 2; i++) {
		assert(async_next(3).type == TYPE + i);
	}
	assert(async_next(4).type == TYPE + N_ASYNC && async_next(4).type == TYPE + N_ASYNC + 1);
	a = slot_at(3);
	b = slot_at(4);
	slot_instances_exchange(&a, &b);
	assert(a == slot_at(3) && b == slot_at(4) && a->instance->slot == a);
	for (uint32_t i = N_ASYNC / 2; i < N_ASYNC; i++) {
		assert(async_next(3).type == TYPE + i);
	}
	for (uint32_t i = 3; i <= 4; i++) {
		assert(slot_at(i)->n_async == 0 && slot_at(i)->pending == 0);
		instance_unstop(slot_at(i)->instance);
	}
	check_all();
}

#define INCARNATIONS (1u << 17)

/* Slots whose memory matters to nobody. */
static struct thread many[N_SLOTS];

static struct slot *thread_take(uint32_t number)
{
	slot_thread_init(&many[number]);
	return slot_take(number, &many[number]);
}

/* No endpoint comes again before it must; programs' numbers go round. */
static void test_numbers(void)
{
	const uint32_t n = N_SLOTS - N_SERVICE_SLOTS;
	struct slot *live[3], *slot = NULL;
	uint32_t n_free = slots_free_count(), number;
	endpoint_t endpoint;

	for (uint32_t i = 0; i < 3 * n; i++) {
		number = slot_number_free(true);
		assert(number == N_SERVICE_SLOTS + i % n);
		slot = thread_take(number);
		endpoint = slot->endpoint;
		assert(endpoint == (endpoint_t)EP_MAKE(number, 1 + i / n));
		assert(slot_of(endpoint) == slot && slot_of(endpoint + N_SLOTS) == NULL);
		slot_give(slot);
		assert(slot_of(endpoint) == NULL && slot_of(EP_NONE) == NULL);
	}
	for (uint32_t i = 0; i < 3; i++) {
		live[i] = thread_take(slot_number_free(true));
	}
	number = live[0]->number;
	slot_give(live[2]);
	slot_give(live[0]);
	slot_give(live[1]);
	for (uint32_t i = 3; i < n; i++) {
		slot = thread_take(slot_number_free(true));
		assert(slot->number == N_SERVICE_SLOTS + i);
		slot_give(slot);
	}
	assert(slot_number_free(true) == number + 2);
	slot_give(thread_take(number + 2));
	assert(slot_number_free(true) == number);
	for (uint32_t i = 1; i < INCARNATIONS + 2; i++) {
		slot = thread_take(N_TEST);
		assert(slot->endpoint ==
		        (endpoint_t)EP_MAKE(N_TEST, i < INCARNATIONS ? i : i - INCARNATIONS + 1));
		assert(slot->endpoint > 0);
		slot_give(slot);
	}
	assert(slots_free_count() == n_free);
}

/* All numbers, services' from the lowest on, and then none. */
static void test_no_number(void)
{
	for (uint32_t i = N_TEST; i < N_SERVICE_SLOTS; i++) {
		assert(slot_number_free(false) == i);
		(void)thread_take(i);
	}
	assert(slot_number_free(false) == N_SLOTS);
	while (slot_number_free(true) != N_SLOTS) {
		(void)thread_take(slot_number_free(true));
	}
	assert(slots_free_count() == 0);
}

#define N_MORE 3u

/* Threads of a space have its own memory first, the oldest further one next, and give back what is free. */
static void test_threads(void)
{
	struct slot_params params = {.name = "test"};
	struct space *space = slot_at(5)->instance->space;
	struct slot *slot[1 + N_MORE];
	paddr_t frames[N_MORE + 1];

	slot[0] = slot_at(5);
	assert(!space_is_shared(space) && space_instance(space) == slot[0]->instance);
	assert(space_thread_take(space) == NULL);
	for (uint32_t i = 1; i <= N_MORE; i++) {
		assert(space_thread_give(space, FRAME(N_TEST + i) + 8) == E_INVAL);
		assert(space_thread_give(space, FRAME(N_TEST + i)) == E_OK);
		assert(space_thread_give(space, FRAME(N_TEST + i)) == E_PERM);
	}
	for (uint32_t i = 1; i <= N_MORE; i++) {
		slot[i] = slot_open(slot_number_free(true), &params, space, EP_NONE);
		assert((uint8_t *)slot_thread(slot[i]) == arch_frame_ptr(FRAME(N_TEST + i)));
		assert(slot[i]->async == NULL && space_is_shared(space));
		assert(slot[i]->instance->space == space);
	}
	assert(space_thread_take(space) == NULL && !space_threads_are_spare(space));
	close_whole(slot[2]);
	assert(space_threads_trim(space, frames, 0) == 0 && space->n_frames == 1 + N_MORE);
	slot[2] = slot_open(slot_number_free(true), &params, space, EP_NONE);
	assert((uint8_t *)slot_thread(slot[2]) == arch_frame_ptr(FRAME(N_TEST + 2)));
	close_whole(slot[3]);
	close_whole(slot_at(5));
	assert(space_instance(space) == slot[1]->instance);
	(void)slot_open(5, &params, space, slot_at(SUPERVISOR)->endpoint);
	assert(slot_at(5) == slot[0] && slot[0]->async != NULL);
	assert(space_instance(space) == slot[1]->instance); /* the oldest now */
	close_whole(slot[2]);
	close_whole(slot[1]);
	assert(!space_is_shared(space) && space_threads_are_spare(space));
	assert(space_threads_trim(space, frames, 2) == 2 && space_threads_are_spare(space));
	assert(space_threads_trim(space, frames + 2, 2) == 1 && !space_threads_are_spare(space));
	assert(frames[0] == FRAME(N_TEST + 1) && frames[1] == FRAME(N_TEST + 2));
	assert(frames[2] == FRAME(N_TEST + 3) && space->n_frames == 1);
	assert(frame_use(frames[0]) == FRAME_USER);
	instance_state_set(slot_at(5)->instance, SLOT_RUNNABLE);
	close_slot(5);
	open_slot(5);
	check_all();
}

/* All numbers of spaces; one that was given back comes again after all others. */
static void test_spaces(void)
{
	static struct space *spaces[N_SPACES];
	uint32_t n = spaces_free_count();
	struct space *space;
	space_t first;

	assert(n == N_SPACES - N_TEST && space_of(N_SPACES) == NULL && space_of(~0ul) == NULL);
	assert(space_open(0, PAGE_SIZE / 2, EP_NONE, &space) == E_INVAL);
	assert(space_open(FRAME(N_TEST), FRAME(N_TEST), EP_NONE, &space) == E_INVAL);
	assert(space_open(0, object_of[2], EP_NONE, &space) == E_PERM);
	for (uint32_t i = 0; i < n; i++) {
		assert(space_open(0, FRAME(N_TEST + i), EP_NONE, &spaces[i]) == E_OK);
		assert(space_of(spaces[i]->id) == spaces[i]);
	}
	assert(spaces_free_count() == 0 &&
	        space_open(0, FRAME(N_TEST + n), EP_NONE, &space) == E_FULL);
	assert(frame_use(FRAME(N_TEST + n)) == FRAME_USER);
	first = spaces[7]->id;
	assert(space_close(spaces[7]) == FRAME(N_TEST + 7) && space_of_any(first) == NULL);
	assert(space_close(spaces[3]) == FRAME(N_TEST + 3));
	assert(space_open(0, FRAME(N_TEST + 7), EP_NONE, &spaces[7]) == E_OK &&
	        spaces[7]->id == first);
	assert(space_open(0, FRAME(N_TEST + 3), EP_NONE, &spaces[3]) == E_OK &&
	        spaces[3]->id != first);
	assert(spaces_free_count() == 0);
	spaces[3]->is_closing = true;
	assert(space_of(spaces[3]->id) == NULL && space_of_any(spaces[3]->id) == spaces[3]);
	for (uint32_t i = 0; i < n; i++) {
		(void)space_close(spaces[i]);
	}
	assert(spaces_free_count() == n);
	check_all();
}

static void open_under(uint32_t number, endpoint_t supervisor)
{
	open_slot(number);
	slot_count(slot_at(number), -1);
	slot_at(number)->supervisor = supervisor;
	slot_count(slot_at(number), 1);
	slot_of(supervisor)->is_known = 1;
}

/*
 * A supervisor ends while it opens a slot that many wait for: they go on, and the slot belongs to that
 * one's own supervisor, and so on.
 */
static void test_orphans(void)
{
	const uint32_t manager = N_TEST, nested = N_TEST + 1, ward = N_TEST + 2;
	const uint32_t first = N_TEST + 3, end = N_TEST + 6;

	open_under(manager, slot_at(SUPERVISOR)->endpoint);
	open_under(nested, slot_at(manager)->endpoint);
	open_under(ward, slot_at(nested)->endpoint);
	slot_hold(slot_at(ward));
	for (uint32_t i = first; i < end; i++) {
		open_slot(i);
		sched_unready(slot_at(i)->instance);
		assert(ipc_park(slot_at(i)->instance, slot_at(ward)) == KCALL_PENDING);
	}
	slot_unhold(slot_at(ward));
	assert(!slot_unpark(slot_at(ward)));
	close_slot(nested);
	assert(slot_at(ward)->supervisor == slot_at(manager)->endpoint);
	for (uint32_t i = first; i < end; i++) {
		assert(slot_at(i)->instance->state == SLOT_RUNNABLE);
		close_slot(i);
	}
	close_slot(manager);
	assert(slot_at(ward)->supervisor == slot_at(SUPERVISOR)->endpoint);
	close_slot(ward);
}

/* What one that is ending has left with others is nobody's; it ends in more than one piece. */
static void test_ending_notified(void)
{
	const uint32_t source = N_TEST, first = N_TEST + 1, end = N_TEST + 5;
	struct slot *slot, *target;
	uint64_t progress = 0;

	for (uint32_t i = source; i < end; i++) {
		open_slot(i);
		sched_unready(slot_at(i)->instance);
		slot_at(i)->instance->is_foreign = 0;
	}
	slot = slot_at(source);
	target = slot_at(first);
	assert(ipc_notify(slot->instance, target->endpoint) == E_OK);
	for (uint32_t i = first + 1; i < end; i++) {
		assert(ipc_send(slot_at(i)->instance, slot->endpoint) == KCALL_PENDING);
	}
	assert(!slot_close(slot, &progress) && slot->n_senders == 1);
	assert(ipc_receive(target->instance, EP_ANY) == KCALL_PENDING && target->pending == 0);
	for (uint32_t i = source; i < end; i++) {
		close_slot(i);
	}
}

/* A call that was ended while it waited for a hold begins anew the next time; one that goes on, goes on. */
static void test_parked(void)
{
	struct instance *instance;

	for (uint32_t number = 4; number <= 5; number++) {
		close_slot(number);
		open_slot(number);
	}
	instance = slot_at(4)->instance;
	instance->is_foreign = 0;
	instance->call_progress = PAGE_SIZE;
	assert(ipc_park(instance, slot_at(5)) == KCALL_PENDING);
	assert(ipc_unpark(slot_at(5), 1) && instance->state == SLOT_RUNNABLE);
	assert(instance->call_progress == PAGE_SIZE);
	assert(ipc_park(instance, slot_at(5)) == KCALL_PENDING);
	ipc_cancel(instance, E_RESTART);
	assert(instance->state == SLOT_RUNNABLE && instance->call_progress == 0);
	check_all();
}

static void test_faults(void)
{
	struct instance *instance = slot_at(4)->instance;
	struct page_fault fault;

	close_slot(4);
	open_slot(4);
	assert(fault_answer(slot_at(4), instance->space->id, true) == E_STATE);
	fault_page(instance, 0x1000, PAGE_FAULT_WRITE);
	assert(instance->state == SLOT_FAULTED);
	assert(fault_answer(slot_at(4), instance->space->id, true) == E_STATE);
	assert(fault_take(&fault) && fault.address == 0x1000 &&
	        fault.endpoint == slot_at(4)->endpoint);
	assert(!fault_take(&fault));
	assert(fault_answer(slot_at(4), instance->space->id + 1, true) == E_STATE);
	assert(fault_answer(slot_at(4), instance->space->id, true) == E_OK);
	assert(instance->state == SLOT_RUNNABLE);
	assert(fault_copy(instance, slot_at(5)->instance->space, 0x2000, 0) == KCALL_PENDING);
	assert(fault_take(&fault) && fault.space == slot_at(5)->instance->space->id);
	assert(fault_answer(slot_at(4), fault.space, true) == E_OK &&
	        instance->context.n_restarts == 1);
	assert(fault_copy(instance, slot_at(5)->instance->space, 0x2000, 0) == E_FAULT);
	check_all();
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)(uintptr_t)&argc;

	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	play_init(seed);
	for (uint32_t i = 0; i < N_STEPS; i++) {
		play_step();
	}
	test_events();
	test_opened();
	test_queues();
	test_faults();
	test_parked();
	test_spaces();
	test_numbers();
	test_orphans();
	test_ending_notified();
	test_supervised();
	test_supervised_domain();
	test_supervised_deep();
	test_threads();
	test_no_number();
	return 0;
}
