/* Messages: what arrives, in which order, and each refusal. */
#include "osd/suites/kcall/kcall.h"

#define DEAD_ENDPOINT EP_MAKE(200, 77)

static struct puppet a, b, c;

static void pair_new(void)
{
	puppet_new(&a, 0, "a", 0);
	puppet_new(&b, 1, "b", 0);
}

static void pair_free(void)
{
	puppet_free(&a);
	puppet_free(&b);
}

static void message_fill(struct message *msg, uint64_t seed)
{
	msg->type = (uint32_t)seed;
	msg->source = 0;
	for (int i = 0; i < 7; i++) {
		msg->w[i] = seed * 0x9e3779b97f4a7c15ul + (uint64_t)i;
	}
}

static bool message_is(const struct message *msg, uint64_t seed, endpoint_t source)
{
	struct message want;

	message_fill(&want, seed);
	for (int i = 0; i < 7; i++) {
		if (msg->w[i] != want.w[i]) {
			return false;
		}
	}
	return msg->type == want.type && msg->source == source;
}

static void begin_with(struct puppet *p, enum kcall number, endpoint_t ep, uint64_t seed)
{
	message_fill(&puppet_order(p)->msg, seed);
	puppet_order(p)->msg.source = 0x5555; /* a forged one must not arrive */
	puppet_begin(p, number, (const uint64_t[6]){(uint64_t)(int64_t)ep});
}

/* All eight words in both directions, receiver first (fast path) and sender first. */
static void test_sendrec(void)
{
	struct message msg;

	pair_new();
	for (uint64_t receiver_first = 0; receiver_first < 2; receiver_first++) {
		if (receiver_first) {
			puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
			OK(puppet_waits(&a));
		}
		begin_with(&b, KCALL_sendrec, a.child.ep, 11 + receiver_first);
		OK(puppet_waits(&b));
		if (!receiver_first) {
			puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
		}
		IS(E_OK, puppet_end(&a));
		OK(message_is(&puppet_order(&a)->msg, 11 + receiver_first, b.child.ep));
		IS(SLOT_WAITING_REPLY, info_state(b.child.ep));
		begin_with(&a, KCALL_reply, b.child.ep, 99);
		IS(E_OK, puppet_end(&a));
		IS(E_OK, puppet_end(&b));
		msg = puppet_order(&b)->msg;
		OK(message_is(&msg, 99, a.child.ep));
	}
	pair_free();
}

static void test_reply_receive(void)
{
	pair_new();
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
	begin_with(&b, KCALL_sendrec, a.child.ep, 21);
	IS(E_OK, puppet_end(&a));
	begin_with(&a, KCALL_reply_receive, b.child.ep, 22);
	IS(E_OK, puppet_end(&b));
	OK(message_is(&puppet_order(&b)->msg, 22, a.child.ep));
	OK(puppet_waits(&a));
	begin_with(&c, KCALL_sendrec, a.child.ep, 23);
	IS(E_OK, puppet_end(&a));
	OK(message_is(&puppet_order(&a)->msg, 23, c.child.ep));
	/* A caller that is gone is passed over. */
	puppet_free(&c);
	begin_with(&b, KCALL_sendrec, a.child.ep, 24);
	OK(puppet_waits(&b));
	begin_with(&a, KCALL_reply_receive, c.child.ep == EP_NONE ? DEAD_ENDPOINT : c.child.ep, 0);
	IS(E_OK, puppet_end(&a));
	OK(message_is(&puppet_order(&a)->msg, 24, b.child.ep));
	pair_free();
}

static void test_send(void)
{
	pair_new();
	begin_with(&b, KCALL_send, a.child.ep, 31);
	OK(puppet_waits(&b));
	IS(SLOT_SENDING, info_state(b.child.ep));
	IS(1, info_of(a.child.ep).n_senders);
	puppet_ipc_begin(&a, KCALL_receive, b.child.ep, 0, 0);
	IS(E_OK, puppet_end(&a));
	IS(E_OK, puppet_end(&b));
	OK(message_is(&puppet_order(&a)->msg, 31, b.child.ep));
	IS(0, info_of(a.child.ep).n_senders);
	pair_free();
}

