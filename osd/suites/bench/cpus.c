/*
 * On several CPUs, in time: what a message costs that goes to another one, and how much more work two
 * CPUs do than one. The second compares within one run. A client and a server that hand a CPU to each
 * other keep one busy; two such pairs keep two.
 *
 * Prints "bench ipc.crosscpu NSEC ROUND-TRIPS" and "bench smp.throughput.2 REQUESTS-OF-TWO-PAIRS OF-ONE".
 */
#include "osd/suites/bench/cpus.h"
#include "osd/suites/bare/child.h"

#define WARM_NSEC 100000000ul
#define MEASURE_NSEC 1000000000ul
#define WORK_NSEC 20000ul
#define N_PAIRS 2u

/* In the shared page; each pair counts in a line of its own. */
#define N_TURNS (shared->w[1])
#define WORK_LOOPS (shared->w[2])
#define N_REQUESTS(pair) (shared->w[8 * (1 + (pair))])

/* Answer by what the short way does not do: whoever is woken goes to a CPU that waits. */
static void echo_main(uint64_t argument)
{
	struct message msg;

	for (;;) {
		if (sys_receive(EP_ANY, &msg) == E_OK) {
			(void)sys_send(msg.source, &msg);
		}
	}
}

static void ping_main(uint64_t echo)
{
	struct message msg = {.type = 1};

	for (;;) {
		if (sys_send((endpoint_t)echo, &msg) != E_OK ||
		        sys_receive((endpoint_t)echo, &msg) != E_OK) {
			sys_exit(1);
		}
		N_TURNS++;
	}
}

static void crosscpu_measure(void)
{
	struct child echo, ping;
	nsec_t start;
	uint64_t n;

	child_run(&echo, "echo", echo_main, 0);
	child_run(&ping, "ping", ping_main, (uint64_t)echo.ep);
	child_settle(WARM_NSEC / 1000);
	n = N_TURNS;
	start = sys_clock_read();
	child_settle(MEASURE_NSEC / 1000);
	n = N_TURNS - n;
	bare_print("bench ipc.crosscpu %u %u", sys_clock_read() - start, n);
	child_free(&ping);
	child_free(&echo);
}

static void work(uint64_t n)
{
	for (; n > 0; n--) {
		__asm__ volatile("");
	}
}

/* How often around takes WORK_NSEC, when nothing comes between. */
static void work_calibrate(void)
{
	const uint64_t n = 1000000;
	nsec_t best = ~0ul;

	for (uint32_t i = 0; i < 8; i++) {
		nsec_t start = sys_clock_read(), taken;

		work(n);
		taken = sys_clock_read() - start;
		best = taken < best ? taken : best;
	}
	WORK_LOOPS = n * WORK_NSEC / best;
}

static void server_main(uint64_t pair)
{
	struct message msg;

	(void)sys_receive(EP_ANY, &msg);
	for (;;) {
		work(WORK_LOOPS);
		N_REQUESTS(pair)++;
		(void)sys_reply_receive(msg.source, &msg);
	}
}

static void client_main(uint64_t server)
{
	struct message msg = {.type = 1};

	while (sys_sendrec((endpoint_t)server, &msg) == E_OK) {
	}
	sys_exit(1);
}

/* Requests of the first n pairs, all of which run. */
static uint64_t requests_measure(uint32_t n_pairs)
{
	uint64_t before = 0, after = 0;

	child_settle(WARM_NSEC / 1000);
	for (uint32_t i = 0; i < n_pairs; i++) {
		before += N_REQUESTS(i);
	}
	child_settle(MEASURE_NSEC / 1000);
	for (uint32_t i = 0; i < n_pairs; i++) {
		after += N_REQUESTS(i);
	}
	return after - before;
}

static void throughput_measure(void)
{
	struct child servers[N_PAIRS], clients[N_PAIRS];
	uint64_t n_of[N_PAIRS];

	work_calibrate();
	for (uint32_t i = 0; i < N_PAIRS; i++) {
		child_run(&servers[i], "server", server_main, i);
		child_run(&clients[i], "client", client_main, (uint64_t)servers[i].ep);
		n_of[i] = requests_measure(i + 1);
	}
	bare_print("bench smp.throughput.2 %u %u", n_of[1], n_of[0]);
	for (uint32_t i = 0; i < N_PAIRS; i++) {
		child_free(&clients[i]);
		child_free(&servers[i]);
	}
}

void cpus_measure(void)
{
	crosscpu_measure();
	throughput_measure();
}
