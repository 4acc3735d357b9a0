/*
 * What a process keeps through calls and switches: registers, floating-point
 * registers, thread pointer.
 */
#include "osd/suites/kcall/kcall.h"

static struct puppet p, q;

#define PATTERN_RBX 0x1111222233334444ul
#define PATTERN_RBP 0x5555666677778888ul
#define PATTERN_R15 0x9999aaaabbbbccccul

/*
 * Make a call and check the registers that no call may change. Return 0, or their differences. A
 * message starts as word 0 = 1 and else whatever is in the registers.
 */
static uint64_t registers_through(uint64_t number, uint64_t argument)
{
	uint64_t difference;

	__asm__ volatile("pushq %%rbx; pushq %%rbp; pushq %%r15; pushq %%rdi\n\t"
	                 "movabsq %[rbx], %%rbx; movabsq %[rbp], %%rbp; movabsq %[r15], %%r15\n\t"
	                 "movl $1, %%esi\n\t"
	                 "call *sys_gate(%%rip)\n\t"
	                 "movabsq %[rbx], %%rcx; xorq %%rbx, %%rcx\n\t"
	                 "movabsq %[rbp], %%r11; xorq %%rbp, %%r11; orq %%r11, %%rcx\n\t"
	                 "movabsq %[r15], %%r11; xorq %%r15, %%r11; orq %%r11, %%rcx\n\t"
	                 "xorq (%%rsp), %%rdi; orq %%rdi, %%rcx\n\t"
	                 "popq %%rdi; popq %%r15; popq %%rbp; popq %%rbx"
	        : "=&c"(difference), "+a"(number)
	        : "D"(argument), [rbx] "i"(PATTERN_RBX), [rbp] "i"(PATTERN_RBP),
	        [r15] "i"(PATTERN_R15)
	        : "rsi", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory");
	return difference;
}

static err_t registers_call(uint64_t number)
{
	return registers_through(number, (uint64_t)EP_MAKE(200, 9)) == 0 ? E_OK : E_CHECK;
}

static void test_registers(void)
{
	puppet_new(&p, 0, "p", 0);
	for (uint64_t number = KCALL_BASE; number < KCALL_BASE + 64; number++) {
		bool stays = number == KCALL_exit || number == KCALL_report ||
		             number == KCALL_receive || number == KCALL_reply_receive;

		if (!stays &&
		        !IS(E_OK, puppet_call(&p, PUPPET_CALL, (uint64_t)registers_call, number))) {
			bare_print("# call %x", number);
		}
	}
	puppet_free(&p);
}

/*
 * Keep a value in floating-point registers and one behind the thread
 * pointer through n exchanges.
 */
struct keeper {
	uint64_t value, *thread;
	uint64_t n_wrong;
};

static void keeper_begin(struct keeper *keeper, uint64_t value, uint64_t *thread)
{
	*keeper = (struct keeper){value, thread, 0};
	*thread = value;
	(void)sys_thread_pointer_set((vaddr_t)thread);
	__asm__ volatile("movq %0, %%xmm6; movq %0, %%xmm15" : : "r"(value) : "xmm6", "xmm15");
}

static void keeper_check(struct keeper *keeper)
{
	uint64_t a, b, c;

	__asm__ volatile("movq %%xmm6, %0; movq %%xmm15, %1; movq %%fs:0, %2"
	        : "=r"(a), "=r"(b), "=r"(c));
	keeper->n_wrong += a != keeper->value || b != keeper->value || c != keeper->value;
}

#define N_EXCHANGES 500u

static err_t serve(uint64_t value)
{
	struct message msg = {0};
	struct keeper keeper;

	keeper_begin(&keeper, value, &puppet_orders[0].counter);
	(void)sys_receive(EP_ANY, &msg);
	for (unsigned int i = 0; i < N_EXCHANGES - 1; i++) {
		keeper_check(&keeper);
		(void)sys_reply_receive(msg.source, &msg);
	}
	keeper_check(&keeper);
	(void)sys_reply(msg.source, &msg);
	return (err_t)keeper.n_wrong;
}

/* Exchanges by the short way through the kernel, looking at plain registers in every second one. */
static err_t request(uint64_t server)
{
	struct message msg = {.type = 1};
	struct keeper keeper;

	keeper_begin(&keeper, server * 3, &puppet_orders[1].counter);
	for (unsigned int i = 0; i < N_EXCHANGES; i++) {
		if (i & 1) {
			keeper.n_wrong += registers_through(KCALL_sendrec, server) != 0;
		} else {
			keeper.n_wrong += sys_sendrec((endpoint_t)server, &msg) != E_OK;
		}
		keeper_check(&keeper);
	}
	return (err_t)keeper.n_wrong;
}

static void test_exchanges(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)serve, 0x7777});
	OK(puppet_waits(&p));
	puppet_begin(&q, PUPPET_CALL, (const uint64_t[6]){(uint64_t)request, p.child.ep});
	IS(0, puppet_end(&q));
	IS(0, puppet_end(&p));
	puppet_free(&p);
	puppet_free(&q);
}

