/*
 * Kernel benchmarks: a bare program in RS's place. Each result is the best of some rounds, as a sum
 * over a number of iterations, in units of rdtsc: under QEMU's -icount shift=0 that is guest
 * instructions. Includes the user stubs and the measuring loop.
 *
 * Prints "bench NAME SUM ITERATIONS"; tests/bench/kernel turns that into results.
 */
#include "osd/suites/bare/child.h"
#include "osd/suites/bench/cpus.h"
#include "osd/suites/bench/worst.h"

#define N_ROUNDS 8u
#define N_CALLS 1000u
#define N_PAGES 256u /* in one batch */
#define N_FRAMES 32u
#define N_THREADS 32u

static inline uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void print_result(const char *name, uint64_t sum, uint64_t n)
{
	bare_print("bench %s %u %u", name, sum, n);
}

static void null_measure(void)
{
	uint64_t best = ~0ul;

	for (unsigned int round = 0; round < N_ROUNDS; round++) {
		uint64_t start = ticks(), taken;

		for (unsigned int i = 0; i < N_CALLS; i++) {
			(void)sys_null();
		}
		taken = ticks() - start;
		best = taken < best ? taken : best;
	}
	print_result("kcall.null.insn", best, N_CALLS);
}

static void server_main(uint64_t argument)
{
	struct message msg = {0};

	(void)sys_thread_pointer_set(SHARED_VA + 64); /* services have one each */
	(void)sys_receive(EP_ANY, &msg);
	for (;;) {
		msg.type = MSG_REPLY;
		(void)sys_reply_receive(msg.source, &msg);
	}
}

/* The best round's time is left in shared->w[0]. argument: the server's endpoint. */
static void client_main(uint64_t argument)
{
	struct message msg = {.type = 1, .w = {1, 2, 3, 4, 5, 6, 7}};
	uint64_t best = ~0ul;

	(void)sys_thread_pointer_set(SHARED_VA);
	for (unsigned int round = 0; round < N_ROUNDS; round++) {
		uint64_t start = ticks(), taken;

		for (unsigned int i = 0; i < N_CALLS; i++) {
			if (sys_sendrec((endpoint_t)argument, &msg) != E_OK) {
				sys_exit(1);
			}
		}
		taken = ticks() - start;
		best = taken < best ? taken : best;
	}
	shared->w[0] = best;
	sys_exit(0);
}

static void ipc_measure(void)
{
	struct child server, client;
	struct slot_event event;

	child_run(&server, "server", server_main, 0);
	child_settle(100);
	child_run(&client, "client", client_main, (uint64_t)server.ep);
	if (child_event(&client, &event) != E_OK || event.kind != SLOT_EVENT_EXIT ||
	        event.w[0] != 0) {
		bare_die("the client failed", event.kind);
	}
	print_result("ipc.roundtrip.insn", shared->w[0], N_CALLS);
	child_free(&client);
	child_free(&server);
}

/* As client_main, by raw system calls; what ends it is one that nobody answers. */
static void foreign_main(uint64_t number)
{
	uint64_t best = ~0ul;

	for (unsigned int round = 0; round < N_ROUNDS; round++) {
		uint64_t start = ticks(), taken;

		for (unsigned int i = 0; i < N_CALLS; i++) {
			uint64_t result = number;

			__asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
		}
		taken = ticks() - start;
		best = taken < best ? taken : best;
	}
	shared->w[0] = best;
	__asm__ volatile("syscall" : : "a"(number + 1) : "rcx", "r11", "memory");
}

static void foreign_measure(void)
{
	struct space_op no_gate = {.kind = SPACE_UNMAP, .va = bare_start->gate, .n_pages = 1};
	struct child server, client;
	struct slot_event event;

	child_run(&server, "server", server_main, 0);
	child_new(&client, "client");
	if (child_map(&client, no_gate) != E_OK || sys_personality_set(0, &server.ep, 1) != E_OK ||
	        sys_slot_foreign(client.ep, 0) != E_OK) {
		bare_die("no foreign thread", 0);
	}
	child_settle(100);
	child_start(&client, foreign_main, 0);
	if (child_event(&client, &event) != E_OK || event.w[0] != FAULT_FOREIGN_UNANSWERED) {
		bare_die("the foreign client failed", event.kind);
	}
	print_result("foreign.roundtrip.insn", shared->w[0], N_CALLS);
	child_free(&client);
	child_free(&server);
}

