/*
 * Foreign threads: programs of raw system calls, numbered as Linux does it, and a small server that
 * answers them. A program has no gate page; what it finds wrong it counts in shared->w[].
 */
#include "osd/suites/kcall/kcall.h"

#define PERSONALITY 2u
#define N_ROUTES 300u
#define UNROUTED 299u /* below the end of the table, but nobody's */

#define LINUX_READ 0u
#define LINUX_GETPID 39u
#define LINUX_ENOSYS 38
#define LINUX_EINTR 4
/* Its number is the program's word that it has ended: the server's answer is its last. */
#define LINUX_EXIT 231u

/* Words of shared. */
enum word {
	WORD_WRONG,    /* registers that were others than wanted */
	WORD_CALLS,    /* calls that have come back */
	WORD_RESULT,   /* what the last of them gave */
	WORD_REFUSED,  /* messages that the server did not expect */
	WORD_ANSWERED, /* by the server */
};

enum reg {
	RAX,
	RBX,
	RCX,
	RDX,
	RSI,
	RDI,
	RBP,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	FLAGS,
	XMM,
	REG_N
};

struct registers {
	uint64_t in[REG_N], out[REG_N];
};

static struct puppet server, other;
static struct child program;
static endpoint_t routes[N_ROUTES];

/*
 * Make a system call with all registers as they stand in `in`, and store all of them. rsp is compared
 * by this going on.
 */
__attribute__((naked)) static void registers_syscall(struct registers *registers)
{
	__asm__ volatile(
	        "pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n\t"
	        "pushq %rdi\n\t"
	        "movq 128(%rdi), %xmm5; pushq 120(%rdi); popfq\n\t"
	        "movq 0(%rdi), %rax; movq 8(%rdi), %rbx; movq 16(%rdi), %rcx\n\t"
	        "movq 24(%rdi), %rdx; movq 32(%rdi), %rsi; movq 48(%rdi), %rbp\n\t"
	        "movq 56(%rdi), %r8; movq 64(%rdi), %r9; movq 72(%rdi), %r10\n\t"
	        "movq 80(%rdi), %r11; movq 88(%rdi), %r12; movq 96(%rdi), %r13\n\t"
	        "movq 104(%rdi), %r14; movq 112(%rdi), %r15; movq 40(%rdi), %rdi\n\t"
	        "syscall\n"
	        "registers_behind:\n\t"
	        "pushq %rdi; movq 8(%rsp), %rdi; popq 136+40(%rdi); pushfq; cld\n\t"
	        "popq 136+120(%rdi); movq %xmm5, 136+128(%rdi)\n\t"
	        "movq %rax, 136+0(%rdi); movq %rbx, 136+8(%rdi); movq %rcx, 136+16(%rdi)\n\t"
	        "movq %rdx, 136+24(%rdi); movq %rsi, 136+32(%rdi); movq %rbp, 136+48(%rdi)\n\t"
	        "movq %r8, 136+56(%rdi); movq %r9, 136+64(%rdi); movq %r10, 136+72(%rdi)\n\t"
	        "movq %r11, 136+80(%rdi); movq %r12, 136+88(%rdi); movq %r13, 136+96(%rdi)\n\t"
	        "movq %r14, 136+104(%rdi); movq %r15, 136+112(%rdi)\n\t"
	        "popq %rdi; popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n\t"
	        "ret");
}

extern const char registers_behind[];

/* What the server answers: depends on number and all arguments, in their order. */
static uint64_t answer_of(const uint64_t w[7])
{
	uint64_t sum = 0;

	for (int i = 0; i < 7; i++) {
		sum = sum * 31 + w[i];
	}
	return sum;
}

static void registers_fill(struct registers *r, uint64_t number, uint64_t seed)
{
	for (uint64_t i = 0; i < REG_N; i++) {
		r->in[i] = (seed * REG_N + i) * 0x9e3779b97f4a7c15ul;
	}
	r->in[RAX] = number;
	r->in[FLAGS] = seed & 1 ? 0xed7 : 0x202;
}

static uint64_t registers_wrong(const struct registers *r)
{
	const uint64_t *in = r->in;
	const uint64_t call[7] = {in[RAX], in[RDI], in[RSI], in[RDX], in[R10], in[R8], in[R9]};
	uint64_t n_wrong = 0;

	for (int i = 0; i < REG_N; i++) {
		uint64_t want = i == RAX   ? answer_of(call)
		                : i == RCX ? (uint64_t)registers_behind
		                : i == R11 ? in[FLAGS]
		                           : in[i];

		n_wrong += r->out[i] != want;
	}
	return n_wrong;
}

