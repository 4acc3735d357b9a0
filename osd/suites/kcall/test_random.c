/*
 * IPC at random, against the plain reference of its rules (reference.c). Four processes of random
 * priorities and masks send, receive and answer, are stopped, held, committed, renewed and woken by
 * alarms while somebody else computes beside them. After every step the state that the kernel
 * reports of each, every register of each call that ended, and how many calls took the kernel's
 * fast path must be what the reference says. Two of them keep a value in a vector register.
 *
 * Most steps look for what the fast path does: a call to somebody who waits for it. The seed is
 * printed; seed=N repeats a run, steps=N sets its length.
 */
#define KCALL_UNRECORDED
#include "osd/suites/kcall/abuse.h"
#include "osd/suites/kcall/reference.h"

#define SPINNER 4u
#define SPARE 5u
#define STEPS 1500u
/* An alarm is so far ahead that the call behind it is usually made before it rings. */
#define ALARM_NSEC 300000ul
#define DEAD_ENDPOINT EP_MAKE(200, 77)

/* In the order in which the assembly below loads them. */
enum reg { RDI, RSI, RDX, R8, R9, R10, R12, R13, R14, RBX, RBP, R15, RAX, REG_N };

/* What an actor is to do, and the registers before and behind the call. */
struct random_order {
	uint64_t in[REG_N], stack; /* popped in one go */
	uint64_t out[REG_N];
	uint64_t vector, vector_out; /* 0: leaves the unit alone */
	uint64_t alarm_nsec;         /* 0: none */
};
_Static_assert(N_ACTORS * sizeof(struct random_order) <= SHARED_SCRATCH_SIZE, "fits");
#define random_orders ((struct random_order *)SHARED_SCRATCH)

static struct puppet puppets[N_ACTORS], spinner, spare;
static struct reference ref;
static uint64_t draw_state, n_fast_seen;

static uint64_t draw(uint64_t below)
{
	return random_next(&draw_state) % below;
}

/*
 * In an actor: load every register that a call passes or must keep, call, store them. The kernel
 * never touches a user's stack, so registers can be popped from where they are and pushed to where
 * they belong.
 */
static void registers_call(struct random_order *order)
{
	__asm__ volatile(
	        "pushq %%rbx; pushq %%rbp; pushq %%r15; pushq %%rax\n\t"
	        "cmpq $0, %c[vector](%%rax); je 1f\n\t"
	        "movq %c[vector](%%rax), %%xmm7\n"
	        "1:\tmovq %%rsp, %c[stack](%%rax); movq %%rax, %%rsp\n\t"
	        "popq %%rdi; popq %%rsi; popq %%rdx; popq %%r8; popq %%r9; popq %%r10\n\t"
	        "popq %%r12; popq %%r13; popq %%r14; popq %%rbx; popq %%rbp; popq %%r15\n\t"
	        "popq %%rax; popq %%rsp\n\t"
	        "call *sys_gate(%%rip)\n\t"
	        "movq (%%rsp), %%r11; movq %%rsp, %%rcx\n\t"
	        "leaq %c[out_end](%%r11), %%rsp\n\t"
	        "pushq %%rax; pushq %%r15; pushq %%rbp; pushq %%rbx; pushq %%r14\n\t"
	        "pushq %%r13; pushq %%r12; pushq %%r10; pushq %%r9; pushq %%r8\n\t"
	        "pushq %%rdx; pushq %%rsi; pushq %%rdi; movq %%rcx, %%rsp\n\t"
	        "popq %%rax; popq %%r15; popq %%rbp; popq %%rbx\n\t"
	        "cmpq $0, %c[vector](%%rax); je 2f\n\t"
	        "movq %%xmm7, %c[vector_out](%%rax)\n"
	        "2:"
	        : "+a"(order)
	        : [vector] "i"(offsetof(struct random_order, vector)),
	        [vector_out] "i"(offsetof(struct random_order, vector_out)),
	        [stack] "i"(offsetof(struct random_order, stack)),
	        [out_end] "i"(offsetof(struct random_order, out[REG_N]))
	        : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "xmm7",
	        "memory", "cc");
}

static err_t actor_act(uint64_t number)
{
	struct random_order *order = &random_orders[number];

	if (order->alarm_nsec != 0) {
		(void)sys_alarm_set(sys_clock_read() + order->alarm_nsec);
	}
	registers_call(order);
	return E_OK;
}

