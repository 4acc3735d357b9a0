/*
 * The longest calls that there are: mappings of any size and shape, spaces that end with all of their
 * tables, copies, lines of log, slots that many wait for, a circle of waits. A kernel that measures
 * itself says at the end how long each kept interrupts off; here a process of more urgent priority
 * finds out how late its alarms are meanwhile.
 *
 * Memory stays what it is throughout: a run of frames that one table maps is mapped as often as there
 * are tables.
 */
#include "osd/suites/bench/worst.h"
#include "osd/suites/bare/child.h"

#define N_TABLES 512u /* of pages, in 1 GiB */
#define N_SPARES 40u  /* tables above, and one more than there must be */
#define N_RUN 512u    /* pages that one table maps */
#define N_ZEROED 2048u
#define N_WAITING 40u
#define N_SPARSE 150u
#define N_CPUS_MAX 8u

#define BASE_VA 0x10000000000ul
#define TABLE_BYTES (N_RUN * PAGE_SIZE)
#define GIB (1ul << 30)
#define DEVICE_PA (1ul << 40)
#define RW (PROT_R | PROT_W)

#define LATE_MAX shared->w[1]
#define N_ALARMS shared->w[2]
#define MEET_AT shared->w[3]
#define ALARM_NSEC 20011u

static uint32_t n_used; /* of the tables */
static paddr_t run, tables[N_TABLES + N_SPARES], taken_back[256];
static struct space_op ops[N_RUN > N_TABLES ? N_RUN : N_TABLES];

paddr_t worst_frames(uint32_t n)
{
	struct message msg = {.type = BARE_VM_FRAMES, .w = {n}};

	if (sys_sendrec(EP_VM, &msg) != E_OK || msg.w[0] != E_OK) {
		bare_die("no frames", (err_t)msg.w[0]);
	}
	return msg.w[1];
}

/* Alarms without end, each soon after the last. */
static void alarms_main(uint64_t argument)
{
	struct message msg;

	for (uint64_t i = 0;; i++) {
		nsec_t at = sys_clock_read() + ALARM_NSEC + i % 64 * 97, late;

		(void)sys_alarm_set(at);
		(void)sys_receive(EP_CLOCK, &msg);
		late = sys_clock_read() - at;
		LATE_MAX = late > LATE_MAX ? late : LATE_MAX;
		N_ALARMS++;
	}
}

/* With what is left of the tables. */
static err_t batch_run(uint32_t n_ops)
{
	struct space_batch batch = {.ops = ops,
	        .n_ops = n_ops,
	        .tables = tables + n_used,
	        .n_tables = N_TABLES + N_SPARES - n_used};
	uint64_t used;
	err_t r = sys_space_batch(&batch, &used);

	n_used += batch.n_tables_used;
	return r;
}

static void op_run(struct space_op op)
{
	err_t r;

	ops[0] = op;
	r = batch_run(1);
	if (r != E_OK) {
		bare_print("# operation %u on %u pages", (uint64_t)op.kind, (uint64_t)op.n_pages);
		bare_die("a long operation fails", r);
	}
}

/* On two frames. */
static space_t space_new(paddr_t root)
{
	err_t space = sys_space_create(root, root + PAGE_SIZE);

	if (space < 0) {
		bare_die("space_create", space);
	}
	return (space_t)space;
}

/* Every table and directory of it, 256 a call; of any other one, too. */
static void space_end(space_t space)
{
	uint64_t n;
	err_t r;

	do {
		r = sys_space_destroy(space, taken_back, 256, &n);
	} while (r == E_AGAIN);
	if (r != E_OK) {
		bare_die("space_destroy", r);
	}
	n_used = 0;
}

void worst_list(space_t space)
{
	static struct frame_entry list[FRAME_LIST_MAX];
	uint64_t at = 0;

	while (at != UINT64_MAX && sys_frame_list(space, at, list, FRAME_LIST_MAX, &at) >= 0) {
	}
}

