/*
 * What a slot leaves behind when it ends, and what goes with it when it is exchanged: each thing by itself, as
 * random steps (core_test.c) seldom come to it. Memory of threads is used again as it is, so whatever is not
 * put back at the end is what the next one begins with.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "osd/arch/frame.h"
#include "osd/kernel/call/kcall.h"
#include "osd/kernel/fault/event.h"
#include "osd/kernel/fault/fault.h"
#include "osd/kernel/ipc/alarm.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/irq.h"
#include "osd/kernel/object/rights.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/sched/state.h"
#include "osd/kernel/sched/timer.h"
#include "osd/kernel/test/fake.h"

#define SUPERVISOR 1u
#define N_TEST 5u
#define FRAME(number) ((1 + (paddr_t)(number)) * PAGE_SIZE)
#define DOMAIN_FRAME(number) FRAME(100 + (number))
#define PRIORITY 3u

void fake_delivered(const struct message *message)
{
	(void)message;
}

/* In a space of its own; it has never run. */
static struct slot *open_slot_at(uint32_t number, uint32_t priority)
{
	struct slot_params params = {.name = "test", .priority = priority};
	struct domain_privileges privileges = {0};
	struct space *space;
	struct slot *slot;
	err_t err = space_open(0, FRAME(number), EP_NONE, &space);

	assert(err == E_OK && domain_open(space, DOMAIN_FRAME(number)) == E_OK);
	slot = slot_open(number, &params, space,
	        number == SUPERVISOR ? EP_NONE : slot_at(SUPERVISOR)->endpoint);
	memset(privileges.ipc_to, 0xff, sizeof(privileges.ipc_to));
	domain_privileges_set(space->domain, &privileges);
	return slot;
}

static struct slot *open_slot(uint32_t number)
{
	return open_slot_at(number, PRIORITY);
}

/* As an instance that makes calls. */
static void run(struct slot *slot)
{
	instance_state_set(slot->instance, SLOT_RUNNABLE);
	sched_unready(slot->instance);
}

static void close_whole(struct slot *slot)
{
	uint64_t progress = 0;

	while (!slot_close(slot, &progress)) {
	}
}

static void close_space(struct space *space)
{
	assert(domain_leave(space) != 0);
	(void)space_close(space);
}

static void close_slot(struct slot *slot)
{
	struct space *space = slot->instance->space;

	close_whole(slot);
	close_space(space);
}

/* All that one can leave behind in its memory, and elsewhere. */
static void leave_all(struct slot *slot)
{
	struct instance *instance = slot->instance, *sender = slot_at(SUPERVISOR)->instance;
	uint32_t hook;

	slot_hold(slot);
	assert(ipc_notify(sender, slot->endpoint) == E_OK);
	sender->context.message = (struct message){0};
	assert(ipc_asend(sender, slot->endpoint) == E_OK);
	ipc_notify_kernel(slot, NOTIFIED_HARDWARE, 5);
	assert(irq_hook(slot, 3, 0, &hook) == E_OK);
	alarm_set(slot, fake_now + 10);
	slot->is_known = 1;
	slot->n_ipc_masked = 1;
	slot->commit_nsec = slot->first_receive_nsec = 1;
	slot->log_rate = (struct log_rate){1, 1, 1};
	instance->is_foreign = 1;
	instance->cpu_cycles = instance->call_progress = instance->quantum_left_nsec = 1;
	instance->grant_table = instance->n_grants = 1;
	instance->copy_fault_asked = instance->n_vm_faults = 1;
	fault_page(instance, 0x1000, PAGE_FAULT_WRITE);
	instance_stop(instance);
}

static void check_slot_new(const struct slot *slot)
{
	static const struct log_rate none;

	assert(slot->pending == 0 && slot->notified_by_kernel == 0 && slot->irq_bits == 0);
	assert(slot->notified_by[0] == 0 && slot->n_async == 0 && slot->alarm.key == 0);
	assert(!slot->is_held && !slot->is_known && slot->n_ipc_masked == 0);
	assert(slot->commit_nsec == 0 && slot->first_receive_nsec == 0);
	assert(slot->n_supervised == 0 && memcmp(&slot->log_rate, &none, sizeof(none)) == 0);
}