static void actor_new(uint32_t number)
{
	static const char *const names[N_ACTORS] = {"p0", "p1", "p2", "p3"};
	bool is_uncommitted = draw(12) == 0;
	uint32_t priority = (uint32_t)(BUSY_PRIORITY - 1 + draw(3));
	struct actor *actor = &ref.actors[number];

	puppet_new_at(&puppets[number], number, names[number],
	        is_uncommitted ? SLOT_UNCOMMITTED : 0, priority);
	*actor = (struct actor){.ep = puppets[number].child.ep,
	        .priority = priority,
	        .is_uncommitted = is_uncommitted};
}

/* Everybody may send to most others. */
static void actor_mask(uint32_t number)
{
	struct domain_privileges privileges = {.calls = {kcalls_ordinary()}};

	ref.actors[number].may_send_to =
	        (uint32_t)(draw(1u << N_ACTORS) | draw(1u << N_ACTORS) | draw(1u << N_ACTORS));
	for (uint32_t i = 0; i < N_ACTORS; i++) {
		uint32_t slot = EP_SLOT(ref.actors[i].ep);

		privileges.ipc_to[slot / 64] |= (uint64_t)(ref.actors[number].may_send_to >> i & 1)
		                                << slot % 64;
	}
	IS(E_OK, sys_domain_set(puppets[number].child.space, &privileges));
}

static void message_draw(struct message *ret_msg)
{
	ret_msg->type = (uint32_t)random_next(&draw_state);
	ret_msg->source = (endpoint_t)random_next(&draw_state);
	for (int i = 0; i < 7; i++) {
		ret_msg->w[i] = random_next(&draw_state);
	}
}

static void message_to_registers(const struct message *msg, uint64_t *ret_regs)
{
	static const enum reg words[] = {RDX, R8, R9, R10, R12, R13, R14};

	ret_regs[RSI] = msg->type | (uint64_t)(uint32_t)msg->source << 32;
	for (unsigned int i = 0; i < 7; i++) {
		ret_regs[words[i]] = msg->w[i];
	}
}

/* Somebody else in this state who waits for this endpoint, or for anybody; EP_NONE: nobody. */
static endpoint_t partner_find(enum actor_state wanted, endpoint_t peer)
{
	uint32_t first = (uint32_t)draw(N_ACTORS);

	for (uint32_t i = 0; i < N_ACTORS; i++) {
		const struct actor *actor = &ref.actors[(first + i) % N_ACTORS];

		if (actor->state == wanted && (actor->peer == peer || actor->peer == EP_ANY)) {
			return actor->ep;
		}
	}
	return EP_NONE;
}

/* Somebody, and now and then nobody at all. */
static endpoint_t endpoint_draw(void)
{
	static const endpoint_t odd[] = {
	        EP_ANY, EP_NONE, EP_KERNEL, EP_CLOCK, EP_HARDWARE, -1000, EP_VM, DEAD_ENDPOINT};
	endpoint_t any = ref.actors[draw(N_ACTORS)].ep;

	return draw(8) == 0    ? odd[draw(sizeof(odd) / sizeof(odd[0]))]
	       : draw(16) == 0 ? any + 256 /* another incarnation */
	                       : any;
}

static enum kcall call_draw(const struct actor *self, endpoint_t *ret_to)
{
	static const enum kcall calls[] = {KCALL_send, KCALL_notify, KCALL_asend, KCALL_reply,
	        KCALL_sendrec, KCALL_receive, KCALL_reply_receive};
	endpoint_t caller = partner_find(ACTOR_WAITING_REPLY, self->ep);
	endpoint_t receiver = partner_find(ACTOR_RECEIVING, self->ep);
	uint64_t r = draw(16);

	if (caller != EP_NONE && r < 8) {
		*ret_to = caller;
		return r < 7 ? KCALL_reply_receive : KCALL_reply;
	}
	if (receiver != EP_NONE && r < 12) {
		*ret_to = receiver;
		return r < 10 ? KCALL_sendrec : KCALL_send;
	}
	if (r < 12) {
		*ret_to = draw(4) == 0 ? endpoint_draw() : EP_ANY;
		return KCALL_receive;
	}
	*ret_to = endpoint_draw();
	return calls[draw(sizeof(calls) / sizeof(calls[0]))];
}

/* Is everybody where nothing more happens, those aside that the spinner keeps from running? */
static bool is_settled(void)
{
	for (uint32_t i = 0; i < N_ACTORS; i++) {
		bool is_kept = ref.is_busy && ref.actors[i].priority > BUSY_PRIORITY;

		if (!is_kept && info_state(ref.actors[i].ep) == SLOT_RUNNABLE) {
			return false;
		}
	}
	return true;
}