static uint64_t linux_call(uint64_t number, uint64_t argument)
{
	uint64_t result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(argument) : "rcx", "r11", "memory");
	return result;
}

/* With bases of its own, where it can write them. */
static bool bases_are(uint64_t seed)
{
	uint64_t fs, gs;

	__asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(fs), "=r"(gs));
	return fs == seed && gs == ~seed;
}

static void program_check(uint64_t n)
{
	bool has_bases = cpu_has_fsgsbase();
	struct registers r;

	for (uint64_t i = 0; i < n; i++) {
		if (has_bases) {
			__asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(i), "r"(~i));
		}
		registers_fill(&r, (i * 7) % UNROUTED, i);
		r.in[RAX] = r.in[RAX] == LINUX_EXIT ? LINUX_READ : r.in[RAX];
		registers_syscall(&r);
		shared->w[WORD_WRONG] += registers_wrong(&r) + (has_bases && !bases_are(i));
		shared->w[WORD_CALLS]++;
	}
	(void)linux_call(LINUX_EXIT, 0);
}

/* Call for ever, with the number in shared. */
static void program_loop(uint64_t number)
{
	for (;;) {
		shared->w[WORD_RESULT] = linux_call(number, 77);
		shared->w[WORD_CALLS]++;
	}
}

/* The table leads to one server. */
static err_t routes_set(endpoint_t to)
{
	for (uint32_t i = 0; i < N_ROUTES; i++) {
		routes[i] = i == UNROUTED ? EP_NONE : to;
	}
	return sys_personality_set(PERSONALITY, routes, N_ROUTES);
}

static void routes_end(void)
{
	IS(E_OK, sys_personality_set(PERSONALITY, NULL, 0));
}

/* A child without a gate page, not yet foreign. */
static void program_new(uint32_t priority)
{
	child_space_new(&program);
	IS(E_OK, child_slot_new_at(&program, "program", 0, priority) < 0 ? E_FULL : E_OK);
	child_fill(&program);
	IS(E_OK, child_map(&program,
	                 (struct space_op){
	                         .kind = SPACE_UNMAP, .va = bare_start->gate, .n_pages = 1}));
	for (int i = 0; i < 8; i++) {
		shared->w[i] = 0;
	}
}

static void program_run(child_entry_t entry, uint64_t argument)
{
	program_new(CHILD_PRIORITY);
	IS(E_OK, sys_slot_foreign(program.ep, PERSONALITY));
	child_start(&program, entry, argument);
}

/* A puppet, which receives when it is told to, and a program that calls it for ever. */
static void pair_new(uint64_t number)
{
	puppet_new(&server, 0, "server", 0);
	IS(E_OK, routes_set(server.child.ep));
	program_run(program_loop, number);
}

static void pair_free(void)
{
	child_free(&program);
	puppet_free(&server);
	routes_end();
}

static bool program_becomes(uint32_t state)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	while (info_state(program.ep) != state && sys_clock_read() < end) {
		child_settle(200);
	}
	return info_state(program.ep) == state;
}

/* The server has the program's next call. */
static void server_receive(void)
{
	const struct message *msg = &puppet_order(&server)->msg;

	IS(E_OK, puppet_ipc(&server, KCALL_receive, EP_ANY, 0, 0));
	IS(MSG_FOREIGN, msg->type);
	IS(program.ep, msg->source);
	IS(77, msg->w[1]);
	IS(SLOT_WAITING_REPLY, info_state(program.ep));
}

/* Answer, and see that it arrives. */
static void server_answer(uint64_t value)
{
	uint64_t calls = shared->w[WORD_CALLS];

	IS(E_OK, puppet_ipc(&server, KCALL_reply, program.ep, 1, value));
	OK(program_becomes(SLOT_SENDING));
	IS(calls + 1, shared->w[WORD_CALLS]);
	IS(value, shared->w[WORD_RESULT]);
}

/* It waits for its supervisor, who gives it another result. */
static void program_mend(uint64_t result)
{
	struct slot_registers r;

	IS(SLOT_FAULTED, info_state(program.ep));
	IS(E_STATE, sys_slot_resume(program.ep, 0));
	IS(E_OK, sys_slot_registers(program.ep, &r));
	IS(77, r.rdi);
	r.rax = result;
	IS(E_OK, sys_slot_registers_set(program.ep, &r));
	IS(E_OK, sys_slot_resume(program.ep, 0));
}