/*
 * Both have the same thread pointer; one loads the fs selector before every exchange. argument:
 * how, and the partner above.
 */
#define FS_NULL 0u
#define FS_DATA 1u
#define FS_BOTH 2u
#define SELECTOR_DATA 0x23u

static uint64_t *const thread_word = (uint64_t *)SHARED_VA;

static void fs_load(uint32_t how)
{
	if (how != FS_NULL) {
		__asm__ volatile("movl %0, %%fs" : : "r"(SELECTOR_DATA));
	}
	if (how != FS_DATA) {
		__asm__ volatile("movl %0, %%fs" : : "r"(0));
	}
}

static uint64_t fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

/*
 * Who loads a selector has made its base 0, and it stays so, if its base is its own business; else it
 * comes back. The other one's is as it was, and nobody sees a selector.
 */
static uint64_t thread_is_wrong(bool has_loaded)
{
	uint64_t value;
	uint32_t selector;

	__asm__ volatile("movl %%fs, %0" : "=r"(selector));
	if (selector != 0) {
		return 1;
	}
	if (has_loaded && cpu_has_fsgsbase()) {
		value = fs_base();
		(void)sys_thread_pointer_set((vaddr_t)thread_word);
		return value != 0;
	}
	__asm__ volatile("movq %%fs:0, %0" : "=r"(value));
	return value != *thread_word;
}

static err_t thread_serve(uint64_t how)
{
	struct message msg = {0};
	uint64_t n_wrong = 0;

	(void)sys_thread_pointer_set((vaddr_t)thread_word);
	(void)sys_receive(EP_ANY, &msg);
	for (unsigned int i = 0; i < N_EXCHANGES - 1; i++) {
		n_wrong += thread_is_wrong(i > 0 && how & 4);
		if (how & 4) {
			fs_load(how & 3);
		}
		(void)sys_reply_receive(msg.source, &msg);
	}
	(void)sys_reply(msg.source, &msg);
	return (err_t)n_wrong;
}

static err_t thread_request(uint64_t argument)
{
	struct message msg = {.type = 1};
	uint32_t how = (uint32_t)(argument >> 32);
	uint64_t n_wrong = 0;

	(void)sys_thread_pointer_set((vaddr_t)thread_word);
	for (unsigned int i = 0; i < N_EXCHANGES; i++) {
		bool has_loaded = !(how & 4);

		if (has_loaded) {
			fs_load(how);
		}
		if (i % 16 == 0) {
			/* By the long way: somebody more urgent runs in between. */
			(void)sys_report(PUPPET_REPORT, 0, 0, 0, 0);
			n_wrong += thread_is_wrong(has_loaded);
			has_loaded = false;
		}
		n_wrong += sys_sendrec((endpoint_t)(uint32_t)argument, &msg) != E_OK;
		n_wrong += thread_is_wrong(has_loaded);
	}
	return (err_t)n_wrong;
}

static err_t thread_end(struct puppet *requester)
{
	err_t r = puppet_end(requester);

	while (r == E_OK && requester->event.kind == SLOT_EVENT_REPORT &&
	        requester->event.w[0] == PUPPET_REPORT && requester->event.w[1] == 0) {
		IS(E_OK, sys_slot_resume(requester->child.ep, 0));
		r = puppet_end(requester);
	}
	return r;
}

