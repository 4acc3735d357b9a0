/*
 * Floating-point and vector registers: everybody keeps its own through preemption, messages and swaps,
 * finds nothing of another's, and has none without memory for them.
 */
#include "osd/suites/kcall/kcall.h"

#define VECTOR_BYTES 32u
#define N_VECTORS 16u
#define N_STACK 8u /* registers of the x87 */

/* What a test puts into all registers, and finds there. */
struct pattern {
	uint8_t vectors[N_VECTORS * VECTOR_BYTES]; /* low halves only where the CPU has no AVX */
	uint64_t stack[N_STACK];                   /* as integers */
	uint32_t mxcsr;
	uint16_t control, pad;
};

static struct puppet p, q;

static bool cpu_has_avx(void)
{
	const uint32_t both = 1u << 27 | 1u << 28; /* the kernel has switched it on */
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (c & both) == both;
}

static void pattern_draw(struct pattern *pattern, uint64_t seed)
{
	bool has_avx = cpu_has_avx();

	*pattern = (struct pattern){0};
	for (uint32_t i = 0; i < sizeof(pattern->vectors); i++) {
		bool is_there = has_avx || i % VECTOR_BYTES < VECTOR_BYTES / 2;

		pattern->vectors[i] = is_there ? (uint8_t)(seed * 31 + i * 7 + 1) : 0;
	}
	for (uint32_t i = 0; i < N_STACK; i++) {
		pattern->stack[i] = seed * 1000 + i + 1;
	}
	pattern->mxcsr = 0x1f80 | (uint32_t)(seed & 3) << 13; /* rounding */
	pattern->control = (uint16_t)(0x037f | (seed & 3) << 10);
}

#define EACH_VECTOR(do)                                                                            \
	do                                                                                         \
	(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do(  \
	        14) do(15)
#define LOAD_SSE(n) "movdqu " #n "*32(%[put]), %%xmm" #n "\n\t"
#define STORE_SSE(n) "movdqu %%xmm" #n ", " #n "*32(%[got])\n\t"
#define LOAD_AVX(n) "vmovdqu " #n "*32(%[put]), %%ymm" #n "\n\t"
#define STORE_AVX(n) "vmovdqu %%ymm" #n ", " #n "*32(%[got])\n\t"
#define CLOBBERS                                                                                   \
	"memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",    \
	        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void stack_load(const struct pattern *put)
{
	__asm__ volatile("fninit\n\tfldcw %[control]\n\tldmxcsr %[mxcsr]\n\t"
	                 "fildq 56(%[s]); fildq 48(%[s]); fildq 40(%[s]); fildq 32(%[s])\n\t"
	                 "fildq 24(%[s]); fildq 16(%[s]); fildq 8(%[s]); fildq 0(%[s])"
	        :
	        : [control] "m"(put->control), [mxcsr] "m"(put->mxcsr), [s] "r"(put->stack)
	        : "memory");
}

static void stack_store(struct pattern *got)
{
	const uint32_t mxcsr = 0x1f80;

	__asm__ volatile("fnstcw %[control]\n\tstmxcsr %[mxcsr]\n\t"
	                 "fistpq 0(%[s]); fistpq 8(%[s]); fistpq 16(%[s]); fistpq 24(%[s])\n\t"
	                 "fistpq 32(%[s]); fistpq 40(%[s]); fistpq 48(%[s]); fistpq 56(%[s])\n\t"
	                 "fninit\n\tldmxcsr %[plain]"
	        : [control] "=m"(got->control), [mxcsr] "=m"(got->mxcsr)
	        : [s] "r"(got->stack), [plain] "m"(mxcsr)
	        : "memory");
}

/* Load all registers, count down from n without looking at them, and see what is in them then. */
static void pattern_keep(const struct pattern *put, struct pattern *got, uint64_t n)
{
	stack_load(put);
	if (cpu_has_avx()) {
		__asm__ volatile(EACH_VECTOR(LOAD_AVX) "1: decq %[n]; jnz 1b\n\t" EACH_VECTOR(
		        STORE_AVX) "vzeroupper"
		        : [n] "+r"(n)
		        : [put] "r"(put->vectors), [got] "r"(got->vectors)
		        : CLOBBERS);
	} else {
		__asm__ volatile(
		        EACH_VECTOR(LOAD_SSE) "1: decq %[n]; jnz 1b\n\t" EACH_VECTOR(STORE_SSE)
		        : [n] "+r"(n)
		        : [put] "r"(put->vectors), [got] "r"(got->vectors)
		        : CLOBBERS);
	}
	stack_store(got);
}

static bool pattern_is(const struct pattern *a, const struct pattern *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
	uint32_t i = 0;

	while (i < sizeof(*a) && x[i] == y[i]) {
		i++;
	}
	return i == sizeof(*a);
}

/* Until the driver writes the seed over the word that both see. Result: how often it was wrong. */
static err_t keep_on(uint64_t seed)
{
	volatile uint64_t *counter = &puppet_orders[seed & 1].counter;
	struct pattern put, got;
	err_t n_wrong = 0;

	for (uint64_t i = 0; shared->w[0] == 0; i++) {
		pattern_draw(&put, seed + 2 * i);
		pattern_draw(&got, 0);
		pattern_keep(&put, &got, 1000 + seed * 977 % 3000);
		n_wrong += !pattern_is(&put, &got);
		*counter = i + 1;
	}
	return n_wrong;
}

#define N_PREEMPTIONS 300u
#define N_ROUNDS 20u

/* Both run by turns, and the driver breaks in at any instruction of theirs. */
static void test_preemption(void)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	shared->w[0] = 0;
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)keep_on, 2});
	puppet_begin(&q, PUPPET_CALL, (const uint64_t[6]){(uint64_t)keep_on, 3});
	for (uint32_t i = 0; sys_clock_read() < end; i++) {
		bool is_enough = puppet_order(&p)->counter > N_ROUNDS &&
		                 puppet_order(&q)->counter > N_ROUNDS;

		if (i > N_PREEMPTIONS && is_enough) {
			break;
		}
		child_settle(1 + sys_random() % 200);
	}
	shared->w[0] = 1;
	IS(0, puppet_end(&p));
	IS(0, puppet_end(&q));
	OK(puppet_order(&p)->counter > N_ROUNDS && puppet_order(&q)->counter > N_ROUNDS);
	puppet_free(&p);
	puppet_free(&q);
}