static void check_instance_new(const struct instance *instance)
{
	assert(instance->state == SLOT_NEW && !instance->is_stopped && !instance->is_foreign);
	assert(instance->rights == &instance->space->domain->committed);
	assert(instance->cpu_cycles == 0 && instance->call_progress == 0);
	assert(instance->grant_table == 0 && instance->n_grants == 0);
	assert(instance->copy_fault_asked == 0 && instance->n_vm_faults == 0);
	assert(instance->quantum_left_nsec == instance->quantum_nsec);
	assert(instance->priority == PRIORITY && instance->above_mask == (1u << PRIORITY) - 1);
}

/* One that begins in the memory of one that ended, in the same space, has nothing of what that one had. */
static void test_reused(void)
{
	struct slot_params params = {.name = "test", .priority = PRIORITY};
	uint32_t n_hooks = irq_hooks_free_count(), bit;
	struct slot *slot = open_slot(2);
	struct page_fault fault;

	run(slot);
	leave_all(slot);
	close_whole(slot);
	assert(slot->instance->rights == &domain_none.committed && !fault_take(&fault));
	assert(irq_hooks_free_count() == n_hooks && irq_line_slot(3, &bit) == NULL);
	assert(alarms_fire(fake_now) > fake_now + 10);
	assert(slot_open(2, &params, slot->instance->space, slot_at(SUPERVISOR)->endpoint) == slot);
	check_slot_new(slot);
	check_instance_new(slot->instance);
	close_slot(slot);
}

/* An endpoint is nobody's when its slot has ended, also when its number is another one's. */
static void test_stale(uint32_t number)
{
	struct instance *supervisor = slot_at(SUPERVISOR)->instance;
	struct slot *slot = open_slot(number), *found = NULL;
	endpoint_t was = slot->endpoint;

	assert(slot_of(was) == slot && slot_of_any(was) == slot);
	close_slot(slot);
	assert(slot_of(was) == NULL && slot_of_any(was) == NULL);
	slot = open_slot(number);
	assert(slot_of(was) == NULL && slot_of_any(was) == NULL);
	assert(slot_supervised_any(supervisor, was, &found) == E_DEAD && found == NULL);
	assert(slot_supervised_any(supervisor, slot->endpoint, &found) == E_OK && found == slot);
	close_slot(slot);
}

/* An alarm stays with its slot and fires there; the calls that may be made go with the instance. */
static void test_exchanged(void)
{
	struct domain_privileges privileges = {.calls = {0xf0}};
	struct slot *a = open_slot(2), *b = open_slot(3);

	domain_privileges_set(a->instance->space->domain, &privileges);
	privileges.calls[0] = 0x30;
	domain_privileges_set(b->instance->space->domain, &privileges);
	alarm_set(a, fake_now + 10);
	slot_instances_exchange(&a, &b);
	assert(a == slot_at(2) && a->instance->rights->calls == 0x30);
	assert(b == slot_at(3) && b->instance->rights->calls == 0xf0);
	assert(heap_is_in(&a->alarm) && !heap_is_in(&b->alarm));
	alarm_set(b, 0); /* it has none to lose */
	fake_now += 10;
	assert(alarms_fire(fake_now) == TIMER_NEVER);
	assert(a->notified_by_kernel == NOTIFIED_CLOCK && a->alarm.key == 0);
	assert(b->notified_by_kernel == 0);
	close_slot(a);
	close_slot(b);
}

static uint32_t count_fired(uint32_t first, uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < end; i++) {
		n += slot_at(i)->notified_by_kernel == NOTIFIED_CLOCK && slot_at(i)->alarm.key == 0;
	}
	return n;
}

/*
 * Of many alarms that are due some are fired, and the others soon; but none before one of somebody more
 * urgent, who need not have been the first, nor does his next one wait for them.
 */
