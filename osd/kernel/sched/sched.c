/*
 * Run queues of a CPU: one list a priority. What runs is in no queue. While something is in a queue
 * the timer is armed for the end of the running quantum. A quantum belongs to the instance that the
 * scheduler picked; on a direct hand-off (ipc.c) the next one runs on with it, so that no clock is
 * read there.
 *
 * On several CPUs the queues of one priority are one queue, in the order in which they were entered:
 * who looks for work takes the most urgent, and of equals the one that has waited longest, in
 * whichever queue it is. So a CPU is idle only when nothing waits, and those that are equal and never
 * wait share all CPUs evenly.
 */
#include "osd/kernel/sched/sched.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/sched/timer.h"

static struct cpu cpus[ARCH_CPUS_MAX];
static uint32_t n_enqueued; /* at the end of a queue; it wraps */

struct cpu *cpu_at(uint32_t number)
{
	return &cpus[number];
}

struct arch_cpu *cpu_storage(uint32_t number)
{
	return &cpus[number].arch;
}

void sched_init(void)
{
	for (uint32_t number = 0; number < arch_cpus_count(); number++) {
		struct cpu *cpu = &cpus[number];

		for (uint32_t i = 0; i < N_PRIORITIES; i++) {
			list_init(&cpu->ready[i]);
		}
		cpu->timer_at = TIMER_NEVER;
		cpu->cycles_last = arch_cycles();
	}
}

static struct instance *sched_current(const struct cpu *cpu)
{
	return (struct instance *)(void *)cpu->arch.current;
}

/* The most urgent priority of what waits in this mask; N_PRIORITIES: nothing does. */
static uint32_t sched_mask_first(uint32_t mask)
{
	return mask != 0 ? (uint32_t)__builtin_ctz(mask) : N_PRIORITIES;
}

/* The priority of what runs on a CPU, or is going to. */
static uint32_t sched_level(const struct cpu *cpu)
{
	const struct instance *current = sched_current(cpu);
	uint32_t first = sched_mask_first(cpu->ready_mask);

	return current != NULL && current->priority < first ? current->priority : first;
}

/* Where it shall run: where it was last, unless something less urgent runs elsewhere, or nothing at all. */
static struct cpu *sched_place(const struct instance *instance)
{
	struct cpu *place = &cpus[instance->cpu];
	uint32_t level = sched_level(place);

	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		if (sched_level(&cpus[i]) > level) {
			place = &cpus[i];
			level = sched_level(place);
		}
	}
	return level > instance->priority ? place : &cpus[instance->cpu];
}

static void sched_enqueue(struct cpu *cpu, struct instance *instance, bool at_front)
{
	struct list *queue = &cpu->ready[instance->priority];

	if (!at_front) {
		instance->ready_since = n_enqueued++;
	}
	list_push(at_front ? queue->next : queue, &instance->ready_link);
	instance->is_ready = 1;
	instance->cpu = cpu_number(cpu);
	cpu->ready_mask |= 1u << instance->priority;
}

void sched_ready(struct instance *instance)
{
	struct cpu *cpu = arch_cpus_count() == 1 ? cpu_this() : sched_place(instance);
	const struct instance *current = sched_current(cpu);

	sched_enqueue(cpu, instance, false);
	if (cpu != cpu_this()) {
		cpu->is_resched = true;
		arch_cpu_wake(cpu_number(cpu)); /* it arms its own timer, too */
	} else if (current == NULL || instance->priority < current->priority) {
		cpu->is_resched = true;
	} else {
		timer_arm(cpu->quantum_end);
	}
}

void sched_unready(struct instance *instance)
{
	struct cpu *cpu = &cpus[instance->cpu];

	list_remove(&instance->ready_link);
	instance->is_ready = 0;
	if (list_is_empty(&cpu->ready[instance->priority])) {
		cpu->ready_mask &= ~(1u << instance->priority);
	}
}

void sched_quantum_check(nsec_t now)
{
	struct cpu *cpu = cpu_this();
	struct instance *current = cpu_current();

	if (current != NULL && now >= cpu->quantum_end) {
		cpu->is_resched = true;
	}
}

/* Charge what ran until now, and put it into its queue if it can go on. */
static void sched_leave(struct cpu *cpu, struct instance *current, nsec_t now)
{
	bool has_left = now < cpu->quantum_end;

	current->quantum_left_nsec = has_left ? cpu->quantum_end - now : current->quantum_nsec;
	if (current->state == SLOT_RUNNABLE && !current->is_stopped && !current->is_ready) {
		sched_enqueue(cpu, current, has_left);
	}
}