/* The supervisor is told that nobody answers; the registers are those of the call. */
static void program_unanswered(uint64_t number, err_t why)
{
	struct slot_registers r;
	struct slot_event event;

	IS(E_OK, child_event(&program, &event));
	IS(SLOT_EVENT_FAULT, event.kind);
	IS(FAULT_FOREIGN_UNANSWERED, event.w[0]);
	IS(number, event.w[1]);
	IS(why, event.w[3]);
	IS(E_OK, sys_slot_registers(program.ep, &r));
	IS(number, r.rax);
	IS(r.rip, event.w[2]);
	IS(r.rip, r.rcx);
}

/* In a puppet: answer, so that the next call finds the server at its receive, or not, in turns. */
static err_t serve(uint64_t client)
{
	struct message msg;
	err_t r = sys_receive(EP_ANY, &msg);

	for (uint64_t i = 0; r == E_OK; i++) {
		uint64_t number = msg.w[0];

		shared->w[WORD_REFUSED] +=
		        msg.type != MSG_FOREIGN || msg.source != (endpoint_t)client;
		shared->w[WORD_ANSWERED]++;
		msg = (struct message){
		        .type = 0x1234567, .w = {answer_of(msg.w), 11, 12, 13, 14, 15, 16}};
		if (number == LINUX_EXIT) {
			break;
		}
		if (i & 1) {
			r = sys_reply_receive((endpoint_t)client, &msg);
		} else {
			r = sys_reply((endpoint_t)client, &msg);
			r = r == E_OK ? sys_receive(EP_ANY, &msg) : r;
		}
	}
	return r;
}

/* usec: how often somebody else breaks in, 0: not at all. */
static void exchange(uint32_t priority, uint64_t n, uint64_t usec)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	puppet_new(&server, 0, "server", 0);
	IS(E_OK, routes_set(server.child.ep));
	program_new(priority);
	IS(E_OK, sys_slot_foreign(program.ep, PERSONALITY));
	puppet_begin(
	        &server, PUPPET_CALL, (const uint64_t[6]){(uint64_t)serve, (uint64_t)program.ep});
	child_start(&program, program_check, n);
	while (usec != 0 && shared->w[WORD_CALLS] < n && sys_clock_read() < end) {
		child_settle(usec);
	}
	IS(E_OK, puppet_end(&server));
	IS(0, shared->w[WORD_WRONG]);
	IS(0, shared->w[WORD_REFUSED]);
	IS(n, shared->w[WORD_CALLS]);
	IS(n + 1, shared->w[WORD_ANSWERED]);
	pair_free();
}

/* More urgent than the server, it calls while that does not receive yet; less urgent, it never does. */
static void test_calls(void)
{
	exchange(CHILD_PRIORITY - 1, 600, 0);
	exchange(CHILD_PRIORITY + 1, 600, 0);
}

static void test_preemption(void)
{
	exchange(CHILD_PRIORITY, 3000, 30);
}

/* What its personality does not name, this kernel's own calls among it. */
static void test_unrouted(void)
{
	static const uint64_t numbers[] = {
	        UNROUTED, N_ROUTES, KCALL_null, KCALL_exit, KCALL_sendrec, 1ul << 32, ~0ul};

	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		pair_new(numbers[i]);
		program_unanswered(numbers[i], E_NOTFOUND);
		program_mend(-LINUX_ENOSYS);
		program_unanswered(numbers[i], E_NOTFOUND);
		IS(-LINUX_ENOSYS, shared->w[WORD_RESULT]);
		IS(1, shared->w[WORD_CALLS]);
		pair_free();
	}
}