/* A receiver that asks for one endpoint is not given another's message. */
static void test_receive_from(void)
{
	pair_new();
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&a, KCALL_receive, c.child.ep, 0, 0);
	begin_with(&b, KCALL_send, a.child.ep, 41);
	OK(puppet_waits(&b));
	puppet_free(&c);
	IS(E_DEAD, puppet_end(&a)); /* whom it waited for is gone */
	puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
	IS(E_OK, puppet_end(&a));
	OK(message_is(&puppet_order(&a)->msg, 41, b.child.ep));
	pair_free();
}

/* Notifications, then asynchronous messages, then senders. */
static void test_receive_order(void)
{
	pair_new();
	puppet_new(&c, 2, "c", 0);
	begin_with(&b, KCALL_send, a.child.ep, 51);
	OK(puppet_waits(&b));
	begin_with(&c, KCALL_asend, a.child.ep, 52);
	IS(E_OK, puppet_end(&c));
	IS(E_OK, puppet_call(&c, KCALL_notify, a.child.ep));
	IS(E_OK, puppet_call(&c, KCALL_notify, a.child.ep)); /* one bit a source */
	IS(1, info_of(a.child.ep).n_async);
	IS(E_OK, puppet_ipc(&a, KCALL_receive, EP_ANY, 0, 0));
	IS(MSG_NOTIFY, puppet_order(&a)->msg.type);
	IS(c.child.ep, puppet_order(&a)->msg.source);
	IS(E_OK, puppet_ipc(&a, KCALL_receive, EP_ANY, 0, 0));
	OK(message_is(&puppet_order(&a)->msg, 52, c.child.ep));
	IS(E_OK, puppet_ipc(&a, KCALL_receive, EP_ANY, 0, 0));
	OK(message_is(&puppet_order(&a)->msg, 51, b.child.ep));
	IS(E_OK, puppet_end(&b));
	puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&a));
	puppet_free(&c);
	pair_free();
}

static void test_notify_waiting(void)
{
	pair_new();
	puppet_ipc_begin(&a, KCALL_receive, b.child.ep, 0, 0);
	OK(puppet_waits(&a));
	IS(E_OK, puppet_call(&b, KCALL_notify, a.child.ep));
	IS(E_OK, puppet_end(&a));
	IS(MSG_NOTIFY, puppet_order(&a)->msg.type);
	IS(0, puppet_order(&a)->msg.w[0]);
	pair_free();
}

static void test_asend_full(void)
{
	uint64_t n = 0;

	pair_new();
	while (n < 1000) {
		begin_with(&b, KCALL_asend, a.child.ep, 1000 + n);
		if (puppet_end(&b) != E_OK) {
			break;
		}
		n++;
	}
	IS(E_FULL, puppet_order(&b)->result);
	IS(ASEND_MAX, n);
	for (uint64_t i = 0; i < n; i++) {
		IS(E_OK, puppet_ipc(&a, KCALL_receive, EP_ANY, 0, 0));
		OK(message_is(&puppet_order(&a)->msg, 1000 + i, b.child.ep));
	}
	begin_with(&b, KCALL_asend, a.child.ep, 1);
	IS(E_OK, puppet_end(&b));
	pair_free();
}

static const enum kcall sends[] = {KCALL_send, KCALL_sendrec, KCALL_notify, KCALL_asend};
#define N_SENDS (sizeof(sends) / sizeof(sends[0]))

/* Errors that all ways of sending have in common. */
static void test_send_errors(void)
{
	struct domain_privileges nobody = {.calls = {kcalls_ordinary()}};

	pair_new();
	for (unsigned int i = 0; i < N_SENDS; i++) {
		IS(E_DEAD, puppet_ipc(&b, sends[i], DEAD_ENDPOINT, 1, 0));
		IS(E_DEAD, puppet_ipc(&b, sends[i], a.child.ep + 256, 1, 0));
		IS(E_INVAL, puppet_ipc(&b, sends[i], EP_ANY, 1, 0));
		IS(E_INVAL, puppet_ipc(&b, sends[i], EP_NONE, 1, 0));
		IS(E_INVAL, puppet_ipc(&b, sends[i], EP_KERNEL, 1, 0));
	}
	IS(E_OK, sys_domain_set(b.child.space, &nobody));
	for (unsigned int i = 0; i < N_SENDS; i++) {
		IS(E_PERM, puppet_ipc(&b, sends[i], a.child.ep, 1, 0));
	}
	IS(N_SENDS, info_of(b.child.ep).n_ipc_masked + info_of(a.child.ep).n_ipc_masked);
	pair_free();
}

