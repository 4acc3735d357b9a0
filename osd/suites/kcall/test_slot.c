/* A supervisor's calls on slots, but for the swap. */
#include "osd/suites/kcall/kcall.h"

#define DEAD_ENDPOINT EP_MAKE(200, 77)

static struct puppet p, q;

/* Calls on a slot that take an endpoint first. */
static const enum kcall slot_calls[] = {KCALL_slot_start, KCALL_slot_stop, KCALL_slot_resume,
        KCALL_slot_destroy, KCALL_slot_swap, KCALL_slot_commit, KCALL_slot_unhold, KCALL_slot_info,
        KCALL_copy};
#define N_SLOT_CALLS (sizeof(slot_calls) / sizeof(slot_calls[0]))

static void test_dead(void)
{
	for (unsigned int i = 0; i < N_SLOT_CALLS; i++) {
		IS(E_DEAD,
		        sys_call(slot_calls[i], DEAD_ENDPOINT, SHARED_SCRATCH, EP_SELF, 0, 0, 0));
		IS(E_DEAD, sys_call(slot_calls[i], (uint64_t)EP_ANY, SHARED_SCRATCH, EP_SELF, 0, 0,
		                   0));
	}
	IS(E_DEAD, sys_copy(EP_SELF, SHARED_SCRATCH, DEAD_ENDPOINT, SHARED_SCRATCH, 1, 0));
}

/* A process with every right, on a slot that it does not supervise. */
static void test_not_supervised(void)
{
	struct domain_privileges privileges = {.calls = {~0ul}};

	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_allow(&p, &privileges);
	for (unsigned int i = 0; i < N_SLOT_CALLS; i++) {
		IS(E_PERM, puppet_call(&p, slot_calls[i], q.child.ep, SHARED_SCRATCH,
		                   (uint64_t)(int64_t)EP_SELF, SHARED_SCRATCH, 0, 0));
	}
	IS(E_PERM, puppet_call(&p, KCALL_copy, (uint64_t)(int64_t)EP_SELF, SHARED_SCRATCH,
	                   q.child.ep, SHARED_SCRATCH, 0, 0));
	IS(E_AGAIN, puppet_call(&p, KCALL_event_next, SHARED_SCRATCH));
	IS(E_OK, puppet_call(&p, KCALL_slot_info, (uint64_t)(int64_t)EP_SELF, SHARED_SCRATCH));
	IS(p.child.ep, ((struct slot_info *)SHARED_SCRATCH)->endpoint);
	puppet_free(&p);
	puppet_free(&q);
}

static void test_create_errors(void)
{
	struct slot_params good = {.name = "spare", .priority = 3}, bad;
	struct child child;

	puppet_new(&p, 0, "p", 0);
	child_space_new(&child);
	good.space = child.space;
	IS(E_FAULT, sys_slot_create((const struct slot_params *)NOWHERE));
	IS(E_FAULT, sys_slot_create((const struct slot_params *)KERNEL_VA));
	bad = good;
	bad.space = p.child.space;
	IS(E_BUSY, sys_slot_create(&bad));
	bad.space = 99999;
	IS(E_INVAL, sys_slot_create(&bad));
	bad = good;
	bad.priority = 8;
	IS(E_INVAL, sys_slot_create(&bad));
	bad = good;
	bad.flags = 4;
	IS(E_INVAL, sys_slot_create(&bad));
	bad = good;
	bad.name[0] = 'A';
	IS(E_INVAL, sys_slot_create(&bad));
	bad.name[0] = '\0';
	IS(E_INVAL, sys_slot_create(&bad));
	bad = good;
	bad.name[10] = 'x';
	IS(E_INVAL, sys_slot_create(&bad));
	child_free(&child);
	puppet_free(&p);
}

static void test_start_errors(void)
{
	struct child child;

	child_space_new(&child);
	IS(E_OK, child_slot_new(&child, "fresh", 0));
	IS(SLOT_NEW, info_state(child.ep));
	IS(E_INVAL, sys_slot_start(child.ep, KERNEL_VA, NOWHERE, 0));
	IS(E_INVAL, sys_slot_start(child.ep, 0x800000000000ul, NOWHERE, 0));
	IS(E_INVAL, sys_slot_start(child.ep, NOWHERE, KERNEL_VA, 0));
	IS(E_STATE, sys_slot_resume(child.ep, 0));
	child_free(&child);
	puppet_new(&p, 0, "p", 0);
	IS(E_STATE, sys_slot_start(p.child.ep, NOWHERE, NOWHERE, 0));
	puppet_free(&p);
}

/* A stopped instance does not run; resumed it goes on where it was. */
static void test_stop_running(void)
{
	volatile uint64_t *counter;
	uint64_t before;

	puppet_new(&p, 0, "p", 0);
	counter = &puppet_order(&p)->counter;
	puppet_begin(&p, PUPPET_SPIN, (const uint64_t[6]){0});
	OK(counter_moves(counter));
	IS(E_STATE, sys_slot_resume(p.child.ep, 0));
	IS(E_OK, sys_slot_stop(p.child.ep));
	IS(E_OK, sys_slot_stop(p.child.ep));
	IS(SLOT_STOPPED, info_state(p.child.ep));
	before = *counter;
	child_settle(1000);
	IS(before, *counter);
	IS(E_OK, sys_slot_resume(p.child.ep, 0));
	OK(counter_moves(counter));
	OK(info_of(p.child.ep).cpu_nsec > 0);
	puppet_free(&p);
}