/* A personality gives no right to send. */
static void test_right(void)
{
	struct domain_privileges privileges;

	pair_new(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	child_privileges(&privileges);
	privileges.ipc_to[0] = privileges.ipc_to[1] = privileges.ipc_to[2] = privileges.ipc_to[3] =
	        0;
	IS(E_OK, sys_domain_set(program.space, &privileges));
	server_receive();
	IS(E_OK, puppet_ipc(&server, KCALL_reply, program.ep, 1, 5));
	program_unanswered(LINUX_GETPID, E_PERM);
	child_privileges(&privileges);
	IS(E_OK, sys_domain_set(program.space, &privileges));
	program_mend(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	pair_free();
}

/* Whatever the call has come to: the supervisor is told, and gives the result. */
static void test_server_ends(void)
{
	for (uint32_t is_taken = 0; is_taken < 2; is_taken++) {
		pair_new(LINUX_GETPID);
		OK(program_becomes(SLOT_SENDING));
		server_receive();
		server_answer(1000);
		if (is_taken) {
			server_receive();
		}
		puppet_free(&server);
		program_unanswered(LINUX_GETPID, E_DEAD);
		program_mend(1001);
		/* The table still names the one that ended, not who takes its place. */
		program_unanswered(LINUX_GETPID, E_DEAD);
		IS(1001, shared->w[WORD_RESULT]);
		puppet_new(&server, 0, "server", 0);
		program_mend(1002);
		program_unanswered(LINUX_GETPID, E_DEAD);
		IS(E_OK, routes_set(server.child.ep));
		program_mend(1003);
		OK(program_becomes(SLOT_SENDING));
		IS(1003, shared->w[WORD_RESULT]);
		server_receive();
		server_answer(1004);
		pair_free();
	}
}

/* The server begins anew: who waits for its answer is told, who waits to be heard is heard. */
static void test_server_restarts(void)
{
	for (uint32_t is_taken = 0; is_taken < 2; is_taken++) {
		pair_new(LINUX_GETPID);
		OK(program_becomes(SLOT_SENDING));
		if (is_taken) {
			server_receive();
		}
		puppet_new(&other, 1, "other", 0);
		IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, SWAP_FRESH));
		if (is_taken) {
			program_unanswered(LINUX_GETPID, E_RESTART);
			program_mend(7);
			OK(program_becomes(SLOT_SENDING));
			IS(7, shared->w[WORD_RESULT]);
		}
		IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, 0));
		server_receive();
		server_answer(8);
		puppet_free(&other);
		pair_free();
	}
}

/* An update of the server is nothing that the program could notice. */
static void test_server_updated(void)
{
	pair_new(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	server_receive();
	puppet_new(&other, 1, "other", SLOT_UNCOMMITTED);
	IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, SWAP_HOLD));
	IS(SLOT_WAITING_REPLY, info_state(program.ep));
	IS(E_OK, sys_slot_commit(server.child.ep));
	/* Its instance is the other puppet's. */
	puppet_order(&other)->msg = (struct message){.type = MSG_REPLY, .w = {21}};
	puppet_order(&other)->number = KCALL_reply;
	puppet_order(&other)->a[0] = (uint64_t)program.ep;
	IS(E_OK, sys_slot_resume(server.child.ep, 0));
	OK(program_becomes(SLOT_SENDING));
	IS(21, shared->w[WORD_RESULT]);
	IS(E_OK, child_event(&server.child, &server.event));
	IS(SLOT_EVENT_REPORT, server.event.kind);
	IS(E_OK, sys_slot_swap(server.child.ep, other.child.ep, 0));
	server_receive();
	server_answer(22);
	puppet_free(&other);
	pair_free();
}