static err_t word_read(uint64_t argument)
{
	uint64_t a;

	__asm__ volatile("movq %%xmm9, %0" : "=r"(a));
	return (err_t)a;
}

static err_t word_write(uint64_t argument)
{
	__asm__ volatile("movq %0, %%xmm9" : : "r"(argument) : "xmm9");
	return E_OK;
}

static err_t control_read(uint64_t argument)
{
	uint32_t mxcsr;
	uint16_t control;

	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control), "=m"(mxcsr));
	return (err_t)((uint64_t)mxcsr << 16 | control);
}

/* Another process's values are not seen in registers that this one never used. */
static void test_clean(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	IS(E_OK, puppet_call(&p, PUPPET_CALL, (uint64_t)word_write, 0x5ec4e7));
	IS(0, puppet_call(&q, PUPPET_CALL, (uint64_t)word_read, 0));
	IS(0x5ec4e7, puppet_call(&p, PUPPET_CALL, (uint64_t)word_read, 0));
	puppet_free(&p);
	puppet_new(&p, 0, "p", 0); /* in the slot and on the frame just left */
	IS(0, puppet_call(&p, PUPPET_CALL, (uint64_t)word_read, 0));
	IS(0x1f80037f, puppet_call(&p, PUPPET_CALL, (uint64_t)control_read, 0));
	puppet_free(&p);
	puppet_free(&q);
}

/* Low half of the address of the last x87 instruction, as this process sees it. */
static err_t pointer_read(uint64_t argument)
{
	uint32_t environment[7];

	__asm__ volatile("fnstenv %0" : "=m"(environment) : : "memory");
	return (err_t)environment[3];
}

extern const char pointer_place[];

__attribute__((noinline)) static err_t pointer_write(uint64_t argument)
{
	const uint32_t one = 1;

	__asm__ volatile(".globl pointer_place\npointer_place: fildl %0\n\tfstp %%st(0)"
	        :
	        : "m"(one));
	return pointer_read(0);
}

static err_t pointer_serve(uint64_t argument)
{
	struct message msg = {0};
	err_t seen;

	(void)word_write(1);
	(void)sys_receive(EP_ANY, &msg);
	seen = pointer_read(0);
	(void)sys_reply(msg.source, &msg);
	return seen;
}

static err_t pointer_request(uint64_t server)
{
	struct message msg = {.type = 1};
	err_t seen = pointer_write(0);

	return sys_sendrec((endpoint_t)server, &msg) == E_OK ? seen : E_CHECK;
}

/*
 * Nor where another one has computed, on CPUs that leave this in the unit: one that uses it as well,
 * and gets the CPU from the other one, so that it was not cleared in between.
 */
static void test_pointers(void)
{
	const uint32_t place = (uint32_t)(uint64_t)pointer_place;
	uint32_t seen;

	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&q, PUPPET_CALL, (const uint64_t[6]){(uint64_t)pointer_serve});
	OK(puppet_waits(&q));
	seen = (uint32_t)puppet_call(
	        &p, PUPPET_CALL, (uint64_t)pointer_request, (uint64_t)q.child.ep);
	OK(seen == 0 || seen - place < 16);
	seen = (uint32_t)puppet_end(&q);
	OK(seen - place >= 16);
	puppet_free(&p);
	puppet_free(&q);
}

