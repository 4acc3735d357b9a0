/*
 * What the kernel does with thousands of threads in a space: they are made and ended while all
 * others live, a space ends with all of their memory, one ends that others wait for, who are looked for among
 * all, and their alarms are due at one time.
 */
#include "osd/suites/bench/worst.h"
#include "osd/suites/bare/child.h"

#define N_MANY 6400u
#define PRIORITY 7u /* less urgent than all others */
#define STACK_BYTES 512u
#define STACKS_VA CHILD_FREE_VA
#define N_STACK_PAGES (N_MANY * STACK_BYTES / PAGE_SIZE)
#define N_TABLE 512u /* pages of a table */
#define RECEIVES 64u /* of so many one */

#define FIRE_AT shared->w[4]
#define N_SET shared->w[5]
#define N_FIRED shared->w[6]

/*
 * They run one at a time, on one CPU, and may be preempted. Few receive their alarm, the last one among them:
 * who never receives is ended faster. The others wait for somebody who has not begun.
 */
static void many_main(uint64_t nobody)
{
	struct message msg = {.type = 1};

	(void)sys_alarm_set(FIRE_AT);
	if (__atomic_add_fetch(&N_SET, 1, __ATOMIC_SEQ_CST) % RECEIVES != 0) {
		(void)sys_send((endpoint_t)nobody, &msg);
	}
	(void)sys_receive(EP_CLOCK, &msg);
	__atomic_add_fetch(&N_FIRED, 1, __ATOMIC_SEQ_CST);
	(void)sys_receive(EP_HARDWARE, &msg);
}

/* Not of the child's chunk, which is too small. */
static void many_stacks_map(struct child *many)
{
	paddr_t pa = worst_frames(N_STACK_PAGES);

	for (uint32_t i = 0; i < N_STACK_PAGES; i += N_TABLE) {
		struct space_op op = {.kind = SPACE_MAP,
		        .va = STACKS_VA + i * PAGE_SIZE,
		        .arg = pa + i * PAGE_SIZE,
		        .n_pages = N_STACK_PAGES - i < N_TABLE ? N_STACK_PAGES - i : N_TABLE,
		        .prot = PROT_R | PROT_W};
		err_t r = child_map(many, op);

		if (r != E_OK) {
			bare_die("no stacks for many threads", r);
		}
	}
}

/* Programs have one number after the other, which is its first use. Return the first one's endpoint. */
static endpoint_t many_begin(const struct child *many)
{
	struct slot_params params = {
	        .name = "many", .space = many->space, .flags = SLOT_PROGRAM, .priority = PRIORITY};
	paddr_t more = worst_frames(N_MANY);
	endpoint_t first = EP_NONE, thread;

	for (uint32_t i = 0; i < N_MANY; i++) {
		err_t r = sys_space_thread(many->space, more + i * PAGE_SIZE);

		thread = (endpoint_t)(r == E_OK ? sys_slot_create(&params) : r);
		first = i == 0 ? thread : first;
		if (thread < 0 || thread != first + (endpoint_t)i ||
		        sys_slot_start(thread, (vaddr_t)many_main,
		                STACKS_VA + (i + 1) * STACK_BYTES - 8,
		                (uint64_t)many->ep) != E_OK) {
			bare_die("no thread", thread);
		}
	}
	return first;
}

static void many_wait(volatile uint64_t *count, uint64_t n)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	while (*count != n && sys_clock_read() < end) {
		child_settle(2000);
	}
	if (*count != n) {
		bare_die("not all threads go on", (int64_t)*count);
	}
}

/* All at once, and they were set before. */
static void many_alarms(void)
{
	FIRE_AT = sys_clock_read() + 1000000000;
	many_wait(&N_SET, N_MANY);
	if (sys_clock_read() >= FIRE_AT || N_FIRED != 0) {
		bare_die("not all alarms were set in time", (int64_t)N_FIRED);
	}
	many_wait(&N_FIRED, N_MANY / RECEIVES);
}

void worst_many(void)
{
	paddr_t back[256];
	struct child many;
	endpoint_t first;
	uint64_t n;

	child_new(&many, "many");
	many_stacks_map(&many);
	first = many_begin(&many);
	many_alarms();
	worst_list(many.space);
	worst_list(FRAME_LIST_SPACES);
	worst_waiting();
	for (uint32_t i = 0; i < N_MANY; i++) {
		if (sys_slot_destroy(first + (endpoint_t)i) != E_OK) {
			bare_die("slot_destroy", i);
		}
	}
	while (sys_space_trim(many.space, back, 256, &n) == E_AGAIN) {
	}
	child_free(&many);
}
