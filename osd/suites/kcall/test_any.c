/* Calls that any process may make. */
#include "osd/suites/kcall/kcall.h"

#define RIGHTS_ALL 1
#define RIGHTS_UNCOMMITTED 2
#define RIGHTS_MASK 3

static const struct {
	uint32_t number;
	int rights;
	const char *name;
} calls[] = {
#define KCALL(number, name, kind, arguments, rights, ...) {number, RIGHTS_##rights, #name},
#include "osd/abi/calls.def"
#undef KCALL
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static void test_null(void)
{
	IS(E_OK, sys_null());
}

static void test_numbers(void)
{
	struct puppet p;

	IS(E_NOSYS, sys_call((enum kcall)(KCALL_BASE + N_CALLS), 0));
	IS(E_NOSYS, sys_call((enum kcall)(KCALL_BASE + 255), 0));
	IS(E_NOSYS, sys_call((enum kcall)0x7fffffff, 0));
	puppet_new(&p, 0, "p0", 0);
	IS(E_NOSYS, puppet_call(&p, 0xffffffffffff1000ul, 0));
	IS(PUPPET_ENDED, puppet_call(&p, 9 /* a Linux number */, 0));
	IS(SLOT_EVENT_FAULT, p.event.kind);
	IS(FAULT_FOREIGN_CALL, p.event.w[0]);
	puppet_free(&p);
}

/* Every call that needs a right is refused without it. */
static void test_rights_mask(void)
{
	struct puppet p;

	puppet_new(&p, 0, "p0", 0);
	for (unsigned int i = 0; i < N_CALLS; i++) {
		if (calls[i].rights == RIGHTS_MASK &&
		        !IS(E_PERM, puppet_call(&p, calls[i].number, 0))) {
			bare_print("# call %s", calls[i].name);
		}
	}
	puppet_free(&p);
}

static void test_rights_uncommitted(void)
{
	struct domain_privileges privileges = {.calls = {~0ul}};
	struct puppet p;

	puppet_new(&p, 0, "p0", SLOT_UNCOMMITTED);
	puppet_allow(&p, &privileges);
	for (unsigned int i = 0; i < N_CALLS; i++) {
		if (calls[i].rights != RIGHTS_UNCOMMITTED &&
		        !IS(E_UNCOMMITTED, puppet_call(&p, calls[i].number, 0))) {
			bare_print("# call %s", calls[i].name);
		}
	}
	IS(E_OK, puppet_call(&p, KCALL_null, 0));
	OK(puppet_call(&p, KCALL_clock_read, 0) > 0);
	IS(E_OK, puppet_call(&p, KCALL_random, 0));
	IS(E_OK, puppet_call(&p, KCALL_grant_table_set, SHARED_VA, 1));
	puppet_free(&p);
}

/* Each call without the right to it, before the commit the same for those that may be made then. */
static void test_rights_withheld_uncommitted(void)
{
	struct domain_privileges only_report = {0};
	struct puppet p;

	puppet_new(&p, 0, "p0", SLOT_UNCOMMITTED);
	privileges_call(&only_report, KCALL_report);
	IS(E_OK, sys_domain_set(p.child.space, &only_report));
	for (unsigned int i = 0; i < N_CALLS; i++) {
		err_t want = calls[i].rights == RIGHTS_UNCOMMITTED ? E_PERM : E_UNCOMMITTED;

		if (calls[i].number != KCALL_report &&
		        !IS(want, puppet_call(&p, calls[i].number, 0))) {
			bare_print("# call %s", calls[i].name);
		}
	}
	puppet_free(&p);
}

/* Where each answer is put. */
#define ANSWERS ((volatile err_t *)SHARED_SCRATCH)
_Static_assert(N_CALLS * sizeof(err_t) <= SHARED_SCRATCH_SIZE, "there is room for all");

/* Makes each call that it has no right to, exit and report too, and says with the one it has that it has. */
static void withheld_main(uint64_t only)
{
	struct message msg = {.type = 1};

	for (;;) {
		for (unsigned int i = 0; i < N_CALLS; i++) {
			if (calls[i].number != only) {
				ANSWERS[i] = sys_call(calls[i].number, 0, 0, 0, 0, 0, 0);
			}
		}
		(void)sys_ipc((enum kcall)only, EP_RS, &msg);
	}
}

/* A program whose supervisor wants it to send messages and nothing else. */
static void test_rights_withheld(void)
{
	static const enum kcall onlys[] = {KCALL_sendrec, KCALL_send};
	struct child child;
	struct message msg;

	for (uint32_t n = 0; n < 2; n++) {
		struct domain_privileges only = {.ipc_to = {1ul << EP_SLOT(EP_RS)}};

		for (unsigned int i = 0; i < N_CALLS; i++) {
			ANSWERS[i] = E_OK;
		}
		privileges_call(&only, onlys[n]);
		child_new(&child, "only");
		IS(E_OK, sys_domain_set(child.space, &only));
		child_start(&child, withheld_main, onlys[n]);
		/* Or it has ended, by a call that it should not have got to. */
		IS(E_OK, sys_alarm_set(sys_clock_read() + CHILD_PATIENCE));
		do {
			IS(E_OK, sys_receive(EP_ANY, &msg));
		} while (msg.source == EP_KERNEL); /* of an event, this one's end or older */
		IS(child.ep, msg.source);
		IS(E_OK, sys_alarm_set(0));
		for (unsigned int i = 0; i < N_CALLS; i++) {
			if (calls[i].number != onlys[n] && !IS(E_PERM, ANSWERS[i])) {
				bare_print("# call %s", calls[i].name);
			}
		}
		child_free(&child);
	}
}

static void test_clock(void)
{
	nsec_t a = sys_clock_read(), b;

	for (int i = 0; i < 1000; i++) {
		b = sys_clock_read();
		if (!OK(b >= a)) {
			return;
		}
		a = b;
	}
}

static void test_alarm(void)
{
	nsec_t at = sys_clock_read() + 2000000;
	struct message msg;

	IS(E_OK, sys_alarm_set(at));
	IS(E_OK, sys_receive(EP_CLOCK, &msg));
	IS(MSG_NOTIFY, msg.type);
	IS(EP_CLOCK, msg.source);
	OK(msg.w[1] >= at);
	OK(sys_clock_read() >= at);
}

static void test_alarm_past_and_cancel(void)
{
	nsec_t later = sys_clock_read() + 3000000;
	struct message msg;

	IS(E_OK, sys_alarm_set(1));
	IS(E_OK, sys_receive(EP_CLOCK, &msg));
	IS(E_OK, sys_alarm_set(sys_clock_read() + 500000));
	IS(E_OK, sys_alarm_set(0));
	IS(E_OK, sys_alarm_set(later)); /* replaces, too */
	IS(E_OK, sys_receive(EP_CLOCK, &msg));
	OK(sys_clock_read() >= later);
}

/* An alarm that has fired and was not received is cancelled with its notification. */
static void test_alarm_cancel_fired(void)
{
	nsec_t later;
	struct message msg;

	IS(E_OK, sys_alarm_set(1));
	for (int i = 0; i < 100; i++) {
		(void)sys_clock_read(); /* the timer's interrupt comes meanwhile */
	}
	IS(E_OK, sys_alarm_set(0));
	later = sys_clock_read() + 2000000;
	IS(E_OK, sys_alarm_set(later));
	IS(E_OK, sys_receive(EP_CLOCK, &msg));
	OK(msg.w[1] >= later);
	/* A later alarm in the place of one that has fired, too. */
	IS(E_OK, sys_alarm_set(1));
	for (int i = 0; i < 100; i++) {
		(void)sys_clock_read();
	}
	later = sys_clock_read() + 2000000;
	IS(E_OK, sys_alarm_set(later));
	IS(E_OK, sys_receive(EP_CLOCK, &msg));
	OK(msg.w[1] >= later);
}

static void test_exit(void)
{
	struct puppet p;

	puppet_new(&p, 0, "p0", 0);
	IS(PUPPET_ENDED, puppet_call(&p, KCALL_exit, 42));
	IS(SLOT_EVENT_EXIT, p.event.kind);
	IS(42, p.event.w[0]);
	OK(p.event.at > 0 && p.event.at <= sys_clock_read());
	IS(SLOT_EXITED, info_state(p.child.ep));
	IS(E_STATE, sys_slot_resume(p.child.ep, 0));
	puppet_free(&p);
}

static err_t report_five(uint64_t argument)
{
	return sys_report(argument, 1, 2, 3, 4);
}

static void test_report(void)
{
	struct puppet p;

	IS(E_STATE, sys_report(1, 2, 3, 4, 5)); /* nobody supervises us */
	puppet_new(&p, 0, "p0", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)report_five, 77});
	IS(E_OK, child_event(&p.child, &p.event));
	IS(SLOT_EVENT_REPORT, p.event.kind);
	IS(77, p.event.w[0]);
	IS(4, p.event.w[4]);
	IS(SLOT_REPORTED, info_state(p.child.ep));
	IS(E_OK, sys_slot_resume(p.child.ep, 1234));
	IS(1234, puppet_end(&p));
	puppet_free(&p);
}

