/*
 * Several threads in a space: memory for them, what they share and what each has of its own, how they
 * end, alone and with the space. And as many threads and spaces as there can be.
 */
#include "osd/suites/kcall/kcall.h"

#define STACK_END (CHILD_FREE_VA + 2 * PAGE_SIZE)
#define GATE_VA (CHILD_FREE_VA + 64 * PAGE_SIZE)
#define N_ROUNDS 20u
#define N_MANY N_SLOTS /* frames */

static struct child child;

static err_t thread_new(uint32_t flags)
{
	struct slot_params params = {.name = "thread", .flags = flags, .priority = CHILD_PRIORITY};

	params.space = child.space;
	return sys_slot_create(&params);
}

/* The child, which has not begun, and one more thread in its space. */
static endpoint_t pair_new(void)
{
	err_t r;

	child_new(&child, "first");
	child_thread_give(&child);
	r = thread_new(0);
	OK(r > 0);
	return (endpoint_t)r;
}

static struct space_op op_map(vaddr_t va, paddr_t pa, uint32_t n)
{
	return (struct space_op){
	        .kind = SPACE_MAP, .va = va, .arg = pa, .n_pages = n, .prot = PROT_R | PROT_W};
}

static struct frame_entry object_entry(void)
{
	struct frame_entry list[FRAME_LIST_MIN];
	uint64_t at;
	err_t n = sys_frame_list(child.space, 0, list, FRAME_LIST_MIN, &at);

	for (err_t i = 0; i < n; i++) {
		if (list[i].kind == FRAME_LIST_OBJECT) {
			return list[i];
		}
	}
	return (struct frame_entry){0};
}

static void test_give_errors(void)
{
	paddr_t frame;

	child_space_new(&child);
	frame = child_frames(&child, 1);
	IS(E_INVAL, sys_space_thread(N_SPACES, frame));
	IS(E_INVAL, sys_space_thread(UINT32_MAX, frame));
	IS(E_INVAL, sys_space_thread(child.space, frame + 8));
	IS(E_PERM, sys_space_thread(child.space, child.chunk)); /* a table */
	IS(E_PERM, sys_space_thread(child.space, object_entry().pa));
	IS(E_PERM, sys_space_thread(child.space, 1ul << 45));
	IS(1, object_entry().n);
	IS(E_OK, sys_space_thread(child.space, frame));
	child.n_given++;
	IS(2, object_entry().n);
	IS(E_PERM, sys_space_thread(child.space, frame)); /* no longer memory that could be given */
	IS(E_PERM, child_map(&child, op_map(CHILD_FREE_VA, frame, 1)));
	IS(E_PERM, child_map(&child, op_map(CHILD_FREE_VA, object_entry().pa, 1)));
	child_free(&child);
}

static void test_create_errors(void)
{
	struct slot_params *params = (struct slot_params *)SHARED_SCRATCH;
	struct domain_privileges privileges = {.ipc_classes = ~0ul};
	struct puppet manager;
	endpoint_t second;

	child_space_new(&child);
	IS(E_OK, child_slot_new(&child, "first", SLOT_UNCOMMITTED));
	IS(E_BUSY, thread_new(0)); /* there is no memory for it */
	child_thread_give(&child);
	IS(E_BUSY, thread_new(0)); /* the first has not committed */
	IS(E_OK, sys_slot_destroy(child.ep));
	IS(E_OK, child_slot_new(&child, "first", 0));
	IS(E_BUSY, thread_new(SLOT_UNCOMMITTED));
	/* Who may make processes makes no thread in one that is not its own. */
	puppet_new(&manager, 0, "manager", 0);
	privileges_call(&privileges, KCALL_slot_create);
	puppet_allow(&manager, &privileges);
	*params = (struct slot_params){
	        .name = "made", .space = child.space, .flags = SLOT_PROGRAM, .priority = 7};
	IS(E_PERM, puppet_call(&manager, KCALL_slot_create, (uint64_t)params));
	puppet_free(&manager);
	second = (endpoint_t)thread_new(0);
	OK(second > 0);
	IS(E_BUSY, thread_new(0));
	IS(E_OK, sys_slot_destroy(second));
	child_free(&child);
}