static void settle(nsec_t at_least)
{
	nsec_t start = sys_clock_read();

	do {
		child_settle(50);
	} while (sys_clock_read() < start + at_least ||
	         (!is_settled() && sys_clock_read() < start + CHILD_PATIENCE));
}

static uint64_t fast_count(void)
{
	struct kernel_stats stats = {0};

	IS(E_OK, sys_kernel_stats(&stats));
	return stats.n_ipc_fast;
}

/* The call of an actor has ended: its registers are those of the result. */
static bool registers_check(uint32_t number)
{
	const struct actor *actor = &ref.actors[number];
	const struct random_order *order = &random_orders[number];
	uint64_t want[REG_N];
	bool is_right = IS(order->vector, order->vector_out);
	bool is_free = actor->has_given && !actor->has_message;

	for (unsigned int i = 0; i < REG_N; i++) {
		want[i] = is_free && i >= RSI && i <= R14 ? order->out[i] : order->in[i];
	}
	want[RAX] = (uint64_t)actor->result;
	if (actor->has_message) {
		message_to_registers(&actor->got, want);
	}
	if (actor->has_message && actor->got.type == MSG_NOTIFY && actor->got.w[0] == 0) {
		is_right &= OK(order->out[R8] != 0); /* the clock */
		want[R8] = order->out[R8];
	}
	for (unsigned int i = 0; i < REG_N; i++) {
		if (want[i] != order->out[i]) {
			bare_print(
			        "# register %u is %x, not %x", (uint64_t)i, order->out[i], want[i]);
			is_right = false;
		}
	}
	return OK(is_right);
}

static bool actor_check(uint32_t number)
{
	static const uint32_t states[] = {[ACTOR_IDLE] = SLOT_REPORTED,
	        [ACTOR_SENDING] = SLOT_SENDING,
	        [ACTOR_RECEIVING] = SLOT_RECEIVING,
	        [ACTOR_WAITING_REPLY] = SLOT_WAITING_REPLY,
	        [ACTOR_DONE] = SLOT_REPORTED};
	struct actor *actor = &ref.actors[number];
	struct slot_info info = info_of(actor->ep);
	bool is_right = IS(actor->is_stopped ? SLOT_STOPPED : states[actor->state], info.state);

	is_right &= IS(actor->is_held, info.is_held);
	is_right &= IS(actor->is_uncommitted, info.is_uncommitted);
	is_right &= IS(actor->n_senders, info.n_senders);
	is_right &= IS(actor->n_async, info.n_async);
	is_right &= IS(actor->n_masked, info.n_ipc_masked);
	if (is_right && actor->state == ACTOR_DONE && !actor->is_stopped) {
		is_right &= IS(E_OK, puppet_end(&puppets[number])) && registers_check(number);
		actor->state = ACTOR_IDLE;
	}
	if (!is_right) {
		bare_print("# actor %u, slot %u; the reference is in state %d, its peer %x",
		        (uint64_t)number, (uint64_t)EP_SLOT(actor->ep), (int64_t)actor->state,
		        (uint64_t)(uint32_t)actor->peer);
	}
	return is_right;
}

static void spinner_stop(void)
{
	ref.is_busy = false;
	IS(E_OK, sys_slot_stop(spinner.child.ep));
}

/*
 * Set an alarm just before the call? Only where it makes no difference whether it rings before or
 * after the call.
 */
static bool alarm_draw(const struct actor *self)
{
	return draw(8) == 0 && !self->is_uncommitted && self->n_async == 0 &&
	       self->n_senders == 0 && self->notified_by == 0;
}

/* An idle actor makes a call. */
static bool step_call(uint32_t number)
{
	struct actor *self = &ref.actors[number];
	struct random_order *order = &random_orders[number];
	uint64_t fast_before = fast_count();
	struct message msg;
	bool is_alarmed = alarm_draw(self), may_be_fast, is_right = true;
	endpoint_t to;
	enum kcall call = call_draw(self, &to);

	message_draw(&msg);
	*order = (struct random_order){.alarm_nsec = is_alarmed ? ALARM_NSEC : 0};
	for (unsigned int i = 0; i < REG_N; i++) {
		order->in[i] = random_next(&draw_state);
	}
	message_to_registers(&msg, order->in);
	order->in[RAX] = call;
	order->in[RDI] = (uint32_t)to | random_next(&draw_state) << 32;
	order->vector = number % 2 ? random_next(&draw_state) | 1 : 0;
	ref.is_busy = draw(3) == 0;
	if (ref.is_busy) {
		IS(E_OK, sys_slot_resume(spinner.child.ep, 0));
	}
	puppet_begin(
	        &puppets[number], PUPPET_CALL, (const uint64_t[6]){(uint64_t)actor_act, number});
	if (ref.is_busy && self->priority > BUSY_PRIORITY) {
		settle(0);
		is_right &= IS(SLOT_RUNNABLE, info_state(self->ep));
		spinner_stop();
	}
	if (is_alarmed) {
		self->is_alarmed = false; /* the one before, with its notification */
	}
	may_be_fast = reference_call(&ref, number, call, to, &msg) && cpu_has_fsgsbase();
	settle(0);
	if (ref.is_busy) {
		spinner_stop();
		settle(0);
	}
	if (is_alarmed) {
		settle(2 * ALARM_NSEC);
		reference_alarm(&ref, number);
	} else {
		is_right &= IS(may_be_fast, fast_count() - fast_before);
	}
	n_fast_seen += fast_count() - fast_before;
	if (!is_right) {
		bare_print("# actor %u: call %x to %x", (uint64_t)number, (uint64_t)call,
		        (uint64_t)(uint32_t)to);
	}
	return is_right;
}

