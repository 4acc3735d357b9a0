/*
 * Scheduling on several CPUs, as a play: each CPU runs something or waits, until its timer fires or another
 * one wakes it, whichever comes first; then it looks for what to run, as it does in its interrupt. What is
 * checked: nobody is idle while somebody waits, urgent ones run, and equals have equal shares.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/kernel/object/space.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/sched/state.h"
#include "osd/kernel/sched/timer.h"
#include "osd/kernel/test/fake.h"

#define QUANTUM 10000u
#define N_MAX 16u

static struct instance all[N_MAX];
static uint64_t ran[N_MAX];
static struct space space;

void fake_delivered(const struct message *message)
{
	(void)message;
}

static void on(uint32_t cpu)
{
	fake_cpu = cpu_storage(cpu);
}

static struct instance *running(uint32_t cpu)
{
	return (struct instance *)(void *)cpu_storage(cpu)->current;
}

/* This CPU leaves the kernel. */
static void leave(uint32_t cpu)
{
	jmp_buf back;

	on(cpu);
	fake_leaves = &back;
	if (setjmp(back) == 0) {
		sched_run();
	}
}

static void begin(uint32_t n_cpus)
{
	fake_n_cpus = n_cpus;
	fake_now = fake_woken = 0;
	memset(all, 0, sizeof(all));
	memset(ran, 0, sizeof(ran));
	for (uint32_t i = 0; i < n_cpus; i++) {
		memset(cpu_at(i), 0, sizeof(*cpu_at(i)));
	}
	on(0);
	sched_init();
	for (uint32_t i = 0; i < n_cpus; i++) {
		leave(i);
		assert(running(i) == NULL);
	}
}

/* Made ready by CPU 0, which then leaves the kernel. */
static void ready(uint32_t number, uint32_t priority, uint32_t cpu)
{
	struct instance *instance = &all[number];

	instance->state = SLOT_RUNNABLE;
	instance->priority = priority;
	instance->space = &space;
	instance->quantum_nsec = instance->quantum_left_nsec = QUANTUM;
	instance->cpu = cpu;
	on(0);
	sched_ready(instance);
	leave(0);
}

/* The next CPU whose interrupt comes; UINT32_MAX: none before `end`. */
static uint32_t next_event(nsec_t end, nsec_t *ret_at)
{
	uint32_t next = UINT32_MAX;

	*ret_at = end;
	for (uint32_t i = 0; i < fake_n_cpus; i++) {
		nsec_t at = fake_woken >> i & 1 ? fake_now : cpu_at(i)->timer_at;

		if (at < *ret_at) {
			*ret_at = at < fake_now ? fake_now : at;
			next = i;
		}
	}
	return next;
}

static void pass(nsec_t to)
{
	for (uint32_t i = 0; i < fake_n_cpus; i++) {
		if (running(i) != NULL) {
			ran[running(i) - all] += to - fake_now;
		}
	}
	fake_now = to;
}

/* Nobody waits while a CPU has nothing to do, or less urgent work. */
static void check_used(void)
{
	for (uint32_t i = 0; i < fake_n_cpus; i++) {
		for (uint32_t j = 0; j < fake_n_cpus; j++) {
			uint32_t mask = cpu_at(i)->ready_mask;

			assert(mask == 0 ||
			        (running(j) != NULL &&
			                running(j)->priority <= (uint32_t)__builtin_ctz(mask)));
		}
	}
}

static void play(nsec_t time)
{
	nsec_t end = fake_now + time, at;
	uint32_t n_at_once = 0;

	for (uint32_t cpu; (cpu = next_event(end, &at)) != UINT32_MAX;) {
		n_at_once = at == fake_now ? n_at_once + 1 : 0;
		assert(n_at_once < 100); /* they do not wake each other for ever */
		pass(at);
		on(cpu);
		if (!(fake_woken >> cpu & 1)) {
			timer_fired();
			sched_quantum_check(fake_now);
		}
		fake_woken &= ~(1u << cpu);
		leave(cpu);
		if (fake_woken == 0) {
			check_used();
		}
	}
	pass(end);
}

/* n that never wait, on so many CPUs, all of which begin on one. */
static void test_shares(uint32_t n_cpus, uint32_t n)
{
	const uint64_t n_quanta = 400;
	uint64_t fair;

	begin(n_cpus);
	for (uint32_t i = 0; i < n; i++) {
		ready(i, 3, 0);
	}
	play(n_quanta * QUANTUM);
	fair = n_quanta * QUANTUM * (n < n_cpus ? n : n_cpus) / n;
	for (uint32_t i = 0; i < n; i++) {
		if (ran[i] < fair * 97 / 100 || ran[i] > fair * 103 / 100) {
			fprintf(stderr, "%u CPUs, %u equals: %u ran for %lu of %lu\n", n_cpus, n, i,
			        (unsigned long)ran[i], (unsigned long)fair);
			abort();
		}
	}
}

/* What is most urgent runs without a break, equals share the rest, and the least urgent gets nothing. */
static void test_priorities(void)
{
	begin(2);
	ready(0, 5, 0);
	ready(1, 3, 0);
	ready(2, 3, 0);
	ready(3, 1, 0);
	play(200 * QUANTUM);
	assert(ran[3] >= 199 * QUANTUM && ran[0] <= QUANTUM);
	assert(ran[1] >= 95 * QUANTUM && ran[2] >= 95 * QUANTUM);
}

/* CPUs that do more urgent work are left alone. */
static void test_left_alone(void)
{
	begin(2);
	ready(0, 1, 0);
	ready(1, 1, 1);
	play(QUANTUM / 2);
	fake_woken = 0;
	ready(2, 3, 0);
	leave(0);
	assert(fake_woken == 0);
	play(10 * QUANTUM);
	assert(ran[2] == 0);
}

/* A CPU whose urgent work ends takes the most urgent that waits, though less urgent waits in its own queue. */
static void test_most_urgent(void)
{
	begin(2);
	ready(0, 1, 0);
	ready(1, 1, 1);
	leave(1);
	ready(2, 3, 0);
	ready(3, 5, 1);
	assert(running(0) == &all[0] && running(1) == &all[1]);
	assert(cpu_at(0)->ready_mask == 1u << 3 && cpu_at(1)->ready_mask == 1u << 5);
	all[1].state = SLOT_RECEIVING;
	leave(1);
	assert(running(1) == &all[2] && all[2].cpu == 1);
}

/* What runs goes on until its time is over, though its equal waits, unless it is stopped. */
static void test_goes_on(void)
{
	uint64_t n_switches;

	begin(1);
	ready(0, 3, 0);
	ready(1, 3, 0);
	n_switches = cpu_at(0)->n_context_switches;
	play(QUANTUM / 2);
	leave(0);
	assert(running(0) == &all[0] && cpu_at(0)->n_context_switches == n_switches);
	all[1].is_stopped = 1;
	sched_unready(&all[1]);
	leave(0);
	assert(running(0) == &all[0]);
	all[0].is_stopped = 1;
	leave(0);
	assert(running(0) == NULL);
}

int main(void)
{
	for (uint32_t n_cpus = 1; n_cpus <= 8; n_cpus++) {
		for (uint32_t n = 1; n <= N_MAX; n++) {
			test_shares(n_cpus, n);
		}
	}
	test_priorities();
	test_left_alone();
	test_most_urgent();
	test_goes_on();
	return 0;
}