/* What the threads of a space see of each other. */
struct meeting {
	uint64_t word, rounds, bad;
};

static uint64_t own_word(void)
{
	uint64_t word;

	__asm__ volatile("movq %%fs:0, %0" : "=r"(word));
	return word;
}

static void fpu_set(uint64_t mark)
{
	__asm__ volatile("movq %0, %%xmm7" : : "r"(mark));
}

static uint64_t fpu_get(void)
{
	uint64_t mark;

	__asm__ volatile("movq %%xmm7, %0" : "=r"(mark));
	return mark;
}

/* Add to the word that the message names, and find one's own registers as they were. */
static void answer_main(uint64_t argument)
{
	uint64_t mine = 0xa5a5, n_bad = 0;
	struct message msg;

	n_bad += sys_thread_pointer_set((vaddr_t)&mine) != E_OK;
	fpu_set(mine);
	for (uint32_t i = 0; i < argument; i++) {
		n_bad += sys_receive(EP_ANY, &msg) != E_OK;
		n_bad += own_word() != mine || fpu_get() != mine;
		++*(volatile uint64_t *)msg.w[0];
		n_bad += sys_reply(msg.source, &msg) != E_OK;
	}
	sys_exit((int64_t)n_bad);
}

static void ask_main(uint64_t other)
{
	volatile uint64_t shared_word = 0;
	uint64_t mine = 0x5a5a, n_bad = 0;
	struct message msg;

	n_bad += sys_thread_pointer_set((vaddr_t)&mine) != E_OK;
	fpu_set(mine);
	for (uint32_t i = 0; i < N_ROUNDS; i++) {
		msg = (struct message){.type = 1, .w = {(uint64_t)&shared_word}};
		n_bad += sys_sendrec((endpoint_t)other, &msg) != E_OK;
		n_bad += own_word() != mine || fpu_get() != mine || shared_word != i + 1;
	}
	sys_exit((int64_t)n_bad);
}

static void test_together(void)
{
	endpoint_t second = pair_new();
	struct child other = child;
	struct slot_event event;

	IS(E_OK, child_map(&child, op_map(CHILD_FREE_VA, child_frames(&child, 2), 2)));
	IS(child.space, info_of(second).space);
	child_start(&child, answer_main, N_ROUNDS);
	child_thread_start(second, STACK_END, ask_main, (uint64_t)child.ep);
	other.ep = second;
	for (uint32_t i = 0; i < 2; i++) {
		IS(E_OK, child_event(i == 0 ? &child : &other, &event));
		IS(SLOT_EVENT_EXIT, event.kind);
		IS(0, event.w[0]);
	}
	IS(E_OK, sys_slot_destroy(second));
	child_free(&child);
}

/* The further thread ends, the first goes on, and the memory is the next one's or is given back. */
static void test_end(void)
{
	endpoint_t second = pair_new(), third;
	struct message msg = {.type = 5};
	paddr_t frames[2];
	uint64_t n;

	IS(E_FULL, sys_asend(second, &msg));
	IS(E_OK, sys_asend(child.ep, &msg));
	IS(E_OK, sys_space_trim(child.space, frames, 2, &n));
	IS(0, n);
	IS(E_OK, sys_slot_destroy(second));
	third = (endpoint_t)thread_new(0);
	OK(third > 0 && third != second);
	IS(E_DEAD, sys_slot_stop(second));
	IS(E_OK, sys_slot_destroy(child.ep)); /* now the first ends, and this one goes on */
	IS(SLOT_NEW, info_state(third));
	IS(E_BUSY, sys_space_destroy(child.space, frames, 2, &n));
	IS(E_OK, sys_slot_destroy(third));
	IS(E_OK, sys_space_trim(child.space, frames, 1, &n));
	IS(1, n);
	child.n_given--;
	IS(1, object_entry().n);
	child.ep = (endpoint_t)thread_new(0);
	OK(child.ep > 0);
	IS(E_BUSY, thread_new(0));
	child_free(&child);
}