static void test_thread_pointers(void)
{
	*thread_word = 0x7e57ed;
	for (uint64_t how = 0; how < 8; how++) {
		if ((how & 3) > FS_BOTH) {
			continue;
		}
		puppet_new(&p, 2, "p", 0);
		puppet_new(&q, 1, "q", 0);
		puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)thread_serve, how});
		OK(puppet_waits(&p));
		puppet_begin(&q, PUPPET_CALL,
		        (const uint64_t[6]){
		                (uint64_t)thread_request, how << 32 | (uint32_t)p.child.ep});
		IS(0, thread_end(&q));
		IS(0, puppet_end(&p));
		puppet_free(&p);
		puppet_free(&q);
	}
}

#define BASE_STEP 0x123456789000ul
#define BASE_HIGH 0xffff800000000000ul /* where the kernel has RAM; a base may be anything */

static void bases_write(uint64_t seed)
{
	__asm__ volatile("wrfsbase %0; wrgsbase %1"
	        :
	        : "r"(seed * BASE_STEP), "r"(BASE_HIGH + seed));
}

static uint64_t bases_are_wrong(uint64_t seed)
{
	return fs_base() != seed * BASE_STEP || gs_base() != BASE_HIGH + seed;
}

static err_t bases_read(uint64_t argument)
{
	return (err_t)(fs_base() | gs_base());
}

static err_t bases_serve(uint64_t seed)
{
	struct message msg = {0};
	uint64_t n_wrong = 0;

	bases_write(seed);
	(void)sys_receive(EP_ANY, &msg);
	for (unsigned int i = 0; i < N_EXCHANGES; i++) {
		n_wrong += bases_are_wrong(seed);
		(void)sys_reply_receive(msg.source, &msg);
	}
	(void)sys_reply(msg.source, &msg);
	return (err_t)n_wrong;
}

/* Messages, by the short way; in between it waits for no one, so that the driver's alarm breaks in. */
static err_t bases_request(uint64_t server)
{
	struct message msg = {.type = 1};
	uint64_t n_wrong = 0;

	bases_write(2);
	for (unsigned int i = 0; i <= N_EXCHANGES; i++) {
		n_wrong += sys_sendrec((endpoint_t)server, &msg) != E_OK;
		for (unsigned int k = 0; k < 200; k++) {
			n_wrong += bases_are_wrong(2);
		}
	}
	return (err_t)n_wrong;
}

static void test_bases(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	if (cpu_has_fsgsbase()) {
		puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)bases_serve, 1});
		OK(puppet_waits(&p));
		puppet_begin(&q, PUPPET_CALL,
		        (const uint64_t[6]){(uint64_t)bases_request, (uint64_t)p.child.ep});
		for (int i = 0; i < 100; i++) {
			child_settle(20);
		}
		IS(0, puppet_end(&q));
		IS(0, puppet_end(&p));
		puppet_free(&p);
		puppet_new(&p, 0, "p", 0);
		IS(0, puppet_call(&p, PUPPET_CALL, (uint64_t)bases_read, 0));
	}
	puppet_free(&p);
	puppet_free(&q);
}

/* Registers survive being preempted at any instruction. argument: how long. */
static err_t spin_checked(uint64_t nsec)
{
	nsec_t end = sys_clock_read() + nsec;
	uint64_t n_wrong = 0;

	while (sys_clock_read() < end) {
		uint64_t difference;

		__asm__ volatile("pushq %%rbx; pushq %%rbp; pushq %%r15\n\t"
		                 "movabsq %[rbx], %%rbx; movabsq %[rbp], %%rbp\n\t"
		                 "movabsq %[r15], %%r15; movl $20000, %%ecx\n\t"
		                 "1: decl %%ecx; jnz 1b\n\t"
		                 "movabsq %[rbx], %%rcx; xorq %%rbx, %%rcx\n\t"
		                 "movabsq %[rbp], %%rdx; xorq %%rbp, %%rdx; orq %%rdx, %%rcx\n\t"
		                 "movabsq %[r15], %%rdx; xorq %%r15, %%rdx; orq %%rdx, %%rcx\n\t"
		                 "popq %%r15; popq %%rbp; popq %%rbx"
		        : "=&c"(difference)
		        : [rbx] "i"(PATTERN_RBX), [rbp] "i"(PATTERN_RBP), [r15] "i"(PATTERN_R15)
		        : "rdx", "memory");
		n_wrong += difference != 0;
	}
	return (err_t)n_wrong;
}