/* Run a batch that maps N_PAGES pages, and unmap them. */
static uint64_t map_once(struct child *child, const struct space_op *ops, uint32_t n_ops)
{
	struct space_batch batch = {.ops = ops, .n_ops = n_ops};
	uint64_t start = ticks(), used, taken;
	err_t r = sys_space_batch(&batch, &used);

	taken = ticks() - start;
	if (r == E_OK) {
		r = child_map(child,
		        (struct space_op){
		                .kind = SPACE_UNMAP, .va = CHILD_FREE_VA, .n_pages = N_PAGES});
	}
	if (r != E_OK) {
		bare_die("mapping fails", r);
	}
	return taken;
}

/* Into tables that exist; the same frames serve every operation. */
static void map_measure(const char *name, uint32_t pages_per_op)
{
	static struct space_op ops[N_PAGES];
	uint32_t n_ops = N_PAGES / pages_per_op;
	struct child child;
	uint64_t best = ~0ul;
	paddr_t frames;

	child_space_new(&child);
	frames = child_frames(&child, N_FRAMES);
	for (uint32_t i = 0; i < n_ops; i++) {
		ops[i] = (struct space_op){.kind = SPACE_MAP,
		        .space = child.space,
		        .va = CHILD_FREE_VA + i * pages_per_op * PAGE_SIZE,
		        .arg = frames + i * pages_per_op % N_FRAMES * PAGE_SIZE,
		        .n_pages = pages_per_op,
		        .prot = PROT_R | PROT_W};
	}
	if (child_map(&child, ops[0]) != E_OK) {
		bare_die("the tables cannot be made", 0);
	}
	(void)child_map(
	        &child, (struct space_op){
	                        .kind = SPACE_UNMAP, .va = CHILD_FREE_VA, .n_pages = pages_per_op});
	for (unsigned int round = 0; round < N_ROUNDS; round++) {
		uint64_t taken = map_once(&child, ops, n_ops);

		best = taken < best ? taken : best;
	}
	print_result(name, best, N_PAGES);
	child_free(&child);
}

static void map_measure_runs(void)
{
	map_measure("map.page.batched.insn", 16);
}

static void map_measure_pages(void)
{
	map_measure("map.page.single.insn", 1);
}

static void slot_measure(void)
{
	struct kernel_stats stats;

	if (sys_kernel_stats(&stats) != E_OK) {
		bare_die("kernel_stats", 0);
	}
	print_result("slot.bytes", stats.slot_bytes, 1);
}

/* Each in a space with others, in memory that VM has given it, with no rights yet. */
static void thread_measure(void)
{
	struct slot_params params = {
	        .name = "thread", .flags = SLOT_PROGRAM, .priority = CHILD_PRIORITY};
	endpoint_t threads[N_THREADS];
	uint64_t best = ~0ul;
	struct child child;

	child_space_new(&child);
	params.space = child.space;
	for (unsigned int i = 1; i < N_THREADS; i++) {
		child_thread_give(&child);
	}
	for (unsigned int round = 0; round < N_ROUNDS; round++) {
		uint64_t start = ticks(), taken;

		for (unsigned int i = 0; i < N_THREADS; i++) {
			threads[i] = (endpoint_t)sys_slot_create(&params);
		}
		taken = ticks() - start;
		best = taken < best ? taken : best;
		for (unsigned int i = 0; i < N_THREADS; i++) {
			if (threads[i] < 0 || sys_slot_destroy(threads[i]) != E_OK) {
				bare_die("no thread", threads[i]);
			}
		}
	}
	print_result("thread.create.insn", best, N_THREADS);
	child_free(&child);
}

/* only=N on the command line runs the Nth alone, for tracing; worst=1 runs worst.c instead, cpus=1 cpus.c. */
static void (*const measures[])(void) = {null_measure, ipc_measure, foreign_measure,
        map_measure_runs, map_measure_pages, thread_measure, slot_measure};

int bare_main(void)
{
	uint64_t only = bare_option("only", 0);

	child_init();
	if (bare_option("worst", 0) != 0) {
		worst_measure();
		only = UINT64_MAX;
	}
	if (bare_option("cpus", 0) != 0) {
		cpus_measure();
		only = UINT64_MAX;
	}
	for (uint64_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
		if (only == 0 || only == i + 1) {
			measures[i]();
		}
	}
	bare_print("bench end 0 1");
	(void)sys_machine_off(0);
	return 0;
}