static void test_receive_errors(void)
{
	pair_new();
	IS(E_DEAD, puppet_ipc(&a, KCALL_receive, DEAD_ENDPOINT, 0, 0));
	IS(E_INVAL, puppet_ipc(&a, KCALL_receive, EP_NONE, 0, 0));
	IS(E_INVAL, puppet_ipc(&a, KCALL_receive, -1000, 0, 0));
	pair_free();
}

static void test_reply_errors(void)
{
	pair_new();
	IS(E_DEAD, puppet_ipc(&a, KCALL_reply, DEAD_ENDPOINT, 0, 0));
	IS(E_STATE, puppet_ipc(&a, KCALL_reply, b.child.ep, 0, 0));
	IS(E_INVAL, puppet_ipc(&a, KCALL_reply, EP_ANY, 0, 0));
	IS(E_INVAL, puppet_ipc(&a, KCALL_reply_receive, EP_ANY, 0, 0));
	/* One that waits for somebody else's reply. */
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&b, KCALL_sendrec, c.child.ep, 1, 0);
	IS(E_OK, puppet_ipc(&c, KCALL_receive, EP_ANY, 0, 0));
	IS(E_STATE, puppet_ipc(&a, KCALL_reply, b.child.ep, 0, 0));
	IS(E_OK, puppet_ipc(&c, KCALL_reply, b.child.ep, 0, 0));
	IS(E_OK, puppet_end(&b));
	puppet_free(&c);
	pair_free();
}

static void test_deadlock(void)
{
	pair_new();
	puppet_new(&c, 2, "c", 0);
	IS(E_DEADLOCK, puppet_ipc(&a, KCALL_send, a.child.ep, 1, 0));
	IS(E_DEADLOCK, puppet_ipc(&a, KCALL_sendrec, a.child.ep, 1, 0));
	puppet_ipc_begin(&a, KCALL_send, b.child.ep, 1, 0);
	OK(puppet_waits(&a));
	puppet_ipc_begin(&b, KCALL_sendrec, c.child.ep, 1, 0);
	OK(puppet_waits(&b));
	IS(E_DEADLOCK, puppet_ipc(&c, KCALL_send, a.child.ep, 1, 0));
	IS(E_DEADLOCK, puppet_ipc(&c, KCALL_sendrec, b.child.ep, 1, 0));
	puppet_free(&c);
	IS(E_DEAD, puppet_end(&b));
	pair_free();
}

/* The end of a slot ends every wait on it. */
static void test_dead_while_waiting(void)
{
	pair_new();
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&a, KCALL_sendrec, c.child.ep, 1, 0);
	IS(E_OK, puppet_ipc(&c, KCALL_receive, EP_ANY, 0, 0));
	puppet_ipc_begin(&b, KCALL_send, c.child.ep, 1, 0);
	OK(puppet_waits(&b));
	puppet_free(&c);
	IS(E_DEAD, puppet_end(&a));
	IS(E_DEAD, puppet_end(&b));
	pair_free();
}

/* A notification of a slot that is gone is not delivered from its successor. */
static void test_notify_then_dead(void)
{
	pair_new();
	IS(E_OK, puppet_call(&b, KCALL_notify, a.child.ep));
	puppet_free(&b);
	puppet_new(&b, 1, "b", 0);
	puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&a));
	pair_free();
}

/*
 * The kernel takes a short road from a caller to a receiver that waits, and back with the answer.
 * What holds on the long one holds there: here each condition is the only one that is not met.
 */
static void test_short_request(void)
{
	struct domain_privileges nobody = {.calls = {kcalls_ordinary()}}, mute;

	pair_new();
	puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&a));
	IS(E_DEAD, puppet_ipc(&b, KCALL_sendrec, a.child.ep + 256, 1, 0));
	puppet_new(&c, 2, "c", SLOT_UNCOMMITTED);
	IS(E_UNCOMMITTED, puppet_ipc(&c, KCALL_sendrec, a.child.ep, 1, 0));
	puppet_free(&c);
	IS(E_OK, sys_domain_set(b.child.space, &nobody));
	IS(E_PERM, puppet_ipc(&b, KCALL_sendrec, a.child.ep, 1, 0));
	OK(puppet_waits(&a));
	child_privileges(&mute);
	mute.calls[0] &= ~(1ul << (KCALL_sendrec - KCALL_BASE));
	IS(E_OK, sys_domain_set(b.child.space, &mute));
	IS(E_PERM, puppet_ipc(&b, KCALL_sendrec, a.child.ep, 1, 0));
	OK(puppet_waits(&a));
	pair_free();
}

