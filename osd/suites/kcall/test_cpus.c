/*
 * Several CPUs: who runs on another one than the driver can be stopped, ended and robbed of a page
 * there, whatever it is doing. The driver does not wait in these tests, so that what moves does so
 * elsewhere. On one CPU there is nothing to be seen.
 */
#include "osd/suites/kcall/kcall.h"

#define N_STOPS 40u /* unless stops=N says how often somebody is stopped where he runs */

static struct puppet p, q;

/* Does it count on another CPU, away from this value? */
static bool moves_from(const volatile uint64_t *counter, uint64_t before)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	while (*counter == before && sys_clock_read() < end) {
		__asm__ volatile("pause");
	}
	return *counter != before;
}

static bool moves_elsewhere(const volatile uint64_t *counter)
{
	return moves_from(counter, *counter);
}

static void dawdle(uint64_t nsec_max)
{
	nsec_t end = sys_clock_read() + sys_random() % nsec_max;

	while (sys_clock_read() < end) {
		__asm__ volatile("pause");
	}
}

static void spin_begin(struct puppet *puppet, err_t (*function)(uint64_t), uint64_t argument)
{
	puppet_order(puppet)->counter = 0;
	puppet_begin(puppet, PUPPET_CALL, (const uint64_t[6]){(uint64_t)function, argument});
	OK(moves_from(&puppet_order(puppet)->counter, 0)); /* it may count only once */
}

/* One for each of the other CPUs, up to two of them, run beside the driver. */
static void test_beside(void)
{
	if (cpus_count() == 1) {
		return;
	}
	puppet_new(&p, 0, "p", 0);
	puppet_begin(&p, PUPPET_SPIN, (const uint64_t[6]){0});
	OK(moves_elsewhere(&puppet_order(&p)->counter));
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&q, PUPPET_SPIN, (const uint64_t[6]){0});
	if (cpus_count() > 2) {
		OK(moves_elsewhere(&puppet_order(&q)->counter));
		OK(moves_elsewhere(&puppet_order(&p)->counter));
	}
	puppet_free(&p);
	OK(moves_elsewhere(&puppet_order(&q)->counter)); /* where p was */
	puppet_free(&q);
}

/* What it has run is told until now, also while nothing interrupts it. */
static void test_time(void)
{
	uint64_t told;

	if (cpus_count() == 1) {
		return;
	}
	puppet_new(&p, 0, "p", 0);
	puppet_begin(&p, PUPPET_SPIN, (const uint64_t[6]){0});
	OK(moves_elsewhere(&puppet_order(&p)->counter));
	for (uint32_t i = 0; i < 3; i++) {
		told = info_of(p.child.ep).cpu_nsec;
		dawdle(20000);
		OK(moves_elsewhere(&puppet_order(&p)->counter));
		OK(info_of(p.child.ep).cpu_nsec > told);
	}
	puppet_free(&p);
}

static struct space_op page_op(struct puppet *puppet, uint32_t kind, uint32_t prot)
{
	return (struct space_op){.kind = kind,
	        .space = puppet->child.space,
	        .va = CHILD_FREE_VA,
	        .n_pages = 1,
	        .prot = prot};
}

/* Write into the page, and tell, in turn. */
static err_t page_write(uint64_t index)
{
	for (;;) {
		(*(volatile uint64_t *)CHILD_FREE_VA)++;
		((volatile struct puppet_order *)&puppet_orders[index])->counter++;
	}
}

static err_t page_read(uint64_t index)
{
	for (;;) {
		(void)*(volatile uint64_t *)CHILD_FREE_VA;
		((volatile struct puppet_order *)&puppet_orders[index])->counter++;
	}
}

/* From now on it does at most what it had begun, and meets a fault. */
static void page_is_gone(struct puppet *puppet)
{
	const volatile uint64_t *counter = &puppet_order(puppet)->counter;
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;
	uint64_t last = *counter + 1;

	while (*counter <= last && info_state(puppet->child.ep) == SLOT_RUNNABLE &&
	        sys_clock_read() < end) {
		__asm__ volatile("pause");
	}
	if (OK(*counter <= last)) {
		IS(PUPPET_ENDED, puppet_end(puppet));
		IS(SLOT_EVENT_FAULT, puppet->event.kind);
		IS(CHILD_FREE_VA, puppet->event.w[1]);
	}
}

static void page_give(struct puppet *puppet)
{
	struct space_op op = page_op(puppet, SPACE_MAP, PROT_R | PROT_W | SPACE_OP_ZERO);

	op.arg = child_frames(&puppet->child, 1);
	IS(E_OK, child_map(&puppet->child, op));
}

static void page_changes(struct space_op op)
{
	puppet_new(&p, 0, "p", 0);
	page_give(&p);
	spin_begin(&p, page_write, 0);
	op.space = p.child.space;
	IS(E_OK, child_map(&p.child, op));
	page_is_gone(&p);
	puppet_free(&p);
}

/* What another CPU uses it uses no more when the call returns. */
static void test_page_gone(void)
{
	if (cpus_count() > 1) {
		page_changes(page_op(&p, SPACE_UNMAP, 0));
		page_changes(page_op(&p, SPACE_PROTECT, PROT_R));
	}
}

