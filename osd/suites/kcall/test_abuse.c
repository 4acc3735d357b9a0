/*
 * Random abuse. An unprivileged process makes random calls with random arguments; a supervisor's
 * and a VM's calls are made at random on objects that nobody misses. No outcome is wrong but a
 * panic, a hang of the machine, or a resource that does not come back. The seed is printed; seed=N
 * on the command line repeats a run.
 */
#define KCALL_UNRECORDED
#include "osd/suites/kcall/abuse.h"

#define N_UNKNOWN 6 /* numbers behind the last call that are tried too */

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ul;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ z >> 27) * 0x94d049bb133111ebul;
	return z ^ z >> 31;
}

uint64_t seed_choose(void)
{
	uint64_t seed = bare_option("seed", 0);

	if (seed == 0) {
		seed = sys_random() >> 40;
	}
	bare_print("# seed=%u", seed);
	return seed;
}

/* Values near where checks go wrong, and now and then any. */
static uint64_t argument_draw(uint64_t *state)
{
	static const uint64_t interesting[] = {0, 1, 2, 255, 256, 257, 4095, 4096, 0xffffffff,
	        0x100000000, 0x7fffffffffff, 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
	        0xffffffff80000000, ~0ul, ~7ul, ~4095ul, 1ul << 63, NOWHERE, DEMAND_VA,
	        DEMAND_VA + 4090, SHARED_SCRATCH, SHARED_SCRATCH + 256, SHARED_SCRATCH + 4090};
	uint64_t r = random_next(state);

	switch (r % 8) {
	case 0:
		return random_next(state);
	case 1:
		return random_next(state) % 64;
	case 2:
		return (uint64_t)EP_MAKE(r >> 8 & 7, 1 + (r >> 16 & 3));
	case 3:
		return (uint64_t)-(int64_t)(random_next(state) % 8);
	case 4:
		return (uint64_t)argument_draw;
	default:
		return interesting[(r >> 32) % (sizeof(interesting) / sizeof(interesting[0]))];
	}
}

/* Random bytes where structures and grant tables are looked for. */
static void scratch_fill(uint64_t *state)
{
	uint64_t *w = (uint64_t *)SHARED_SCRATCH;

	for (int i = 0; i < 64; i++) {
		w[i] = argument_draw(state);
	}
}

static bool number_ends_or_stops(uint64_t number)
{
	return number == KCALL_exit || number == KCALL_report || number == KCALL_receive;
}

void abuse_main(uint64_t state)
{
	for (;;) {
		uint64_t r = random_next(&state), a[6], second;
		uint64_t number = KCALL_BASE + r % (KCALL_N + N_UNKNOWN);
		struct message msg;

		if (number_ends_or_stops(number) && (r >> 20) % 64) {
			continue;
		}
		for (int i = 0; i < 6; i++) {
			a[i] = argument_draw(&state);
		}
		if (r >> 32 & 1) {
			scratch_fill(&state);
		}
		for (int i = 0; i < 7; i++) {
			msg.w[i] = a[i % 6];
		}
		msg.type = (uint32_t)a[5];
		if (number >= KCALL_send && number <= KCALL_reply_receive) {
			(void)sys_ipc((enum kcall)number, (endpoint_t)a[0], &msg);
		} else {
			(void)sys_call_second((enum kcall)number, a, &second);
		}
		shared->w[127]++;
	}
}

void abuser_privileges(const struct child *child, bool is_root)
{
	static const enum kcall given[] = {KCALL_port_in, KCALL_port_out, KCALL_irq_hook,
	        KCALL_irq_enable, KCALL_slot_start, KCALL_slot_stop, KCALL_slot_resume,
	        KCALL_slot_destroy, KCALL_domain_set, KCALL_slot_swap, KCALL_slot_commit,
	        KCALL_slot_unhold, KCALL_slot_info, KCALL_event_next, KCALL_copy,
	        KCALL_kernel_stats};
	struct domain_privileges privileges;

	child_privileges(&privileges);
	privileges.ipc_to[0] &= ~3ul; /* not us, not the bare VM */
	if (is_root) {
		for (unsigned int i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
			privileges_call(&privileges, given[i]);
		}
		privileges.n_irq = 1;
		privileges.irq[0] = 11;
	}
	IS(E_OK, sys_domain_set(child->space, &privileges));
}