/* A message for a stopped receiver waits until it is resumed. */
static void test_stop_receiving(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_ipc_begin(&p, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&p));
	IS(E_OK, sys_slot_stop(p.child.ep));
	puppet_ipc_begin(&q, KCALL_send, p.child.ep, 61, 62);
	OK(puppet_waits(&q));
	IS(E_OK, sys_slot_resume(p.child.ep, 0));
	IS(E_OK, puppet_end(&p));
	IS(E_OK, puppet_end(&q));
	IS(62, puppet_order(&p)->msg.w[0]);
	puppet_free(&p);
	puppet_free(&q);
}

/* Stopped while it waits for a reply: the reply comes, and it sees it when resumed. */
static void test_stop_waiting_reply(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_ipc_begin(&p, KCALL_sendrec, q.child.ep, 71, 0);
	IS(E_OK, puppet_ipc(&q, KCALL_receive, EP_ANY, 0, 0));
	IS(E_OK, sys_slot_stop(p.child.ep));
	IS(E_OK, puppet_ipc(&q, KCALL_reply, p.child.ep, 72, 73));
	child_settle(1000);
	IS(SLOT_STOPPED, info_state(p.child.ep));
	IS(E_OK, sys_slot_resume(p.child.ep, 0));
	IS(E_OK, puppet_end(&p));
	IS(73, puppet_order(&p)->msg.w[0]);
	puppet_free(&p);
	puppet_free(&q);
}

static void test_destroy(void)
{
	endpoint_t first;

	puppet_new(&p, 0, "p", 0);
	first = p.child.ep;
	puppet_begin(&p, PUPPET_SPIN, (const uint64_t[6]){0});
	child_settle(500);
	puppet_free(&p);
	IS(E_DEAD, sys_slot_stop(first));
	IS(E_DEAD, sys_notify(first));
	puppet_new(&p, 0, "p", 0);
	OK(p.child.ep != first); /* another incarnation, or another slot */
	IS(E_DEAD, sys_notify(first));
	puppet_free(&p);
}

/* Who supervised others and ends leaves them to its supervisor, with the events they have. */
static void test_orphans(void)
{
	struct slot_params *params = (struct slot_params *)SHARED_SCRATCH;
	struct domain_privileges privileges = {.n_slots = 1};
	struct slot_event event;
	struct child grandchild;

	puppet_new(&p, 0, "p", 0);
	privileges_call(&privileges, KCALL_slot_create);
	privileges_call(&privileges, KCALL_slot_start);
	puppet_allow(&p, &privileges);
	child_space_new(&grandchild);
	IS(E_OK, sys_space_give(grandchild.space, p.child.ep));
	*params = (struct slot_params){.name = "grandchild",
	        .space = grandchild.space,
	        .priority = 6,
	        .flags = SLOT_PROGRAM};
	grandchild.ep = (endpoint_t)puppet_call(&p, KCALL_slot_create, (uint64_t)params);
	OK(grandchild.ep > 0);
	IS(E_PERM, sys_slot_stop(grandchild.ep));
	/* Nothing is mapped where it starts. */
	IS(E_OK, puppet_call(&p, KCALL_slot_start, grandchild.ep, NOWHERE, NOWHERE, 0));
	child_settle(2000);
	IS(E_AGAIN, sys_event_next(&event));
	puppet_free(&p);
	IS(E_OK, child_event(&grandchild, &event));
	IS(SLOT_EVENT_FAULT, event.kind);
	child_free(&grandchild);
}

static void test_info(void)
{
	struct slot_info info;

	puppet_new(&p, 0, "p", SLOT_UNCOMMITTED);
	IS(E_FAULT, sys_slot_info(p.child.ep, (struct slot_info *)NOWHERE));
	info = info_of(p.child.ep);
	IS(p.child.ep, info.endpoint);
	IS(p.child.space, info.space);
	IS('p', info.name[0]);
	IS(1, info.is_uncommitted);
	IS(0, info.is_held);
	info = info_of(EP_SELF);
	IS(EP_RS, info.endpoint);
	IS(0, info.is_uncommitted);
	puppet_free(&p);
}

static void test_event_errors(void)
{
	struct slot_event event;

	IS(E_AGAIN, sys_event_next(&event));
	puppet_new(&p, 0, "p", 0);
	puppet_begin(&p, KCALL_null, (const uint64_t[6]){0});
	OK(!puppet_waits(&p));
	IS(E_FAULT, sys_event_next((struct slot_event *)NOWHERE));
	IS(E_FAULT, sys_event_next((struct slot_event *)KERNEL_VA));
	IS(E_OK, sys_event_next(&event)); /* not lost by the failed ones */
	IS(p.child.ep, event.endpoint);
	puppet_free(&p);
}