void fpu_mark(void)
{
	static const uint64_t mark[2] = {FPU_MARK, FPU_MARK};

	__asm__ volatile("movdqu %0, %%xmm6; movdqu %0, %%xmm7; movdqu %0, %%xmm8\n\t"
	                 "movdqu %0, %%xmm15; fninit; fildq %0; fildq %0"
	        :
	        : "m"(mark)
	        : "xmm6", "xmm7", "xmm8", "xmm15");
}

#define N_EXCHANGES 50u

static err_t secret_serve(uint64_t secret)
{
	struct message msg = {0};

	(void)word_write(secret);
	(void)sys_receive(EP_ANY, &msg);
	for (uint32_t i = 0; i < N_EXCHANGES; i++) {
		(void)sys_reply_receive(msg.source, &msg);
	}
	(void)sys_reply(msg.source, &msg);
	return word_read(0);
}

/* It uses the FPU for the first time between two messages, in the time that the server gave it. */
static err_t secret_look(uint64_t server)
{
	struct message msg = {.type = 1};

	(void)sys_sendrec((endpoint_t)server, &msg);
	for (uint32_t i = 0; i < N_EXCHANGES; i++) {
		if (i == N_EXCHANGES / 2 && word_read(0) != 0) {
			return E_CHECK;
		}
		(void)sys_sendrec((endpoint_t)server, &msg);
	}
	return word_read(0);
}

static void test_clean_by_message(void)
{
	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&p, PUPPET_CALL, (const uint64_t[6]){(uint64_t)secret_serve, 0x5ec4e7});
	OK(puppet_waits(&p));
	IS(0, puppet_call(&q, PUPPET_CALL, (uint64_t)secret_look, (uint64_t)p.child.ep));
	IS(0x5ec4e7, puppet_end(&p));
	puppet_free(&p);
	puppet_free(&q);
}

/* Registers belong to the instance, not to its slot. */
static void test_swap(void)
{
	endpoint_t ep;

	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	ep = p.child.ep;
	IS(E_OK, puppet_call(&p, PUPPET_CALL, (uint64_t)word_write, 1111));
	IS(E_OK, puppet_call(&q, PUPPET_CALL, (uint64_t)word_write, 2222));
	IS(E_OK, sys_slot_swap(p.child.ep, q.child.ep, 0));
	p.child.ep = q.child.ep;
	q.child.ep = ep;
	IS(1111, puppet_call(&p, PUPPET_CALL, (uint64_t)word_read, 0));
	IS(2222, puppet_call(&q, PUPPET_CALL, (uint64_t)word_read, 0));
	puppet_free(&p);
	puppet_free(&q);
}

static void read_and_exit(uint64_t argument)
{
	sys_exit(word_read(0));
}

/* How a child ends that looks into a register. */
static uint32_t child_look(struct child *child, struct slot_event *ret_event)
{
	child_fill(child);
	child_start(child, read_and_exit, 0);
	IS(E_OK, child_event(child, ret_event));
	return ret_event->kind;
}

static void test_frames(void)
{
	struct slot_event event;
	struct frame_entry list[FRAME_LIST_MIN];
	struct child child;
	uint64_t at;

	child_space_new_plain(&child);
	IS(E_OK, child_slot_new(&child, "plain", 0));
	IS(SLOT_EVENT_FAULT, child_look(&child, &event));
	IS(FAULT_FPU, event.w[0]);
	child_free(&child);

	child_space_new_plain(&child);
	IS(E_OK, child_slot_new(&child, "later", 0));
	IS(E_INVAL, sys_space_fpu(9999, child_frames(&child, 1)));
	IS(E_INVAL, sys_space_fpu(child.space, child_frames(&child, 1) + 8));
	IS(E_PERM, sys_space_fpu(child.space, child.chunk)); /* a table */
	IS(E_PERM, sys_space_fpu(child.space, 1ul << 45));
	child_fpu_give(&child);
	IS(E_BUSY, sys_space_fpu(child.space, child_frames(&child, 1)));
	OK(sys_frame_list(child.space, 0, list, FRAME_LIST_MIN, &at) > 0);
	IS(FRAME_LIST_FPU, list[0].kind);
	/* No longer memory that could be mapped. */
	IS(E_PERM, child_map(&child, (struct space_op){.kind = SPACE_MAP,
	                                     .va = CHILD_FREE_VA,
	                                     .arg = list[0].pa,
	                                     .n_pages = 1,
	                                     .prot = PROT_R | PROT_W}));
	IS(SLOT_EVENT_EXIT, child_look(&child, &event));
	IS(0, event.w[0]);
	child_free(&child);
}

const struct test tests_fpu[] = {
        {"vector registers through preemption", test_preemption},
        {"vector registers start clean", test_clean},
        {"vector registers start clean after a message", test_clean_by_message},
        {"pointers of the x87 start clean", test_pointers},
        {"vector registers move with their instance", test_swap},
        {"memory for vector registers", test_frames},
        {0},
};
