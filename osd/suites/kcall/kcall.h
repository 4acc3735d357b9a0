#pragma once
/*
 * The kernel-call suite: a bare program in RS's place. A test is a function; it fails when one of
 * its checks does.
 *
 * Most tests drive *puppets*: children that make, one at a time, the calls they are told to, and
 * report the result. A puppet at rest stands in SLOT_REPORTED, which it also may before its commit.
 */
#include "osd/lib/sys/gate.h"

/*
 * Every call of the suite, by the driver or a puppet, is recorded with its result: at the end the
 * errors that were seen are compared with those that calls.def names. Files that define
 * KCALL_UNRECORDED call directly.
 */
err_t recorded_call_second(enum kcall number, const uint64_t a[6], uint64_t *ret_second);
err_t recorded_call_first(enum kcall number, const uint64_t a[6]);
err_t recorded_ipc(enum kcall number, endpoint_t to, struct message *msg);
#ifndef KCALL_UNRECORDED
#define sys_call_second recorded_call_second
#define sys_call_first recorded_call_first
#define sys_ipc recorded_ipc
#endif

#include "osd/suites/bare/child.h"

struct test {
	const char *name;
	void (*run)(void);
};

/* One table a file, ended by an entry without a name. */
extern const struct test tests_any[], tests_ipc[], tests_grant[], tests_device[], tests_slot[],
        tests_swap[], tests_space[], tests_table[], tests_mirror[], tests_fault[], tests_context[],
        tests_fpu[], tests_registers[], tests_program[], tests_record[], tests_abuse[],
        tests_supervise[], tests_random[], tests_foreign[], tests_cpus[], tests_manager[],
        tests_books[], tests_thread[], tests_crowd[], tests_domain[];

/* The value must be as wanted. */
#define IS(want, expr) kcall_check((int64_t)(want), (int64_t)(expr), #expr, __FILE_NAME__, __LINE__)
#define OK(expr) kcall_check(true, (bool)(expr), #expr, __FILE_NAME__, __LINE__)
bool kcall_check(int64_t want, int64_t got, const char *text, const char *file, int line);

/* Nothing is mapped here, and the bare VM refuses faults on it. */
#define NOWHERE 0x6000000000ul
/* The bare VM fills pages here with zeros when they are touched. */
#define DEMAND_VA 0x7000000000ul
#define DEMAND_END (DEMAND_VA + (1ul << 30))
/* Not user memory. */
#define KERNEL_VA 0xffffffff80000000ul

#define N_PUPPETS 6u
#define PUPPET_REPORT 0x9000u

/* In the shared page, one for each puppet. */
struct puppet_order {
	uint64_t number;
	uint64_t a[6];
	err_t result;
	uint64_t second;
	struct message msg;
	uint64_t counter; /* of puppet_spin */
};
#define puppet_orders ((struct puppet_order *)(SHARED_VA + 1024))
/* In the shared page, one record for each call: bit -e is set when error e was seen. */
#define record_errors ((volatile unsigned __int128 *)(SHARED_VA + 3072))

/*
 * Bytes of the shared page that tests may use: calls' structures must be
 * where a puppet sees them.
 */
#define SHARED_SCRATCH SHARED_VA
#define SHARED_SCRATCH_SIZE 1024u

struct puppet {
	struct child child;
	uint32_t index;
	struct slot_event event; /* what ended the last call: REPORT, or FAULT, EXIT */
};

/* The call did not come back with a report: a fault or exit, see puppet->event. */
#define PUPPET_ENDED ((err_t) - 1000)

/* index: < N_PUPPETS, one at a time. flags: SLOT_UNCOMMITTED or 0. */
void puppet_new(struct puppet *p, uint32_t index, const char *name, uint32_t flags);
void puppet_new_at(
        struct puppet *p, uint32_t index, const char *name, uint32_t flags, uint32_t priority);
/* In the slot of a program of this class. */
void puppet_program_new(struct puppet *p, uint32_t index, uint32_t ipc_class);
/* In a space that has the other one's domain, which has then what child_privileges() says. */
void puppet_joined_new(
        struct puppet *p, uint32_t index, const char *name, const struct puppet *other);
void puppet_free(struct puppet *p);
/* Give it these privileges beyond child_privileges(). */
void puppet_allow(struct puppet *p, const struct domain_privileges *privileges);
/* The call's mask bits, for puppet_allow. */
void privileges_call(struct domain_privileges *privileges, enum kcall number);

/*
 * Make a call; its result, E_TIMEOUT, or PUPPET_ENDED. puppet_order(p) has
 * second result and message.
 */
#define puppet_call(p, number, ...) puppet_call_args(p, number, (const uint64_t[6]){__VA_ARGS__})
err_t puppet_call_args(struct puppet *p, uint64_t number, const uint64_t a[6]);
/* The same for IPC: type and w[0] of the message. */
err_t puppet_ipc(struct puppet *p, enum kcall number, endpoint_t ep, uint32_t type, uint64_t w0);

/* In two halves, for calls that wait. */
void puppet_begin(struct puppet *p, uint64_t number, const uint64_t a[6]);
void puppet_ipc_begin(
        struct puppet *p, enum kcall number, endpoint_t ep, uint32_t type, uint64_t w0);
err_t puppet_end(struct puppet *p);
/* Is it waiting inside the call it was told to make? Gives it time to get there or to return. */
bool puppet_waits(struct puppet *p);

static inline struct puppet_order *puppet_order(const struct puppet *p)
{
	return &puppet_orders[p->index];
}

/* Tell it to count in order->counter for ever; ended by puppet_free only. */
#define PUPPET_SPIN 1ul
/*
 * To call a function of the program: a[0] its address, a[1] its
 * argument; the value is the result.
 */
#define PUPPET_CALL 2ul

/* Does a puppet count on? Gives it time. */
bool counter_moves(const volatile uint64_t *counter);

/*
 * May users write the bases of fs and gs? The kernel says yes where the CPU has the instructions; its
 * short way for messages is made of them, too.
 */
static inline bool cpu_has_fsgsbase(void)
{
	uint32_t a = 7, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b & 1;
}

/* Known values into registers of the FPU, for who looks from outside (tests/kernel/protection). */
#define FPU_MARK 0x5ec4e75ec4e75ec4
void fpu_mark(void);

/*
 * How many there are. Then all but one have something more urgent to do than anything else, for tests that
 * tell from who runs that others do not.
 */
uint32_t cpus_count(void);
void cpus_occupy(void);
void cpus_release(void);

uint32_t info_state(endpoint_t ep);
struct slot_info info_of(endpoint_t ep);