static void test_copy(void)
{
	static uint8_t bytes[9000], back[9000];
	struct child child;

	for (unsigned int i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 3);
	}
	child_new(&child, "target");
	IS(E_OK, sys_copy(EP_SELF, (vaddr_t)bytes, child.ep, (vaddr_t)back, sizeof(bytes), 0));
	IS(0, back[1]);
	IS(E_OK, sys_copy(child.ep, (vaddr_t)back, EP_SELF, (vaddr_t)back, sizeof(bytes), 0));
	for (unsigned int i = 0; i < sizeof(bytes); i++) {
		if (!IS(bytes[i], back[i])) {
			break;
		}
	}
	IS(E_FAULT, sys_copy(EP_SELF, NOWHERE, child.ep, (vaddr_t)back, 8, 0));
	IS(E_FAULT, sys_copy(EP_SELF, (vaddr_t)bytes, child.ep, NOWHERE, 8, 0));
	IS(E_INVAL, sys_copy(EP_SELF, KERNEL_VA, child.ep, (vaddr_t)back, 8, 0));
	IS(E_INVAL, sys_copy(EP_SELF, (vaddr_t)bytes, child.ep, ~7ul, 8, 0));
	IS(E_INVAL, sys_copy(EP_SELF, (vaddr_t)bytes, child.ep, (vaddr_t)back, ~0ul, 0));
	IS(E_INVAL, sys_copy(EP_SELF, (vaddr_t)bytes, child.ep, (vaddr_t)back, 8, 2));
	IS(E_OK, sys_copy(EP_SELF, (vaddr_t)bytes, child.ep, (vaddr_t)back, 0, 0));
	child_free(&child);
}

/* Loading: read-only pages are written by COPY_FORCE only. */
static void test_copy_force(void)
{
	struct child child;
	uint64_t value = 0x77;

	child_space_new(&child);
	IS(E_OK, child_slot_new(&child, "target", 0));
	IS(E_OK, child_map(&child, (struct space_op){.kind = SPACE_MAP,
	                                   .va = CHILD_FREE_VA,
	                                   .arg = child_frames(&child, 1),
	                                   .n_pages = 1,
	                                   .prot = PROT_R | PROT_X}));
	IS(E_FAULT, sys_copy(EP_SELF, (vaddr_t)&value, child.ep, CHILD_FREE_VA, 8, 0));
	IS(E_OK, sys_copy(EP_SELF, (vaddr_t)&value, child.ep, CHILD_FREE_VA, 8, COPY_FORCE));
	value = 0;
	IS(E_OK, sys_copy(child.ep, CHILD_FREE_VA, EP_SELF, (vaddr_t)&value, 8, 0));
	IS(0x77, value);
	child_free(&child);
}

static void test_stats_errors(void)
{
	IS(E_FAULT, sys_kernel_stats((struct kernel_stats *)NOWHERE));
}

/* Bytes of one page onto others of it, up and down: as if they had been somewhere else meanwhile. */
static void test_copy_over_itself(void)
{
	uint8_t *page = (uint8_t *)SHARED_SCRATCH, wanted[128];
	const uint32_t middle = sizeof(wanted);
	uint32_t n_wrong = 0;

	for (uint32_t n = 0; n <= 40; n++) {
		for (uint32_t to = middle - 20; to <= middle + 20; to++) {
			for (uint32_t i = 0; i < 3 * sizeof(wanted); i++) {
				page[i] = (uint8_t)(i * 7 + n);
			}
			for (uint32_t i = 0; i < sizeof(wanted); i++) {
				uint32_t at = to - 8 + i;
				bool is_copied = at >= to && at < to + n;

				wanted[i] = page[is_copied ? middle + at - to : at];
			}
			IS(E_OK, sys_copy(EP_SELF, SHARED_SCRATCH + middle, EP_SELF,
			                 SHARED_SCRATCH + to, n, 0));
			for (uint32_t i = 0; i < sizeof(wanted); i++) {
				n_wrong += page[to - 8 + i] != wanted[i];
			}
		}
	}
	IS(0, n_wrong);
}

const struct test tests_slot[] = {
        {"calls on a dead endpoint", test_dead},
        {"calls on a slot of another supervisor", test_not_supervised},
        {"errors of slot_create", test_create_errors},
        {"errors of slot_start", test_start_errors},
        {"slot_stop and slot_resume", test_stop_running},
        {"a stopped receiver", test_stop_receiving},
        {"stopped while waiting for a reply", test_stop_waiting_reply},
        {"slot_destroy", test_destroy},
        {"the slots of a supervisor that ends", test_orphans},
        {"slot_info", test_info},
        {"event_next", test_event_errors},
        {"copy", test_copy},
        {"copy with COPY_FORCE", test_copy_force},
        {"errors of kernel_stats", test_stats_errors},
        {"a copy of bytes onto themselves", test_copy_over_itself},
        {0},
};