static void abuser_start(struct child *child, uint64_t state, bool is_root)
{
	child_new(child, is_root ? "abuser_root" : "abuser");
	abuser_privileges(child, is_root);
	child_start(child, abuse_main, state);
}

/*
 * Two at a time, so that they find each other; one that is stuck or
 * ended makes room for another.
 */
static void abuse_for(uint64_t msec, bool is_root)
{
	nsec_t end = sys_clock_read() + msec * 1000000;
	uint64_t state = seed_choose(), calls = shared->w[127] = 0, n_processes = 0;

	while (sys_clock_read() < end) {
		struct child pair[2];
		uint64_t before;

		for (int i = 0; i < 2; i++) {
			abuser_start(&pair[i], random_next(&state), is_root);
			n_processes++;
		}
		do {
			before = shared->w[127];
			child_settle(10000);
		} while (shared->w[127] != before && sys_clock_read() < end);
		for (int i = 0; i < 2; i++) {
			struct slot_event event;

			while (sys_event_next(&event) == E_OK) {
			}
			child_free(&pair[i]);
		}
	}
	calls = shared->w[127];
	bare_print("# %u calls by %u processes", calls, n_processes);
	OK(calls > 100);
}

static void test_unprivileged(void)
{
	abuse_for(bare_option("fuzz_ms", 2000), false);
}

static void test_privileged(void)
{
	abuse_for(bare_option("fuzz_ms", 2000) / 2, true);
}

static struct space_op op_draw(
        uint64_t *state, const struct child *victim, const struct child *other)
{
	uint64_t r = random_next(state);
	struct space_op op = {.kind = (uint32_t)(r % 9),
	        .va = CHILD_FREE_VA + (random_next(state) % 2048) * PAGE_SIZE,
	        .arg = victim->chunk + (1 + CHILD_TABLES + random_next(state) % 32) * PAGE_SIZE,
	        .n_pages = 1 + (uint32_t)(random_next(state) % 4),
	        .prot = (uint32_t)(random_next(state) % 8)};

	if (op.kind == SPACE_MIRROR || op.kind == SPACE_UNMIRROR) {
		op.va &= ~(512 * PAGE_SIZE - 1);
		op.n_pages = 512;
		op.arg = other->space;
	}
	if (r >> 16 & 1) {
		op.prot |= r >> 17 & 1 ? SPACE_OP_ZERO : SPACE_OP_DEVICE;
	}
	switch (r >> 20 & 31) {
	case 0:
		/* Mirrors stay where they are looked for at the end. */
		op.va = op.kind == SPACE_MIRROR ? op.va : argument_draw(state);
		break;
	case 1:
		op.arg = argument_draw(state);
		break;
	case 2:
		op.n_pages = (uint32_t)argument_draw(state);
		break;
	}
	return op;
}

/* Random mapping operations on two spaces that nobody runs in; all table frames come back. */
static void test_batches(void)
{
	uint64_t state = seed_choose(), n_done = 0;

	for (int round = 0; round < 20; round++) {
		struct child pair[2];

		child_space_new(&pair[0]);
		child_space_new(&pair[1]);
		for (int i = 0; i < 300; i++) {
			int which = (int)(random_next(&state) & 1);
			struct child *victim = &pair[which];

			n_done += child_map(victim, op_draw(&state, victim, &pair[!which])) == E_OK;
		}
		for (int i = 0; i < 2; i++) {
			for (uint32_t t = 0; t < 8; t++) {
				(void)child_map(&pair[i],
				        (struct space_op){.kind = SPACE_UNMIRROR,
				                .va = (CHILD_FREE_VA & ~(512 * PAGE_SIZE - 1)) +
				                      t * 512 * PAGE_SIZE,
				                .n_pages = 512});
			}
		}
		child_free(&pair[0]);
		child_free(&pair[1]);
	}
	bare_print("# %u operations were accepted", n_done);
	OK(n_done > 100);
}

const struct test tests_abuse[] = {
        {"random calls of an unprivileged process", test_unprivileged},
        {"random calls of a supervisor of nobody", test_privileged},
        {"random mapping operations", test_batches},
        {0},
};