/* 1 GiB of full tables. */
static void space_fill(space_t space)
{
	for (uint32_t i = 0; i < N_TABLES; i++) {
		ops[i] = (struct space_op){.kind = SPACE_MAP,
		        .space = space,
		        .va = BASE_VA + i * TABLE_BYTES,
		        .arg = run,
		        .n_pages = N_RUN,
		        .prot = RW};
	}
	if (batch_run(N_TABLES) != E_OK) {
		bare_die("cannot fill a space", 0);
	}
}

static void worst_full(paddr_t root, paddr_t other_root)
{
	struct space_op all = {.va = BASE_VA, .n_pages = N_TABLES * N_RUN, .prot = PROT_R};
	space_t space = space_new(root), other = space_new(other_root);

	all.space = space;
	space_fill(space);
	worst_list(space);
	all.kind = SPACE_PROTECT;
	op_run(all);
	all.kind = SPACE_MIRROR;
	all.space = other;
	all.arg = space;
	op_run(all);
	worst_list(other);
	space_end(other);
	space_end(space);
	space = space_new(root);
	all.space = space;
	space_fill(space);
	all.kind = SPACE_UNMAP;
	op_run(all);
	space_end(space);
}

/* Every second page is another's, so that each is listed by itself. */
static void worst_scattered(paddr_t root)
{
	space_t space = space_new(root);

	for (uint32_t i = 0; i < N_RUN; i++) {
		ops[i] = (struct space_op){.kind = SPACE_MAP,
		        .space = space,
		        .va = BASE_VA + i * PAGE_SIZE,
		        .arg = run + (i ^ 1) * PAGE_SIZE,
		        .n_pages = 1,
		        .prot = RW};
	}
	if (batch_run(N_RUN) != E_OK) {
		bare_die("cannot scatter pages", 0);
	}
	worst_list(space);
	space_end(space);
}

/* One page in each GiB: directories that are nearly empty. */
static void worst_sparse(paddr_t root)
{
	struct space_op all = {.va = BASE_VA, .n_pages = N_SPARSE << 18, .prot = PROT_R};
	uint64_t n;

	for (uint32_t end = 0; end < 2; end++) {
		space_t space = space_new(root);

		all.space = space;
		for (uint32_t i = 0; i < N_SPARSE; i++) {
			ops[i] = (struct space_op){.kind = SPACE_MAP,
			        .space = space,
			        .va = BASE_VA + (i + 1) * GIB - PAGE_SIZE,
			        .arg = run,
			        .n_pages = 1,
			        .prot = RW};
		}
		if (batch_run(N_SPARSE) != E_OK) {
			bare_die("cannot map pages far from each other", 0);
		}
		worst_list(space);
		all.kind = SPACE_PROTECT;
		op_run(all);
		if (end == 0) {
			all.kind = SPACE_UNMAP;
			op_run(all);
			while (sys_space_trim(space, taken_back, 256, &n) == E_AGAIN) {
			}
		}
		space_end(space);
	}
}

/* A table of zeros at the far end of each GiB: nothing but empty entries takes time in a list. */
static void worst_skipped(paddr_t root)
{
	space_t space = space_new(root);

	for (uint32_t i = 0; i < N_SPARSE; i++) {
		ops[i] = (struct space_op){.kind = SPACE_ZERO_ABSENT,
		        .space = space,
		        .va = BASE_VA + (i + 1) * GIB - TABLE_BYTES,
		        .n_pages = N_RUN};
	}
	if (batch_run(N_SPARSE) != E_OK) {
		bare_die("cannot have zeros far from each other", 0);
	}
	worst_list(space);
	space_end(space);
}

static void worst_zeroes(paddr_t root, paddr_t zeroed)
{
	space_t space = space_new(root);

	op_run((struct space_op){.kind = SPACE_MAP,
	        .space = space,
	        .va = BASE_VA,
	        .arg = zeroed,
	        .n_pages = N_ZEROED,
	        .prot = RW | SPACE_OP_ZERO});
	op_run((struct space_op){.kind = SPACE_ZERO_ABSENT,
	        .space = space,
	        .va = BASE_VA + 2 * GIB + PAGE_SIZE,
	        .n_pages = SPACE_OP_PAGES_MAX});
	worst_list(space);
	/* Memory over tables of zeros, which become tables of the space's own. */
	for (uint32_t i = 0; i < 64; i++) {
		ops[i] = (struct space_op){.kind = SPACE_MAP,
		        .space = space,
		        .va = BASE_VA + 2 * GIB + (i + 1) * TABLE_BYTES,
		        .arg = run,
		        .n_pages = 1,
		        .prot = RW};
	}
	if (batch_run(64) != E_OK) {
		bare_die("cannot map over zeros", 0);
	}
	space_end(space);
}