static void test_preemption(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)spin_checked, 60000000});
	puppet_begin(&q, PUPPET_CALL, (const uint64_t[6]){(uint64_t)spin_checked, 60000000});
	for (int i = 0; i < 200; i++) {
		child_settle(200);
	}
	IS(0, puppet_end(&p));
	IS(0, puppet_end(&q));
	puppet_free(&p);
	puppet_free(&q);
}

/* Into ds, es and gs; fs is among the thread pointers. */
static err_t selectors_load(uint64_t selector)
{
	__asm__ volatile("movl %0, %%ds\n\tmovl %0, %%es\n\tmovl %0, %%gs"
	        :
	        : "r"((uint32_t)selector));
	return E_OK;
}

static err_t selectors_read(uint64_t argument)
{
	uint32_t ds, es, gs;

	__asm__ volatile("movl %%ds, %0\n\tmovl %%es, %1\n\tmovl %%gs, %2"
	        : "=r"(ds), "=r"(es), "=r"(gs));
	return (err_t)(ds | es << 8 | gs << 16);
}

/* Who may not talk to each other do not do it by these. */
static void test_selectors(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	IS(0, puppet_call(&q, PUPPET_CALL, (uint64_t)selectors_read, 0));
	IS(E_OK, puppet_call(&p, PUPPET_CALL, (uint64_t)selectors_load, SELECTOR_DATA));
	IS(0, puppet_call(&q, PUPPET_CALL, (uint64_t)selectors_read, 0));
	puppet_free(&p);
	puppet_free(&q);
}

/* One of them, or none. */
static void selector_load(unsigned int which)
{
	if (which % 4 == 0) {
		__asm__ volatile("movl %0, %%ds" : : "r"(SELECTOR_DATA));
	} else if (which % 4 == 1) {
		__asm__ volatile("movl %0, %%es" : : "r"(SELECTOR_DATA));
	} else if (which % 4 == 2) {
		__asm__ volatile("movl %0, %%gs" : : "r"(SELECTOR_DATA));
	}
}

static err_t selectors_serve(uint64_t argument)
{
	struct message msg = {0};
	uint64_t n_wrong = 0;

	(void)sys_receive(EP_ANY, &msg);
	for (unsigned int i = 0; i < N_EXCHANGES - 1; i++) {
		n_wrong += selectors_read(0) != 0;
		selector_load(i / 4);
		(void)sys_reply_receive(msg.source, &msg);
	}
	(void)sys_reply(msg.source, &msg);
	return (err_t)n_wrong;
}

/* A base written after its selector is kept when the selector is not. */
static err_t selectors_request(uint64_t server)
{
	struct message msg = {.type = 1};
	bool has_bases = cpu_has_fsgsbase();
	uint64_t n_wrong = 0;

	for (unsigned int i = 0; i < N_EXCHANGES; i++) {
		selector_load(i);
		if (has_bases) {
			bases_write(i);
		}
		n_wrong += sys_sendrec((endpoint_t)server, &msg) != E_OK;
		n_wrong += selectors_read(0) != 0;
		n_wrong += has_bases && bases_are_wrong(i);
	}
	return (err_t)n_wrong;
}

/* Nor do they stay through a message: who gets it might not be the last one. */
static void test_selectors_by_message(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)selectors_serve});
	OK(puppet_waits(&p));
	IS(0, puppet_call(&q, PUPPET_CALL, (uint64_t)selectors_request, (uint64_t)p.child.ep));
	IS(0, puppet_end(&p));
	puppet_free(&p);
	puppet_free(&q);
}

