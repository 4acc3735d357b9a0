/*
 * Runs the tables of tests and prints TAP. Before the first and after the last test
 * slots, spaces, interrupt hooks and frames are counted: a difference is a failure.
 * Ends the machine with code 0 or 1.
 *
 * Words of the boot image's command line: only=N runs one test; cpus=1 those of test_cpus.c, whose
 * stops=N is; seed=N and fuzz_ms=N are test_abuse.c's; mark=1 runs none, but waits for ever with known values in the FPU.
 */
#include "osd/suites/kcall/kcall.h"

static uint32_t n_failed_checks;

bool kcall_check(int64_t want, int64_t got, const char *text, const char *file, int line)
{
	if (want == got) {
		return true;
	}
	n_failed_checks++;
	bare_print("# %s:%d: %s: got %d, wanted %d", file, (int64_t)line, text, got, want);
	return false;
}

static bool test_run(const struct test *test, uint64_t number)
{
	struct slot_event event;

	n_failed_checks = 0;
	bare_print("# begin %u %s", number, test->name);
	test->run();
	while (sys_event_next(&event) == E_OK) {
		/* Events that a test left belong to slots that are gone, or to nobody. */
		kcall_check(0, event.kind, "no event is left over", test->name, 0);
	}
	bare_print("%s %u - %s", n_failed_checks ? "not ok" : "ok", number, test->name);
	return n_failed_checks == 0;
}

static const struct test *const tables[] = {tests_any, tests_ipc, tests_grant, tests_device,
        tests_slot, tests_domain, tests_swap, tests_space, tests_table, tests_books, tests_mirror,
        tests_fault, tests_context, tests_fpu, tests_registers, tests_program, tests_thread,
        tests_manager, tests_foreign, tests_crowd, tests_cpus, tests_random, tests_record,
        tests_abuse, tests_supervise};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static bool resources_compare(const struct kernel_stats *before, uint32_t chunks)
{
	struct kernel_stats after;

	n_failed_checks = 0;
	IS(E_OK, sys_kernel_stats(&after));
	IS(before->n_slots_free, after.n_slots_free);
	IS(before->n_spaces_free, after.n_spaces_free);
	IS(before->n_irq_hooks_free, after.n_irq_hooks_free);
	IS(before->kernel_bytes, after.kernel_bytes);
	IS(chunks, child_chunks_free());
	return n_failed_checks == 0;
}

static void demand_range_set(void)
{
	struct message msg = {.type = BARE_VM_DEMAND, .w = {DEMAND_VA, DEMAND_END}};

	IS(E_OK, sys_sendrec(EP_VM, &msg));
}

static void wait_marked(void)
{
	struct message msg;

	bare_print("# marked");
	for (;;) {
		fpu_mark();
		(void)sys_receive(EP_CLOCK, &msg);
	}
}

int bare_main(void)
{
	uint64_t only = bare_option("only", 0), number = 0, n_run = 0, n_failed = 0;
	bool is_cpus = bare_option("cpus", 0) != 0;
	struct kernel_stats before;
	uint32_t chunks;

	if (bare_option("mark", 0) != 0) {
		wait_marked();
	}
	child_init();
	demand_range_set();
	chunks = child_chunks_free();
	IS(E_OK, sys_kernel_stats(&before));
	for (unsigned int t = 0; t < N_TABLES; t++) {
		for (const struct test *test = tables[t]; test->name; test++) {
			number++;
			if (only != 0 ? only == number : !is_cpus || tables[t] == tests_cpus) {
				n_failed += !test_run(test, number);
				n_run++;
			}
		}
	}
	n_failed += !resources_compare(&before, chunks);
	bare_print("%s %u - resources are as before", n_failed_checks ? "not ok" : "ok", ++number);
	bare_print("1..%u", n_run + 1);
	(void)sys_machine_off(n_failed ? 1 : 0);
	return 1;
}