/* 1 GiB in one operation, of what is no memory: all of its tables are counted and looked at beforehand. */
static void worst_device(void)
{
	struct domain_privileges privileges;
	struct child child;
	uint64_t n;
	err_t r;

	child_space_new(&child);
	child_privileges(&privileges);
	privileges.n_mmio = 1;
	privileges.mmio[0].base = DEVICE_PA;
	privileges.mmio[0].bytes = GIB;
	if (child_slot_new(&child, "device", 0) != E_OK ||
	        sys_domain_set(child.space, &privileges) != E_OK) {
		bare_die("no slot with a device", 0);
	}
	op_run((struct space_op){.kind = SPACE_MAP,
	        .space = child.space,
	        .va = BASE_VA + PAGE_SIZE,
	        .arg = DEVICE_PA,
	        .n_pages = SPACE_OP_PAGES_MAX,
	        .prot = RW | SPACE_OP_DEVICE});
	worst_list(child.space);
	op_run((struct space_op){.kind = SPACE_UNMAP,
	        .space = child.space,
	        .va = BASE_VA + PAGE_SIZE,
	        .n_pages = SPACE_OP_PAGES_MAX});
	do {
		r = sys_space_trim(child.space, taken_back, 256, &n);
	} while (r == E_AGAIN);
	n_used = 0;
	child_free(&child);
}

/* Between the halves of the run, here. */
static void worst_bytes(void)
{
	const uint64_t half = TABLE_BYTES / 2;

	op_run((struct space_op){.kind = SPACE_MAP,
	        .space = child_driver_space(),
	        .va = BASE_VA,
	        .arg = run,
	        .n_pages = N_RUN,
	        .prot = RW});
	if (sys_copy(EP_SELF, BASE_VA + 1, EP_SELF, BASE_VA + half, half - 1, 0) != E_OK ||
	        sys_copy(EP_SELF, BASE_VA, EP_SELF, BASE_VA + 1, half, 0) != E_OK ||
	        sys_log_write((const char *)BASE_VA, 256) != E_OK) {
		bare_die("cannot copy", 0);
	}
}

/* All at the same time, by their alarms; then they wait for who is in `target`. */
static void waiting_main(uint64_t target)
{
	struct message msg;

	(void)sys_alarm_set(MEET_AT);
	(void)sys_receive(EP_CLOCK, &msg);
	msg.type = 1;
	(void)sys_sendrec((endpoint_t)target, &msg);
	sys_exit(0);
}

static void target_main(uint64_t argument)
{
	struct message msg;

	(void)sys_receive(EP_SELF, &msg);
}

void worst_waiting(void)
{
	static struct child waiting[N_WAITING];
	struct child target;
	struct slot_event event;

	MEET_AT = sys_clock_read() + 100000000;
	child_run(&target, "target", target_main, 0);
	for (uint32_t i = 0; i < N_WAITING; i++) {
		child_run(&waiting[i], "waiting", waiting_main, (uint64_t)target.ep);
	}
	(void)sys_alarm_set(MEET_AT + 50000000);
	(void)sys_receive(EP_CLOCK, &(struct message){0});
	child_free(&target);
	for (uint32_t i = 0; i < N_WAITING; i++) {
		if (child_event(&waiting[i], &event) != E_OK) {
			bare_die("one that waited does not go on", 0);
		}
		child_free(&waiting[i]);
	}
}

/*
 * Who receives from itself waits for somebody who waits: whoever sends to it looks for its own place in
 * that circle, and has none.
 */
static void circle_main(uint64_t self)
{
	struct message msg;

	(void)sys_receive((endpoint_t)self, &msg);
}

static void sender_main(uint64_t target)
{
	struct message msg = {.type = 1};

	(void)sys_send((endpoint_t)target, &msg);
}