#define RFLAGS_AC (1ul << 18)

static uint64_t flags_read(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
	return flags;
}

/*
 * Set AC, which switches off that the kernel keeps away from users' pages, and enter it by all kinds of
 * traps: for memory, for the FPU, and until the alarm of the driver has come. Result: is it still set?
 */
static err_t flags_trap(uint64_t address)
{
	volatile uint64_t *counter = &puppet_orders[0].counter;

	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(RFLAGS_AC) : "memory", "cc");
	(void)*(volatile uint8_t *)address;
	__asm__ volatile("movq %%rax, %%xmm9" : : : "xmm9");
	while (shared->w[0] == 0) {
		++*counter;
	}
	return flags_read() & RFLAGS_AC ? E_OK : E_CHECK;
}

static void flags_fault(uint64_t argument)
{
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq; ud2" : : "i"(RFLAGS_AC) : "memory");
}

/* The kernel ends the machine when it finds them on. */
static void test_flags(void)
{
	struct slot_event event;
	struct child child;

	shared->w[0] = 0;
	puppet_new(&p, 0, "p", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)flags_trap, DEMAND_VA});
	OK(counter_moves(&puppet_order(&p)->counter));
	OK(counter_moves(&puppet_order(&p)->counter));
	shared->w[0] = 1;
	IS(E_OK, puppet_end(&p));
	puppet_free(&p);
	child_run(&child, "child", flags_fault, 0);
	IS(E_OK, child_event(&child, &event));
	IS(SLOT_EVENT_FAULT, event.kind);
	IS(FAULT_ILLEGAL, event.w[0]);
	child_free(&child);
}

#define HOSTILE_FS (~0ul << 47) /* the lowest address that is the kernel's */
#define HOSTILE_GS KERNEL_VA

/* The kernel is entered by all kinds of traps while both bases are addresses of its own. */
static err_t hostile_trap(uint64_t address)
{
	volatile uint64_t *counter = &puppet_orders[0].counter;

	__asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(HOSTILE_FS), "r"(HOSTILE_GS));
	(void)*(volatile uint8_t *)address;
	__asm__ volatile("movq %%rax, %%xmm9" : : : "xmm9");
	while (shared->w[0] == 0) {
		++*counter;
	}
	(void)sys_null();
	__asm__ volatile("ud2" : : : "memory");
	return fs_base() == HOSTILE_FS && gs_base() == HOSTILE_GS + 8 ? E_OK : E_CHECK;
}

/* The supervisor sees them, and sets one. */
static void hostile_mend(void)
{
	struct slot_registers r;

	IS(FAULT_ILLEGAL, p.event.w[0]);
	IS(E_OK, sys_slot_registers(p.child.ep, &r));
	IS(HOSTILE_FS, r.fsbase);
	IS(HOSTILE_GS, r.gsbase);
	r.gsbase += 8;
	r.rip += 2;
	IS(E_OK, sys_slot_registers_set(p.child.ep, &r));
	IS(E_OK, sys_slot_resume(p.child.ep, 0));
	IS(E_OK, puppet_end(&p));
}

static void test_hostile_bases(void)
{
	if (!cpu_has_fsgsbase()) {
		return;
	}
	shared->w[0] = 0;
	puppet_new(&p, 0, "p", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)hostile_trap, DEMAND_VA});
	OK(counter_moves(&puppet_order(&p)->counter));
	OK(counter_moves(&puppet_order(&p)->counter));
	shared->w[0] = 1;
	IS(PUPPET_ENDED, puppet_end(&p));
	hostile_mend();
	puppet_free(&p);
}

const struct test tests_context[] = {
        {"registers through every call", test_registers},
        {"registers through messages", test_exchanges},
        {"thread pointers of those who load the fs selector", test_thread_pointers},
        {"bases that users write", test_bases},
        {"traps while bases are addresses of the kernel's", test_hostile_bases},
        {"selectors that users load", test_selectors},
        {"selectors that users load before a message", test_selectors_by_message},
        {"flags that users set stay out of the kernel", test_flags},
        {"registers through preemption", test_preemption},
        {0},
};