static void test_log(void)
{
	static const char text[] = "# a line by log_write\n";

	IS(E_OK, sys_log_write(text, sizeof(text) - 1));
	IS(E_OK, sys_log_write("# not \x1b[31m red, no\nsecond line", 31));
	IS(E_TOO_LONG, sys_log_write(text, 257));
	IS(E_TOO_LONG, sys_log_write(text, ~0ul));
	IS(E_FAULT, sys_log_write((const char *)NOWHERE, 8));
	IS(E_FAULT, sys_log_write((const char *)KERNEL_VA, 8));
	IS(E_FAULT, sys_log_write((const char *)-4l, 8));
}

/* Lines without a pause: some get through at once, then as many as the rate allows. */
static err_t log_flood(uint64_t n_bytes)
{
	static const char line[] = "# a line of a service that talks too much ..............\n";
	uint64_t n = 0, n_refused = 0;

	while (n < n_bytes) {
		err_t r = sys_log_write(line, sizeof(line) - 1);

		n += sizeof(line) - 1;
		n_refused += r == E_FULL;
		if (r != E_OK && r != E_FULL) {
			return r;
		}
	}
	return (err_t)n_refused;
}

/* Lines of nothing but the service's name. */
static err_t log_empty(uint64_t n)
{
	uint64_t n_refused = 0;

	while (n-- > 0) {
		n_refused += sys_log_write("", 0) == E_FULL;
	}
	return (err_t)n_refused;
}