static void sched_charge(struct cpu *cpu, struct instance *current)
{
	uint64_t cycles = arch_cycles();

	if (current != NULL) {
		current->cpu_cycles += cycles - cpu->cycles_last;
	}
	cpu->cycles_last = cycles;
}

uint64_t sched_cycles(const struct instance *instance)
{
	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		if (&cpus[i] != cpu_this() && sched_current(&cpus[i]) == instance) {
			return instance->cpu_cycles + (arch_cycles() - cpus[i].cycles_last);
		}
	}
	return instance->cpu_cycles;
}

void sched_take_off(struct instance *instance)
{
	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		if (&cpus[i] != cpu_this() && sched_current(&cpus[i]) == instance) {
			arch_cpu_leave(i);
			sched_charge(&cpus[i], instance);
			sched_leave(&cpus[i], instance, arch_clock());
			return;
		}
	}
}

/* What waits in all queues. */
static uint32_t sched_waiting(void)
{
	uint32_t mask = cpu_this()->ready_mask;

	for (uint32_t i = 0; arch_cpus_count() > 1 && i < arch_cpus_count(); i++) {
		mask |= cpus[i].ready_mask;
	}
	return mask;
}

/* Does what runs go on? */
static bool sched_goes_on(const struct cpu *cpu, const struct instance *current, nsec_t now)
{
	uint32_t not_below = (2u << current->priority) - 1;

	if (current->state != SLOT_RUNNABLE || current->is_stopped || current->is_ready) {
		return false;
	}
	if (now < cpu->quantum_end) {
		not_below >>= 1;
	}
	return (sched_waiting() & not_below) == 0;
}

/* Would this CPU take what waits at this level, if it looked now? */
static bool sched_would_take(const struct cpu *cpu, uint32_t level, nsec_t now)
{
	uint32_t own = sched_level(cpu);

	return level < own || (level == own && now >= cpu->quantum_end);
}

/*
 * Something waits here, it may be what ran here until now: a CPU that has nothing to do shall come for
 * it, or else one that does less urgent work, or has done its equal work for as long as it may.
 */
static void sched_offer(const struct cpu *cpu, nsec_t now)
{
	const struct cpu *taker = NULL;
	uint32_t level = sched_mask_first(cpu->ready_mask);

	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		if (&cpus[i] != cpu && sched_would_take(&cpus[i], level, now) &&
		        (taker == NULL || sched_level(&cpus[i]) > sched_level(taker))) {
			taker = &cpus[i];
		}
	}
	if (taker != NULL) {
		arch_cpu_wake(cpu_number(taker));
	}
}

/* Leave into this instance, which is in no queue. */
static _Noreturn void sched_resume(struct cpu *cpu, struct instance *instance, nsec_t now)
{
	if (cpu->ready_mask != 0) {
		timer_arm(cpu->quantum_end);
		sched_offer(cpu, now);
	}
	arch_resume(&instance->context, &instance->space->mmu.arch);
}

/* The first that waits for this CPU at a level at which something does. */
static struct instance *sched_first(const struct cpu *cpu, uint32_t level)
{
	return list_entry(cpu->ready[level].next, struct instance, ready_link);
}

/* Whose queue has the next for this CPU? */
static struct cpu *sched_source(struct cpu *cpu)
{
	uint32_t level = sched_mask_first(sched_waiting());
	struct cpu *source = cpu;

	for (uint32_t i = 0; i < arch_cpus_count() && level < N_PRIORITIES; i++) {
		if (!(cpus[i].ready_mask >> level & 1)) {
			continue;
		}
		if (!(source->ready_mask >> level & 1) ||
		        (int32_t)(sched_first(&cpus[i], level)->ready_since -
		                  sched_first(source, level)->ready_since) < 0) {
			source = &cpus[i];
		}
	}
	return source;
}

_Noreturn void sched_run(void)
{
	struct cpu *cpu = cpu_this(), *source;
	struct instance *current = cpu_current(), *next;
	nsec_t now = arch_clock();

	cpu->is_resched = false;
	sched_charge(cpu, current);
	if (current != NULL && sched_goes_on(cpu, current, now)) {
		if (now >= cpu->quantum_end) {
			cpu->quantum_end = now + current->quantum_nsec;
		}
		sched_resume(cpu, current, now);
	}
	if (current != NULL) {
		sched_leave(cpu, current, now);
	}
	source = arch_cpus_count() == 1 ? cpu : sched_source(cpu);
	if (source->ready_mask == 0) {
		arch_idle();
	}
	next = sched_first(source, (uint32_t)__builtin_ctz(source->ready_mask));
	sched_unready(next);
	next->cpu = cpu_number(cpu);
	cpu->n_context_switches++;
	cpu->quantum_end = now + next->quantum_left_nsec;
	sched_resume(cpu, next, now);
}