static void test_stopped(void)
{
	pair_new(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	IS(E_OK, sys_slot_stop(program.ep)); /* before it is taken */
	IS(E_OK, puppet_ipc(&server, KCALL_receive, EP_ANY, 0, 0));
	IS(E_OK, puppet_ipc(&server, KCALL_reply, program.ep, 1, 31));
	child_settle(2000);
	IS(0, shared->w[WORD_CALLS]);
	IS(E_OK, sys_slot_resume(program.ep, 0));
	OK(program_becomes(SLOT_SENDING));
	IS(31, shared->w[WORD_RESULT]);
	server_receive();
	IS(E_OK, sys_slot_stop(program.ep)); /* before it is answered */
	IS(E_OK, sys_slot_resume(program.ep, 0));
	server_answer(32);
	pair_free();
}

/* Nothing of it is left with the server. */
static void test_destroyed(void)
{
	endpoint_t was;

	for (uint32_t is_taken = 0; is_taken < 2; is_taken++) {
		pair_new(LINUX_GETPID);
		OK(program_becomes(SLOT_SENDING));
		IS(1, info_of(server.child.ep).n_senders);
		if (is_taken) {
			server_receive();
		}
		was = program.ep;
		child_free(&program);
		IS(0, info_of(server.child.ep).n_senders);
		IS(E_DEAD, puppet_ipc(&server, KCALL_reply, was, 1, 0));
		puppet_free(&server);
		routes_end();
	}
}

/* Where the slot is to begin anew the program's call ends, and no error of this kernel's is in it. */
static void test_replaced(void)
{
	struct slot_registers r;

	pair_new(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	server_receive();
	puppet_new(&other, 1, "other", 0);
	IS(E_OK, sys_slot_stop(program.ep));
	IS(E_OK, sys_slot_swap(program.ep, other.child.ep, SWAP_FRESH));
	IS(E_STATE, puppet_ipc(&server, KCALL_reply, program.ep, 1, 9));
	IS(E_OK, sys_slot_swap(program.ep, other.child.ep, 0));
	IS(E_OK, sys_slot_registers(program.ep, &r));
	IS(LINUX_GETPID, r.rax);
	IS(E_OK, sys_slot_registers_set(program.ep, &r));
	IS(E_OK, sys_slot_resume(program.ep, 0));
	OK(program_becomes(SLOT_SENDING));
	puppet_free(&other);
	pair_free();
}

/* The supervisor ends a wait, at each point of it. */
static void test_ended(void)
{
	struct slot_event event;

	for (uint32_t how = 0; how < 4; how++) {
		bool is_taken = how & 1, is_stopped = how & 2;

		pair_new(LINUX_READ);
		OK(program_becomes(SLOT_SENDING));
		if (is_taken) {
			server_receive();
		}
		if (is_stopped) {
			IS(E_OK, sys_slot_stop(program.ep));
		}
		IS(E_OK, sys_slot_foreign_end(program.ep));
		IS(E_STATE, sys_slot_foreign_end(program.ep));
		IS(0, info_of(server.child.ep).n_senders);
		IS(E_STATE, puppet_ipc(&server, KCALL_reply, program.ep, 1, 9));
		if (is_stopped) {
			IS(E_OK, sys_slot_resume(program.ep, 0));
		}
		program_mend(-LINUX_EINTR);
		OK(program_becomes(SLOT_SENDING));
		IS(-LINUX_EINTR, shared->w[WORD_RESULT]);
		server_receive();
		server_answer(41);
		IS(E_AGAIN, sys_event_next(&event));
		pair_free();
	}
}

static void test_end_refused(void)
{
	struct domain_privileges privileges = {0};

	pair_new(LINUX_READ);
	OK(program_becomes(SLOT_SENDING));
	server_receive();
	IS(E_OK, sys_slot_stop(program.ep));
	IS(E_OK, puppet_ipc(&server, KCALL_reply, program.ep, 1, 51));
	IS(E_STATE, sys_slot_foreign_end(program.ep)); /* the answer was first, and stays */
	IS(E_OK, sys_slot_resume(program.ep, 0));
	OK(program_becomes(SLOT_SENDING));
	IS(51, shared->w[WORD_RESULT]);
	/* A native one waits in its own calls. */
	puppet_new(&other, 1, "other", 0);
	puppet_ipc_begin(&other, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&other));
	IS(E_STATE, sys_slot_foreign_end(other.child.ep));
	puppet_free(&other);
	IS(E_DEAD, sys_slot_foreign_end(other.child.ep == EP_NONE ? EP_MAKE(200, 1) : EP_NONE));
	puppet_new(&other, 1, "other", 0);
	privileges_call(&privileges, KCALL_slot_foreign_end);
	privileges_call(&privileges, KCALL_slot_foreign);
	puppet_allow(&other, &privileges);
	IS(E_PERM, puppet_call(&other, KCALL_slot_foreign_end, (uint64_t)program.ep));
	IS(E_PERM, puppet_call(&other, KCALL_slot_foreign, (uint64_t)program.ep, PERSONALITY));
	puppet_free(&other);
	pair_free();
}

static err_t personality_set_first(uint64_t personality)
{
	endpoint_t none[1] = {EP_NONE};

	return sys_personality_set((uint32_t)personality, none, 1);
}

static void test_personality(void)
{
	struct domain_privileges privileges = {0};

	IS(E_INVAL, sys_personality_set(N_PERSONALITIES, routes, 1));
	IS(E_INVAL, sys_personality_set(~0u, routes, 1));
	IS(E_INVAL, sys_personality_set(PERSONALITY, routes, PERSONALITY_ROUTES_MAX + 1));
	IS(E_FAULT, sys_personality_set(PERSONALITY, (const endpoint_t *)NOWHERE, 1));
	IS(E_FAULT, sys_personality_set(PERSONALITY, (const endpoint_t *)KERNEL_VA, 1));
	pair_new(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	/* One route that is wrong, and all stay as they were. */
	routes[LINUX_GETPID] = EP_NONE;
	routes[UNROUTED] = EP_MAKE(200, 1);
	IS(E_DEAD, sys_personality_set(PERSONALITY, routes, N_ROUTES));
	routes[UNROUTED] = EP_ANY;
	IS(E_DEAD, sys_personality_set(PERSONALITY, routes, N_ROUTES));
	server_receive();
	server_answer(61);
	/* Another one's. */
	puppet_new(&other, 1, "other", 0);
	privileges_call(&privileges, KCALL_personality_set);
	puppet_allow(&other, &privileges);
	IS(E_PERM, puppet_call(&other, PUPPET_CALL, (uint64_t)personality_set_first, PERSONALITY));
	IS(E_PERM, puppet_call(&other, KCALL_personality_set, PERSONALITY, 0, 0));
	IS(E_OK, puppet_call(&other, PUPPET_CALL, (uint64_t)personality_set_first, 0));
	IS(E_PERM, sys_personality_set(0, routes, 1));
	puppet_free(&other);
	IS(E_OK, personality_set_first(0)); /* its owner has ended */
	IS(E_OK, sys_personality_set(0, NULL, 0));
	/* Without its table the program is nobody's. */
	server_receive();
	routes_end();
	IS(E_OK, puppet_ipc(&server, KCALL_reply, program.ep, 1, 0));
	program_unanswered(LINUX_GETPID, E_NOTFOUND);
	pair_free();
}

static void test_foreign_refused(void)
{
	struct space_op gate = {.kind = SPACE_GATE, .va = bare_start->gate, .n_pages = 1};

	puppet_new(&server, 0, "server", 0);
	IS(E_OK, routes_set(server.child.ep));
	IS(E_STATE, sys_slot_foreign(server.child.ep, PERSONALITY)); /* it has begun */
	IS(E_DEAD, sys_slot_foreign(EP_MAKE(200, 1), PERSONALITY));
	program_new(CHILD_PRIORITY);
	IS(E_INVAL, sys_slot_foreign(program.ep, 1)); /* not set */
	IS(E_INVAL, sys_slot_foreign(program.ep, N_PERSONALITIES));
	IS(E_OK, child_map(&program, gate));
	IS(E_BUSY, sys_slot_foreign(program.ep, PERSONALITY));
	gate.kind = SPACE_UNMAP;
	IS(E_OK, child_map(&program, gate));
	IS(E_OK, sys_slot_foreign(program.ep, PERSONALITY));
	gate.kind = SPACE_GATE;
	IS(E_BUSY, child_map(&program, gate));
	child_free(&program);
	child_space_new(&program);
	OK(child_slot_new(&program, "program", SLOT_UNCOMMITTED) >= 0);
	IS(E_STATE, sys_slot_foreign(program.ep, PERSONALITY));
	pair_free();
}

/* Who comes into the slot afterwards is none. */
static void test_forgotten(void)
{
	struct slot_event event;

	pair_new(LINUX_GETPID);
	OK(program_becomes(SLOT_SENDING));
	child_free(&program);
	program_new(CHILD_PRIORITY);
	child_start(&program, program_loop, LINUX_GETPID);
	IS(E_OK, child_event(&program, &event));
	IS(FAULT_STRAY_CALL, event.w[0]);
	pair_free();
}

const struct test tests_foreign[] = {
        {"system calls of a foreign thread", test_calls},
        {"a foreign thread is preempted", test_preemption},
        {"foreign calls that nobody answers", test_unrouted},
        {"a foreign thread without the right to send", test_right},
        {"who answers foreign calls ends", test_server_ends},
        {"who answers foreign calls begins anew", test_server_restarts},
        {"who answers foreign calls is updated", test_server_updated},
        {"a foreign thread is stopped in a call", test_stopped},
        {"a foreign thread is destroyed in a call", test_destroyed},
        {"a foreign thread is replaced in a call", test_replaced},
        {"foreign calls ended by the supervisor", test_ended},
        {"slot_foreign_end refused", test_end_refused},
        {"personality_set", test_personality},
        {"slot_foreign refused", test_foreign_refused},
        {"a foreign thread is forgotten with its slot", test_forgotten},
        {0},
};