static void test_log_empty(void)
{
	struct puppet p;

	puppet_new(&p, 0, "p0", 0);
	OK(puppet_call(&p, PUPPET_CALL, (uint64_t)log_empty, 20000) > 100);
	puppet_free(&p);
}

static void test_log_rate(void)
{
	struct puppet p;

	puppet_new(&p, 0, "p0", 0);
	IS(0, puppet_call(&p, PUPPET_CALL, (uint64_t)log_flood, 32768));
	OK(puppet_call(&p, PUPPET_CALL, (uint64_t)log_flood, 65536) > 100);
	child_settle(300000);
	IS(0, puppet_call(&p, PUPPET_CALL, (uint64_t)log_flood, 1024));
	puppet_free(&p);
	puppet_new(&p, 0, "p0", 0); /* another service in the slot */
	IS(0, puppet_call(&p, PUPPET_CALL, (uint64_t)log_flood, 32768));
	puppet_free(&p);
}

static void test_random(void)
{
	uint64_t a = sys_random(), b = sys_random(), c = sys_random();

	OK(a != b && b != c && a != c);
}

static void test_lookup(void)
{
	static const char missing[SERVICE_NAME_LEN] = "no_such_service";
	static const char empty[SERVICE_NAME_LEN];
	static const char name[SERVICE_NAME_LEN] = "p0";
	struct puppet p;

	IS(E_NOTFOUND, sys_lookup(missing));
	IS(E_NOTFOUND, sys_lookup(empty));
	IS(E_NOTFOUND, sys_lookup(name));
	IS(E_FAULT, sys_lookup((const char *)NOWHERE));
	puppet_new(&p, 0, "p0", 0);
	IS(p.child.ep, sys_lookup(name));
	puppet_free(&p);
	IS(E_NOTFOUND, sys_lookup(name));
	puppet_new(&p, 0, "p0", SLOT_UNCOMMITTED);
	IS(E_NOTFOUND, sys_lookup(name));
	puppet_free(&p);
}

static err_t thread_pointer_read(uint64_t address)
{
	uint64_t value;
	err_t r = sys_call(KCALL_thread_pointer_set, address);

	if (r != E_OK) {
		return r;
	}
	(void)sys_clock_read();
	__asm__ volatile("movq %%fs:0, %0" : "=r"(value));
	return (err_t)value;
}

static void test_thread_pointer(void)
{
	struct puppet p;

	shared->w[0] = 0x1234;
	puppet_new(&p, 0, "p0", 0);
	IS(0x1234, puppet_call(&p, PUPPET_CALL, (uint64_t)thread_pointer_read, SHARED_VA));
	IS(E_INVAL, puppet_call(&p, KCALL_thread_pointer_set, KERNEL_VA));
	IS(E_INVAL, puppet_call(&p, KCALL_thread_pointer_set, 0x0000800000000000ul));
	puppet_free(&p);
}

/* What it says goes to the log, where tests/kernel/run compares it with the kernel's file. */
static void test_kernel_info(void)
{
	struct kernel_info info = {0};
	char hex[2 * KERNEL_BUILD_ID_BYTES + 1] = {0};

	IS(E_FAULT, sys_kernel_info((struct kernel_info *)NOWHERE));
	IS(E_OK, sys_kernel_info(&info));
	for (unsigned int i = 0; i < KERNEL_BUILD_ID_BYTES; i++) {
		hex[2 * i] = "0123456789abcdef"[info.build_id[i] / 16];
		hex[2 * i + 1] = "0123456789abcdef"[info.build_id[i] % 16];
	}
	bare_print("# kernel %s %s", info.version, hex);
}

const struct test tests_any[] = {
        {"null", test_null},
        {"unknown and foreign call numbers", test_numbers},
        {"calls outside the call mask", test_rights_mask},
        {"calls of an uncommitted instance", test_rights_uncommitted},
        {"calls withheld from an uncommitted instance", test_rights_withheld_uncommitted},
        {"all calls but one withheld", test_rights_withheld},
        {"clock_read", test_clock},
        {"alarm_set", test_alarm},
        {"alarm_set in the past, replaced, cancelled", test_alarm_past_and_cancel},
        {"alarm_set cancels what has fired", test_alarm_cancel_fired},
        {"exit", test_exit},
        {"report", test_report},
        {"log_write", test_log},
        {"log_write of empty lines", test_log_empty},
        {"log_write by the rate", test_log_rate},
        {"random", test_random},
        {"lookup", test_lookup},
        {"thread_pointer_set", test_thread_pointer},
        {"kernel_info", test_kernel_info},
        {0},
};