/* The slot is held, and the same instance behind it. */
static void hold(uint32_t number)
{
	IS(E_OK, sys_slot_swap(ref.actors[number].ep, spare.child.ep, SWAP_HOLD));
	IS(E_OK, sys_slot_swap(ref.actors[number].ep, spare.child.ep, 0));
	ref.actors[number].is_held = true;
}

static void unhold(uint32_t number)
{
	if (ref.actors[number].is_uncommitted) {
		IS(E_OK, sys_slot_commit(ref.actors[number].ep));
		reference_commit(&ref, number);
	} else {
		IS(E_OK, sys_slot_unhold(ref.actors[number].ep));
		reference_unhold(&ref, number);
	}
}

static void renew(uint32_t number)
{
	uint32_t slot = EP_SLOT(ref.actors[number].ep);

	reference_end(&ref, number);
	puppet_free(&puppets[number]);
	actor_new(number);
	actor_mask(number);
	OK(EP_SLOT(ref.actors[number].ep) == slot);
}

/* The driver does something to an actor that may well make a call or wait in one. */
static void step_supervise(uint32_t number)
{
	struct actor *actor = &ref.actors[number];

	if (actor->is_stopped) {
		IS(E_OK, sys_slot_resume(actor->ep, 0));
		reference_resume(&ref, number);
	} else if (actor->is_held) {
		unhold(number);
	} else if (actor->state == ACTOR_IDLE && draw(2) == 0) {
		hold(number);
	} else if (actor->state != ACTOR_IDLE && draw(3) == 0) {
		IS(E_OK, sys_slot_stop(actor->ep));
		actor->is_stopped = true;
	} else if (draw(2) == 0) {
		renew(number);
	} else {
		actor_mask(number);
	}
	settle(0);
}

static bool step(void)
{
	uint32_t number = (uint32_t)draw(N_ACTORS), n_tried = 0;
	bool is_right = true, is_call = draw(8) != 0;

	while (is_call && ref.actors[number].state != ACTOR_IDLE && n_tried++ < N_ACTORS) {
		number = (number + 1) % N_ACTORS;
	}
	if (is_call && ref.actors[number].state == ACTOR_IDLE) {
		is_right = step_call(number);
	} else {
		step_supervise(number);
	}
	for (uint32_t i = 0; i < N_ACTORS; i++) {
		is_right &= actor_check(i);
	}
	return is_right;
}

static void test_random_ipc(void)
{
	uint64_t n = bare_option("steps", STEPS), i = 0;

	draw_state = seed_choose();
	n_fast_seen = 0;
	cpus_occupy();
	ref = (struct reference){0};
	for (uint32_t a = 0; a < N_ACTORS; a++) {
		actor_new(a);
	}
	for (uint32_t a = 0; a < N_ACTORS; a++) {
		actor_mask(a);
	}
	puppet_new_at(&spinner, SPINNER, "spinner", 0, BUSY_PRIORITY);
	puppet_new(&spare, SPARE, "spare", 0);
	puppet_begin(&spinner, PUPPET_SPIN, (const uint64_t[6]){0});
	spinner_stop();
	while (i < n && step()) {
		i++;
	}
	bare_print("# %u steps, %u by the fast path", i, n_fast_seen);
	IS(n, i);
	OK(n_fast_seen > n / 64 || !cpu_has_fsgsbase());
	for (uint32_t a = 0; a < N_ACTORS; a++) {
		puppet_free(&puppets[a]);
	}
	puppet_free(&spinner);
	puppet_free(&spare);
	cpus_release();
}

const struct test tests_random[] = {{"IPC at random against a reference", test_random_ipc}, {0}};