/* The gate page is everybody's in a space: it comes before the second, and goes after it. */
static void test_gate(void)
{
	struct space_op gate = {.kind = SPACE_GATE, .va = GATE_VA, .n_pages = 1},
	                none = {.kind = SPACE_UNMAP, .va = GATE_VA, .n_pages = 1};
	endpoint_t second;

	child_space_new(&child);
	IS(E_OK, child_slot_new(&child, "first", 0));
	child_thread_give(&child);
	second = (endpoint_t)thread_new(0);
	IS(E_BUSY, child_map(&child, gate));
	IS(E_OK, sys_slot_destroy(second));
	IS(E_OK, child_map(&child, gate));
	second = (endpoint_t)thread_new(0);
	IS(E_BUSY, child_map(&child, none));
	IS(E_OK, sys_slot_destroy(second));
	IS(E_OK, child_map(&child, none));
	child_free(&child);
}

/* What runs in a space with others is not exchanged, nor is who has no queue with one who has. */
static void test_swap(void)
{
	endpoint_t second = pair_new();
	struct child other;

	child_new(&other, "other");
	IS(E_STATE, sys_slot_swap(child.ep, other.ep, 0));
	IS(E_STATE, sys_slot_swap(other.ep, second, 0));
	IS(E_STATE, sys_slot_swap(child.ep, second, 0));
	IS(E_OK, sys_slot_destroy(child.ep));
	IS(E_STATE, sys_slot_swap(other.ep, second, 0));
	child.ep = (endpoint_t)thread_new(0);
	IS(E_OK, sys_slot_destroy(second));
	IS(E_OK, sys_slot_swap(other.ep, child.ep, 0));
	IS(E_OK, sys_slot_swap(other.ep, child.ep, 0));
	child_free(&other);
	child_free(&child);
}

/* Write into the page, and tell, in turn. */
static void write_main(uint64_t at)
{
	for (;;) {
		(*(volatile uint64_t *)STACK_END)++;
		(*(volatile uint64_t *)at)++;
	}
}

/* Both write into a page of their space, on two CPUs where there are two, until it is taken away from both. */
static void test_page(void)
{
	const struct space_op none = {.kind = SPACE_UNMAP, .va = STACK_END, .n_pages = 1};
	volatile uint64_t *counter = (volatile uint64_t *)SHARED_SCRATCH;
	endpoint_t second = pair_new();
	struct child other = child;
	struct slot_event event;
	uint64_t last;

	counter[0] = counter[8] = 0;
	IS(E_OK, child_map(&child, op_map(CHILD_FREE_VA, child_frames(&child, 3), 3)));
	child_start(&child, write_main, (uint64_t)&counter[0]);
	child_thread_start(second, STACK_END, write_main, (uint64_t)&counter[8]);
	OK(counter_moves(&counter[0]));
	OK(counter_moves(&counter[8]));
	IS(E_OK, child_map(&child, none));
	other.ep = second;
	for (uint32_t i = 0; i < 2; i++) {
		IS(E_OK, child_event(i == 0 ? &child : &other, &event));
		IS(SLOT_EVENT_FAULT, event.kind);
		IS(STACK_END, event.w[1]);
		last = counter[8 * i];
		child_settle(1000);
		IS(last, counter[8 * i]);
	}
	IS(E_OK, sys_slot_destroy(second));
	child_free(&child);
}

/* Not data of this program, which each child has a copy of. */
#define many_ep ((endpoint_t *)(DEMAND_END - (1ul << 20)))
#define many_space ((space_t *)(DEMAND_END - (1ul << 19)))

/* A run of n frames, which the bare VM does not have back: it is used again. */
static paddr_t many_frames(void)
{
	static paddr_t frames;
	struct message msg = {.type = BARE_VM_FRAMES, .w = {N_MANY}};

	if (frames == 0) {
		IS(E_OK, sys_sendrec(EP_VM, &msg));
		IS(E_OK, msg.w[0]);
		frames = msg.w[1];
	}
	return frames;
}

/* A service in each of their slots, then programs. */
static endpoint_t many_slot(space_t space)
{
	struct slot_params params = {.name = "many", .space = space, .priority = 7};
	err_t r = sys_slot_create(&params);

	if (r == E_FULL) {
		params.flags = SLOT_PROGRAM;
		r = sys_slot_create(&params);
	}
	OK(r > 0);
	return (endpoint_t)r;
}