/* Nor who sees the page in a mirror. */
static void test_mirror_gone(void)
{
	struct space_op op;

	if (cpus_count() == 1) {
		return;
	}
	puppet_new(&p, 0, "source", 0);
	puppet_new(&q, 1, "viewer", 0);
	page_give(&p);
	op = page_op(&q, SPACE_MIRROR, 0);
	op.n_pages = 512;
	op.arg = p.child.space;
	IS(E_OK, child_map(&q.child, op));
	spin_begin(&q, page_read, 1);
	IS(E_OK, child_map(&p.child, page_op(&p, SPACE_UNMAP, 0)));
	page_is_gone(&q);
	op.kind = SPACE_UNMIRROR;
	IS(E_OK, child_map(&q.child, op));
	puppet_free(&q);
	puppet_free(&p);
}

/* Count, with calls between, each of which must do what it does. */
static err_t call_on(uint64_t index)
{
	for (;;) {
		if (sys_null() != E_OK || sys_notify(EP_MAKE(255, 1)) != E_DEAD) {
			return E_STATE;
		}
		((volatile struct puppet_order *)&puppet_orders[index])->counter++;
	}
}

static err_t count_on(uint64_t index)
{
	for (;;) {
		((volatile struct puppet_order *)&puppet_orders[index])->counter++;
	}
}

/* Stopped wherever it is, it does nothing more, and goes on as if nothing had been. */
static void stop_often(err_t (*function)(uint64_t))
{
	const volatile uint64_t *counter = &puppet_order(&p)->counter;
	struct slot_registers registers;

	puppet_new(&p, 0, "p", 0);
	spin_begin(&p, function, 0);
	for (uint64_t i = bare_option("stops", N_STOPS); i > 0; i--) {
		uint64_t at;

		dawdle(20000);
		IS(E_OK, sys_slot_stop(p.child.ep));
		at = *counter;
		IS(E_OK, sys_slot_registers(p.child.ep, &registers));
		OK(registers.rip != 0 && registers.rip < KERNEL_VA);
		dawdle(5000);
		IS(at, *counter);
		IS(E_OK, sys_slot_resume(p.child.ep, 0));
		if (!OK(moves_from(counter, at))) {
			break;
		}
	}
	puppet_free(&p);
}

static void test_stop(void)
{
	if (cpus_count() > 1) {
		stop_often(count_on);
		stop_often(call_on);
	}
}

/* Its memory is another's at once. */
static void test_end(void)
{
	for (uint64_t i = bare_option("stops", N_STOPS) / 4; i > 0 && cpus_count() > 1; i--) {
		puppet_new(&p, 0, "p", 0);
		spin_begin(&p, i % 2 ? count_on : call_on, 0);
		dawdle(20000);
		puppet_free(&p);
	}
}

/* What one call copies while it keeps the kernel to itself. */
static uint8_t long_copied[16 * PAGE_SIZE];

static void long_call(void)
{
	vaddr_t va = (vaddr_t)long_copied;

	IS(E_OK, sys_copy(EP_SELF, va, EP_SELF, va, sizeof(long_copied), 0));
}

static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static uint64_t long_call_ticks(void)
{
	uint64_t start = ticks();

	long_call();
	return ticks() - start;
}

/* Trap at each turn, some time after it has come. It makes no call, which could wait for the kernel. */
static err_t trap_on(uint64_t n_ticks)
{
	volatile struct puppet_order *order = &puppet_orders[0];

	for (;;) {
		uint64_t turn = ++order->counter, start;

		while (order->second != turn) {
			__asm__ volatile("pause");
		}
		start = ticks();
		while (ticks() - start < n_ticks) {
			__asm__ volatile("pause");
		}
		__asm__ volatile("int3");
	}
}

/* Stopped right behind a long call, for which it can have waited with its trap. */
static bool trap_is_kept(uint64_t turn)
{
	volatile struct puppet_order *order = puppet_order(&p);
	struct slot_registers registers;

	if (!OK(order->counter == turn || moves_from(&order->counter, turn - 1))) {
		return false;
	}
	order->second = turn;
	long_call();
	IS(E_OK, sys_slot_stop(p.child.ep));
	IS(E_OK, sys_slot_resume(p.child.ep, 0));
	if (!IS(PUPPET_ENDED, puppet_end(&p))) {
		return false;
	}
	IS(FAULT_DEBUG, p.event.w[0]);
	IS(turn, order->counter);
	IS(E_OK, sys_slot_registers(p.child.ep, &registers));
	IS(E_OK, sys_slot_registers_set(p.child.ep, &registers));
	return IS(E_OK, sys_slot_resume(p.child.ep, 0));
}

/* A trap that comes when it is stopped is not lost: the instruction behind it is not made. */
static void test_stop_trap(void)
{
	uint64_t n = 2 * bare_option("stops", N_STOPS);

	if (cpus_count() == 1) {
		return;
	}
	puppet_new(&p, 0, "p", 0);
	spin_begin(&p, trap_on, long_call_ticks() / 4);
	for (uint64_t turn = 1; turn <= n && trap_is_kept(turn); turn++) {
	}
	puppet_free(&p);
}

const struct test tests_cpus[] = {{"others run beside the driver", test_beside},
        {"who runs elsewhere has used its time", test_time},
        {"a page that another CPU uses goes", test_page_gone},
        {"a page that another CPU sees in a mirror goes", test_mirror_gone},
        {"who runs elsewhere is stopped", test_stop}, {"who runs elsewhere ends", test_end},
        {"a trap at a stop is not lost", test_stop_trap}, {0}};