static void test_short_reply(void)
{
	pair_new();
	puppet_ipc_begin(&b, KCALL_receive, a.child.ep, 0, 0);
	OK(puppet_waits(&b));
	puppet_ipc_begin(&a, KCALL_reply_receive, b.child.ep, 1, 0);
	OK(puppet_waits(&a));
	OK(puppet_waits(&b)); /* receives, and waits for no answer */
	pair_free();
	pair_new();
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&b, KCALL_sendrec, c.child.ep, 1, 0);
	IS(E_OK, puppet_ipc(&c, KCALL_receive, EP_ANY, 0, 0));
	puppet_ipc_begin(&a, KCALL_reply_receive, b.child.ep, 1, 66);
	OK(puppet_waits(&a));
	OK(puppet_waits(&b)); /* for another's */
	IS(E_OK, puppet_call(&c, KCALL_notify, a.child.ep));
	IS(E_OK, puppet_end(&a));
	IS(E_OK, puppet_call(&a, KCALL_notify, c.child.ep));
	puppet_ipc_begin(&c, KCALL_reply_receive, b.child.ep, 1, 77);
	IS(E_OK, puppet_end(&b));
	IS(77, puppet_order(&b)->msg.w[0]);
	IS(E_OK, puppet_end(&c)); /* the notification was there */
	IS(MSG_NOTIFY, puppet_order(&c)->msg.type);
	puppet_free(&c);
	pair_free();
}

/* Who is more urgent than the partner, and ready, runs before it. */
static void test_short_urgent(void)
{
	nsec_t ran;

	cpus_occupy();
	puppet_new_at(&a, 0, "a", 0, CHILD_PRIORITY + 1);
	puppet_new(&b, 1, "b", 0);
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&a, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&a));
	ran = info_of(a.child.ep).cpu_nsec;
	puppet_begin(&c, PUPPET_SPIN, (const uint64_t[6]){0});
	puppet_ipc_begin(&b, KCALL_sendrec, a.child.ep, 1, 0);
	OK(puppet_waits(&b));
	IS(SLOT_RUNNABLE, info_state(a.child.ep));
	IS(ran, info_of(a.child.ep).cpu_nsec);
	puppet_free(&c);
	IS(E_OK, puppet_end(&a));
	IS(E_OK, puppet_ipc(&a, KCALL_reply, b.child.ep, 1, 0));
	IS(E_OK, puppet_end(&b));
	puppet_new(&c, 2, "c", 0);
	puppet_ipc_begin(&a, KCALL_sendrec, b.child.ep, 1, 0);
	IS(E_OK, puppet_ipc(&b, KCALL_receive, EP_ANY, 0, 0));
	ran = info_of(a.child.ep).cpu_nsec;
	puppet_begin(&c, PUPPET_SPIN, (const uint64_t[6]){0});
	puppet_ipc_begin(&b, KCALL_reply_receive, a.child.ep, 1, 0);
	OK(puppet_waits(&b));
	IS(SLOT_RUNNABLE, info_state(a.child.ep));
	IS(ran, info_of(a.child.ep).cpu_nsec);
	puppet_free(&c);
	IS(E_OK, puppet_end(&a));
	pair_free();
	cpus_release();
}

const struct test tests_ipc[] = {
        {"sendrec and reply, all words", test_sendrec},
        {"reply_receive", test_reply_receive},
        {"send", test_send},
        {"receive from one endpoint", test_receive_from},
        {"order of what waits", test_receive_order},
        {"notify a waiting receiver", test_notify_waiting},
        {"asend until the queue is full", test_asend_full},
        {"errors of sending", test_send_errors},
        {"errors of receive", test_receive_errors},
        {"errors of reply", test_reply_errors},
        {"circles of senders", test_deadlock},
        {"E_DEAD while waiting", test_dead_while_waiting},
        {"notification of a dead slot", test_notify_then_dead},
        {"refusals on the short road", test_short_request},
        {"answers on the short road", test_short_reply},
        {"the short road gives way", test_short_urgent},
        {0},
};