static void test_alarms(void)
{
	const uint32_t first = 2, end = 42;
	struct slot *urgent = open_slot_at(end, PRIORITY - 1);
	nsec_t next, due = fake_now += 10;

	for (uint32_t i = first; i < end; i++) {
		alarm_set(open_slot(i), due - i % 4);
	}
	alarm_set(urgent, due);
	next = alarms_fire(due);
	assert(count_fired(end, end + 1) == 1 && count_fired(first, end) == 15);
	for (uint32_t i = first; i < end; i++) {
		assert(slot_at(i)->notified_by_kernel == 0 || i % 4 >= 2);
	}
	assert(next > due && next - due <= 100000);
	alarm_set(urgent, due + 5);
	assert(alarms_fire(due) == due + 5);
	assert(count_fired(first, end) == 31 && count_fired(end, end + 1) == 0);
	alarm_set(slot_at(first + 2), 0);
	assert(alarms_fire(due) == due + 5 && alarms_fire(due + 5) == TIMER_NEVER);
	assert(count_fired(first, end) == 39 && count_fired(end, end + 1) == 1);
	for (uint32_t i = first; i <= end; i++) {
		close_slot(slot_at(i));
	}
}

/* Before its commit an instance may make the calls that are both given and for that time, and send to nobody. */
static void test_rights(void)
{
	struct domain_privileges privileges = {
	        .calls = {kcall_mask_uncommitted | 0xf0}, .ipc_to = {5}, .ipc_classes = 6};
	struct slot *slot = open_slot(2);
	struct instance *instance = slot->instance;
	struct domain *domain = instance->space->domain;

	assert(instance->rights->calls == 0 && instance->rights->ipc_to[0] == UINT64_MAX);
	domain_privileges_set(domain, &privileges);
	assert(instance->rights->calls == (kcall_mask_uncommitted | 0xf0));
	assert(instance->rights->ipc_to[0] == 5 && instance->rights->ipc_to[1] == 0);
	assert(instance->rights->ipc_to[N_SERVICE_SLOTS / 64] == 6);
	instance->is_uncommitted = true;
	domain_rights_give(instance);
	assert(instance->rights->calls == kcall_mask_uncommitted);
	assert(instance->rights->ipc_to[0] == 0);
	privileges.calls[0] = 0xf0;
	domain_privileges_set(domain, &privileges);
	assert(instance->rights->calls == 0);
	close_slot(slot);
}

/* A domain is that of all spaces that joined it, and its frame is free with the last of them. */
static void test_domain_shared(void)
{
	struct domain_privileges privileges = {.calls = {0xf0}};
	paddr_t frame = DOMAIN_FRAME(2);
	struct slot *slot = open_slot(2);
	struct space *other;

	assert(space_open(0, FRAME(3), EP_NONE, &other) == E_OK && domain_leave(other) == 0);
	domain_join(other, slot->instance->space);
	domain_privileges_set(other->domain, &privileges);
	assert(slot->instance->rights->calls == 0xf0);
	close_whole(slot);
	assert(domain_leave(slot->instance->space) == 0 && frame_use(frame) == FRAME_OBJECT);
	(void)space_close(slot->instance->space);
	assert(other->domain->privileges.calls[0] == 0xf0);
	assert(domain_leave(other) == frame && frame_use(frame) == FRAME_USER);
	(void)space_close(other);
}

/* Hooks that a domain does not have the line of go, but not those that an instance before its commit found. */
static void test_hooks(void)
{
	struct domain_privileges line = {.n_irq = 1, .irq = {3}}, none = {0};
	struct slot *slot = open_slot(2), *other = open_slot(3);
	struct domain *domain = slot->instance->space->domain;
	uint32_t bit, hook;

	domain_privileges_set(domain, &line);
	assert(irq_hook(slot, 3, 0, &hook) == E_OK && irq_hook(other, 4, 0, &hook) == E_OK);
	irq_review(domain);
	assert(irq_line_slot(3, &bit) == slot);
	domain_privileges_set(domain, &none);
	slot->instance->is_uncommitted = true;
	irq_review(domain);
	assert(irq_line_slot(3, &bit) == slot);
	slot->instance->is_uncommitted = false;
	irq_review(domain);
	assert(irq_line_slot(3, &bit) == NULL && irq_line_slot(4, &bit) == other);
	close_slot(slot);
	close_slot(other);
}