static void worst_circle(void)
{
	struct child circle, sender;
	struct slot_info info = {0};

	child_space_new(&circle);
	if (child_slot_new(&circle, "circle", 0) < 0) {
		bare_die("slot_create", 0);
	}
	child_fill(&circle);
	child_start(&circle, circle_main, (uint64_t)circle.ep);
	child_run(&sender, "sender", sender_main, (uint64_t)circle.ep);
	for (uint32_t i = 0; i < 1000 && info.state != SLOT_SENDING; i++) {
		child_settle(1000);
		(void)sys_slot_info(sender.ep, &info);
	}
	if (info.state != SLOT_SENDING) {
		bare_die("nobody sends to who waits for itself", info.state);
	}
	child_free(&sender);
	child_free(&circle);
}

/* Be there, in a space that changes. Each turn lets the other CPUs of an emulated machine run. */
static void spin_main(uint64_t argument)
{
	for (;;) {
		__asm__ volatile("pause");
	}
}

/* Come into the kernel again and again. */
static void call_main(uint64_t argument)
{
	for (;;) {
		(void)sys_null();
		__asm__ volatile("pause");
	}
}

static void beside_run(struct child *child, void (*function)(uint64_t))
{
	child_space_new(child);
	if (child_slot_new(child, "beside", 0) < 0) {
		bare_die("slot_create", 0);
	}
	child_fill(child);
	child_start(child, function, 0);
}

/* One operation a page. */
static void pages_change(space_t space, uint32_t kind, uint32_t prot)
{
	for (uint32_t i = 0; i < N_RUN; i++) {
		ops[i] = (struct space_op){.kind = kind,
		        .space = space,
		        .va = BASE_VA + i * PAGE_SIZE,
		        .arg = run + i * PAGE_SIZE,
		        .n_pages = 1,
		        .prot = prot};
	}
	if (batch_run(N_RUN) != E_OK) {
		bare_die("cannot change pages one by one", kind);
	}
}

/* Of a space that another CPU uses, which has to forget each. */
static void worst_elsewhere(void)
{
	struct child user;

	beside_run(&user, spin_main);
	for (uint32_t i = 0; i < 4; i++) {
		pages_change(user.space, SPACE_MAP, RW);
		pages_change(user.space, SPACE_PROTECT, PROT_R);
		pages_change(user.space, SPACE_UNMAP, 0);
	}
	child_free(&user);
}

/* Others, who are in the kernel half of their time. */
static void callers_run(struct child *callers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		beside_run(&callers[i], call_main);
	}
}

static void alarms_run(struct child *child)
{
	child_space_new(child);
	if (child_slot_new_at(child, "alarms", 0, 0) < 0) {
		bare_die("slot_create", 0);
	}
	child_fill(child);
	child_start(child, alarms_main, 0);
}

void worst_measure(void)
{
	paddr_t roots = worst_frames(4), zeroed = worst_frames(N_ZEROED);
	paddr_t pool = worst_frames(N_TABLES + N_SPARES);
	struct child alarms, callers[N_CPUS_MAX];
	struct kernel_stats stats = {.n_cpus = 1};

	(void)sys_kernel_stats(&stats);
	run = worst_frames(N_RUN);
	for (uint32_t i = 0; i < N_TABLES + N_SPARES; i++) {
		tables[i] = pool + i * PAGE_SIZE;
	}
	alarms_run(&alarms);
	worst_full(roots, roots + 2 * PAGE_SIZE);
	worst_scattered(roots);
	worst_sparse(roots);
	worst_skipped(roots);
	worst_zeroes(roots, zeroed);
	worst_device();
	callers_run(callers, stats.n_cpus - 1);
	worst_bytes();
	worst_elsewhere();
	for (uint32_t i = 0; i < stats.n_cpus - 1; i++) {
		child_free(&callers[i]);
	}
	worst_waiting();
	worst_circle();
	if (stats.n_cpus == 1) {
		worst_many(); /* emulated CPUs would take minutes */
	}
	worst_crowds();
	child_free(&alarms);
	bare_print("bench alarm.late.max %u %u", LATE_MAX, N_ALARMS);
}