static bool frames_are(const paddr_t *frames, uint64_t n, paddr_t base)
{
	for (uint64_t i = 0; i < n; i++) {
		if (frames[i] - base >= N_MANY * PAGE_SIZE) {
			return false;
		}
	}
	return true;
}

static void many_compare(const struct kernel_stats *before)
{
	struct kernel_stats after;

	IS(E_OK, sys_kernel_stats(&after));
	IS(before->n_slots_free, after.n_slots_free);
	IS(before->n_spaces_free, after.n_spaces_free);
	IS(before->kernel_bytes, after.kernel_bytes);
}

/* As many spaces as there are numbers, each with somebody in it: services in all of their slots, programs. */
static void test_many_spaces(void)
{
	paddr_t base = many_frames(), frames[2];
	struct kernel_stats before, full;
	uint32_t n;
	uint64_t got;

	IS(E_OK, sys_kernel_stats(&before));
	n = before.n_spaces_free;
	for (uint32_t i = 0; i < n; i++) {
		err_t space =
		        sys_space_create(base + 2 * i * PAGE_SIZE, base + (2 * i + 1) * PAGE_SIZE);

		OK(space >= 0);
		many_space[i] = (space_t)space;
		many_ep[i] = many_slot(many_space[i]);
	}
	OK(EP_SLOT(many_ep[n - 1]) >= N_SERVICE_SLOTS);
	IS(E_OK, sys_kernel_stats(&full));
	IS(0, full.n_spaces_free);
	IS(E_FULL, sys_space_create(base + 2 * n * PAGE_SIZE, base + (2 * n + 1) * PAGE_SIZE));
	IS(n, before.n_slots_free - full.n_slots_free);
	for (uint32_t i = 0; i < n; i++) {
		IS(E_OK, sys_slot_destroy(many_ep[i]));
		IS(E_OK, sys_space_destroy(many_space[i], frames, 2, &got));
		OK(got == 2 && frames_are(frames, 2, base));
	}
	many_compare(&before);
}

/* As many threads as there are slots, in one space, each in a frame of its own but the first. */
static void test_many_threads(void)
{
	paddr_t base = many_frames(), frames[256];
	struct kernel_stats before, full;
	struct slot_params params = {.name = "many", .flags = SLOT_PROGRAM};
	uint32_t n;
	uint64_t got, n_got = 0;
	err_t space, r;

	IS(E_OK, sys_kernel_stats(&before));
	n = before.n_slots_free;
	space = sys_space_create(base, base + PAGE_SIZE);
	OK(space >= 0);
	for (uint32_t i = 1; i < n; i++) {
		IS(E_OK, sys_space_thread((space_t)space, base + (i + 1) * PAGE_SIZE));
	}
	for (uint32_t i = 0; i < n; i++) {
		many_ep[i] = many_slot((space_t)space);
	}
	IS(E_OK, sys_kernel_stats(&full));
	IS(0, full.n_slots_free);
	params.space = (space_t)space;
	IS(E_FULL, sys_slot_create(&params));
	for (uint32_t i = 0; i < n; i++) {
		IS(E_OK, sys_slot_destroy(many_ep[i]));
	}
	do {
		r = sys_space_destroy((space_t)space, frames, 256, &got);
		n_got += got;
		OK(frames_are(frames, got, base));
	} while (r == E_AGAIN);
	IS(E_OK, r);
	IS(n + 1, n_got);
	many_compare(&before);
}

const struct test tests_thread[] = {
        {"errors of space_thread", test_give_errors},
        {"errors of slot_create in a space with others", test_create_errors},
        {"threads share memory and nothing else", test_together},
        {"the end of a thread", test_end},
        {"the gate page of several threads", test_gate},
        {"no swap where there are several threads", test_swap},
        {"a page is taken away from several threads", test_page},
        {"as many spaces as there can be", test_many_spaces},
        {"as many threads as there can be", test_many_threads},
        {NULL, NULL},
};