/* Events come in the order in which they happened, and those that are passed on behind them. */
static void test_events(void)
{
	const uint64_t w[5] = {0};
	struct slot *slot[3], *supervisor = slot_at(SUPERVISOR);
	struct slot_event event;

	for (uint32_t i = 0; i < 3; i++) {
		slot[i] = open_slot(2 + i);
		run(slot[i]);
		event_raise(slot[i]->instance, SLOT_REPORTED, SLOT_EVENT_REPORT, w);
	}
	event_pass_on(slot[0]->instance, supervisor);
	for (uint32_t i = 1; i <= 3; i++) {
		assert(event_take(supervisor, &event));
		assert(event.endpoint == slot[i % 3]->endpoint);
	}
	event_pass_on(slot[0]->instance, supervisor); /* there is none */
	assert(!event_take(supervisor, &event));
	for (uint32_t i = 0; i < 3; i++) {
		close_slot(slot[i]);
	}
}

/* The first receive after a commit is told once, and what an interrupt said is said once. */
static void test_received(void)
{
	struct slot *slot = open_slot(2), *supervisor = slot_at(SUPERVISOR);

	run(slot);
	supervisor->notified_by_kernel = 0;
	fake_now += 10;
	slot->pending |= PENDING_FIRST_RECEIVE;
	ipc_notify_kernel(slot, NOTIFIED_HARDWARE, 5);
	assert(ipc_receive(slot->instance, EP_ANY) == E_OK);
	assert(slot->instance->context.message.w[0] == 5 && slot->irq_bits == 0);
	assert(slot->pending == 0 && slot->first_receive_nsec == fake_now);
	assert(supervisor->notified_by_kernel == NOTIFIED_KERNEL);
	ipc_notify_kernel(slot, NOTIFIED_HARDWARE, 2);
	assert(ipc_receive(slot->instance, EP_ANY) == E_OK);
	assert(slot->instance->context.message.w[0] == 2);
	close_slot(slot);
}

/* Who is stopped while it receives gets what came when it goes on, and not before. */
static void test_stopped(void)
{
	struct slot *slot = open_slot(2);
	struct instance *instance = slot->instance;

	run(slot);
	assert(ipc_receive(instance, EP_ANY) == KCALL_PENDING);
	instance_stop(instance);
	ipc_notify_kernel(slot, NOTIFIED_HARDWARE, 4);
	assert(instance->state == SLOT_RECEIVING && slot->irq_bits == 4);
	instance_unstop(instance);
	assert(instance->state == SLOT_RUNNABLE && slot->irq_bits == 0);
	assert(instance->context.message.w[0] == 4);
	close_slot(slot);
}

/* Programs do not notify; that somebody may not send is counted. */
static void test_refused(void)
{
	struct slot *slot = open_slot(2), *program = open_slot(N_SERVICE_SLOTS);
	struct domain_privileges nobody = {0};

	run(slot);
	run(program);
	assert(ipc_notify(program->instance, slot->endpoint) == E_PERM);
	assert(slot->pending == 0 && slot->notified_by[0] == 0 && program->n_ipc_masked == 0);
	domain_privileges_set(slot->instance->space->domain, &nobody);
	assert(ipc_send(slot->instance, program->endpoint) == E_PERM);
	assert(ipc_notify(slot->instance, program->endpoint) == E_PERM);
	assert(slot->n_ipc_masked == 2 && program->pending == 0);
	close_slot(slot);
	close_slot(program);
}

#define N_SENDERS 40u /* for more than one piece */

/* Slots from `first` on, which send to the target and wait. */
static void senders_open(uint32_t first, const struct slot *target)
{
	for (uint32_t i = first; i < first + N_SENDERS; i++) {
		struct slot *sender = open_slot(i);

		run(sender);
		assert(ipc_send(sender->instance, target->endpoint) == KCALL_PENDING);
	}
}

/* Who reports while its supervisor ends is heard by the one above that. */
static void test_report_orphan(void)
{
	const uint32_t first = 4;
	const uint64_t words[5] = {77};
	struct slot *manager = open_slot(2), *child = open_slot(3), *top = slot_at(SUPERVISOR);
	struct slot_event event;
	struct space *space = manager->instance->space;
	uint64_t progress = 0;

	run(child);
	slot_count(child, -1);
	child->supervisor = manager->endpoint;
	slot_count(child, 1);
	manager->is_known = 1;
	senders_open(first, manager);
	assert(!slot_close(manager, &progress) && slot_of(child->supervisor) == NULL);
	assert(do_report(top->instance, words) == E_STATE);
	assert(do_report(child->instance, words) == KCALL_PENDING);
	while (!slot_close(manager, &progress)) {
	}
	assert(child->supervisor == top->endpoint && event_take(top, &event));
	assert(event.endpoint == child->endpoint && event.w[0] == 77 && !event_take(top, &event));
	close_space(space);
	close_slot(child);
	for (uint32_t i = first; i < first + N_SENDERS; i++) {
		assert(slot_at(i)->instance->context.result == E_DEAD);
		close_slot(slot_at(i));
	}
}

/* Messages that wait say who sent them, and a call that was parked is made again. */
static void test_waiting(void)
{
	struct slot *slot = open_slot(2), *other = open_slot(3);

	run(slot);
	run(other);
	other->instance->context.message = (struct message){.source = EP_KERNEL};
	assert(ipc_asend(other->instance, slot->endpoint) == E_OK);
	assert(ipc_receive(slot->instance, EP_ANY) == E_OK);
	assert(slot->instance->context.message.source == other->endpoint);
	assert(ipc_park(slot->instance, other) == KCALL_PENDING && slot_unpark(other));
	assert(slot->instance->context.n_restarts == 1);
	close_slot(slot);
	close_slot(other);
}

/* Numbers of spaces that were never used are given before any comes again. */
static void test_space_numbers(void)
{
	struct slot *slot = open_slot(2);
	space_t was = slot->instance->space->id;

	assert(space_of_any(was + 1) == NULL);
	close_slot(slot);
	assert(space_of_any(was) == NULL);
	slot = open_slot(2);
	assert(slot->instance->space->id == was + 1);
	close_slot(slot);
}

/* The frame for the registers of the FPU is the space's until it is taken back. */
static void test_space_fpu(void)
{
	struct slot *slot = open_slot(2);
	struct space *space = slot->instance->space;
	paddr_t frame = FRAME(N_TEST);

	assert(space_fpu_take(space) == 0);
	assert(space_fpu_give(space, frame + 8) == E_INVAL);
	assert(space_fpu_give(space, FRAME(2)) == E_PERM);
	assert(space_fpu_give(space, frame) == E_OK && frame_use(frame) == FRAME_FPU);
	assert(space_fpu_give(space, frame + PAGE_SIZE) == E_BUSY);
	assert(frame_use(frame + PAGE_SIZE) == FRAME_USER);
	assert(space_fpu_take(space) == frame && frame_use(frame) == FRAME_USER);
	assert(space_fpu_take(space) == 0);
	close_slot(slot);
}

/* All programs at once, and again and again: the queue of numbers goes on when it has been empty. */
static void test_numbers(void)
{
	static struct thread many[N_SLOTS - N_SERVICE_SLOTS];
	const uint32_t first = N_SERVICE_SLOTS;

	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = first; i < N_SLOTS; i++) {
			slot_thread_init(&many[i - first]);
			assert(slot_number_free(true) == i);
			(void)slot_take(i, &many[i - first]);
		}
		assert(slot_number_free(true) == N_SLOTS);
		for (uint32_t i = first; i < N_SLOTS; i++) {
			slot_give(slot_at(i));
		}
	}
}

int main(void)
{
	fake_cpu = cpu_storage(0);
	slots_init();
	spaces_init();
	irq_init();
	alarms_init();
	sched_init();
	run(open_slot(SUPERVISOR));
	test_space_numbers();
	test_reused();
	test_stale(0);
	test_stale(2);
	test_exchanged();
	test_alarms();
	test_rights();
	test_domain_shared();
	test_hooks();
	test_events();
	test_received();
	test_waiting();
	test_stopped();
	test_space_fpu();
	test_report_orphan();
	test_numbers();
	test_refused();
	return 0;
}
