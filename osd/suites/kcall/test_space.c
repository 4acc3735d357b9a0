/*
 * Address spaces and mapping batches. Spaces without a slot are used where
 * nobody has to run in them.
 */
#include "osd/suites/kcall/kcall.h"

static struct child child;

static struct space_op op_map(vaddr_t va, paddr_t pa, uint32_t n)
{
	return (struct space_op){.kind = SPACE_MAP,
	        .space = child.space,
	        .va = va,
	        .arg = pa,
	        .n_pages = n,
	        .prot = PROT_R | PROT_W};
}

/*
 * One operation with n table frames of the child's; the counts end up in
 * the child, as in child_map.
 */
static err_t run_one(struct space_op op, uint32_t n_tables, uint64_t *ret_tables)
{
	paddr_t tables[CHILD_TABLES];
	struct space_batch batch = {.ops = &op, .n_ops = 1, .tables = tables, .n_tables = n_tables};
	err_t r;

	for (uint32_t i = 0; i < n_tables; i++) {
		tables[i] = child.chunk + (1 + child.n_tables + i) * PAGE_SIZE;
	}
	*ret_tables = ~0ul;
	r = sys_space_batch(&batch, ret_tables);
	if (r == E_OK) {
		IS(*ret_tables, batch.n_tables_used);
		child.n_tables += (uint32_t)*ret_tables;
	} else {
		IS(0, batch.n_tables_used);
	}
	IS(r == E_OK, batch.n_done);
	return r;
}

static err_t run(struct space_op op)
{
	uint64_t tables;

	return run_one(op, 6, &tables);
}

static void test_create_errors(void)
{
	paddr_t good, other;

	child_space_new(&child);
	good = child_frames(&child, 1);
	other = child_frames(&child, 1);
	IS(E_INVAL, sys_space_create(good + 1, other));
	IS(E_INVAL, sys_space_create(good, other + 1));
	IS(E_INVAL, sys_space_create(good, good));
	IS(E_PERM, sys_space_create(0, other)); /* not user memory */
	IS(E_PERM, sys_space_create(good, 0));
	IS(E_PERM, sys_space_create(1ul << 45, other)); /* no memory */
	IS(E_PERM, sys_space_create(good, 1ul << 45));
	IS(E_PERM, sys_space_create(child.chunk, other)); /* a table already */
	IS(E_PERM, sys_space_create(good, child.chunk));
	IS(E_OK, run(op_map(CHILD_FREE_VA, good, 1))); /* they are what they were */
	IS(E_OK, run(op_map(CHILD_FREE_VA + PAGE_SIZE, other, 1)));
	child_free(&child);
}

/* The first range of an empty space, at a low address: all three levels are counted. */
static void test_tables_low(void)
{
	uint64_t tables;
	paddr_t pa;

	child_space_new(&child);
	pa = child_frames(&child, 1);
	IS(E_TABLES, run_one(op_map(0x200000, pa, 1), 0, &tables));
	IS(3, tables);
	IS(E_OK, run_one(op_map(0x200000, pa, 1), 3, &tables));
	IS(3, tables);
	child_free(&child);
}

/* Tables: none for the second page of a 2 MiB range, three for a far one. */
static void test_tables(void)
{
	uint64_t tables;
	paddr_t pa;

	child_space_new(&child);
	pa = child_frames(&child, 4);
	IS(E_TABLES, run_one(op_map(CHILD_FREE_VA, pa, 1), 0, &tables));
	IS(3, tables);
	IS(E_TABLES, run_one(op_map(CHILD_FREE_VA, pa, 1), 2, &tables));
	IS(3, tables);
	IS(E_OK, run_one(op_map(CHILD_FREE_VA, pa, 1), 5, &tables));
	IS(3, tables);
	IS(E_OK, run_one(op_map(CHILD_FREE_VA + PAGE_SIZE, pa + PAGE_SIZE, 1), 0, &tables));
	IS(0, tables);
	/* Two pages across the end of the 2 MiB range: one table. */
	IS(E_TABLES, run_one(op_map(CHILD_FREE_VA + 511 * PAGE_SIZE, pa + 2 * PAGE_SIZE, 2), 0,
	                     &tables));
	IS(1, tables);
	IS(E_OK, run_one(op_map(CHILD_FREE_VA + 511 * PAGE_SIZE, pa + 2 * PAGE_SIZE, 2), 1,
	                 &tables));
	child_free(&child);
}

static void test_map_errors(void)
{
	struct space_op op;
	paddr_t pa;

	child_space_new(&child);
	pa = child_frames(&child, 2);
	IS(E_INVAL, run(op_map(CHILD_FREE_VA + 1, pa, 1)));
	IS(E_INVAL, run(op_map(CHILD_FREE_VA, pa + 1, 1)));
	IS(E_INVAL, run(op_map(KERNEL_VA, pa, 1)));
	IS(E_INVAL, run(op_map(0x00007ffffffff000ul, pa, 1)));
	IS(E_INVAL, run(op_map(CHILD_FREE_VA, pa, 0)));
	IS(E_INVAL, run(op_map(CHILD_FREE_VA, pa, SPACE_OP_PAGES_MAX + 1)));
	op = op_map(CHILD_FREE_VA, pa, 1);
	op.kind = 99;
	IS(E_INVAL, run(op));
	op = op_map(CHILD_FREE_VA, pa, 1);
	op.space = 9999;
	IS(E_INVAL, run(op));
	op = op_map(CHILD_FREE_VA, pa, 1);
	op.prot = PROT_R | PROT_W | PROT_X;
	IS(E_INVAL, run(op)); /* never writable and executable */
	op.prot = 0x1000;
	IS(E_INVAL, run(op));
	IS(E_PERM, run(op_map(CHILD_FREE_VA, 0, 1)));
	IS(E_PERM, run(op_map(CHILD_FREE_VA, 0xfee00000, 1)));
	IS(E_PERM, run(op_map(CHILD_FREE_VA, 1ul << 45, 1)));
	IS(E_PERM, run(op_map(CHILD_FREE_VA, child.chunk, 1))); /* its own root */
	IS(E_OK, run(op_map(CHILD_FREE_VA, pa, 1)));
	IS(E_BUSY, run(op_map(CHILD_FREE_VA, pa + PAGE_SIZE, 1)));
	IS(E_OK, run(op_map(CHILD_FREE_VA + PAGE_SIZE, pa + PAGE_SIZE, 1)));
	child_free(&child);
}

/* Table frames must be user frames that are not tables or mapped otherwise by mistake of VM. */
static void test_bad_tables(void)
{
	struct space_op op;
	paddr_t bad[3];
	struct space_batch batch = {.ops = &op, .n_ops = 1, .tables = bad, .n_tables = 3};
	uint64_t used;

	child_space_new(&child);
	op = op_map(CHILD_FREE_VA, child_frames(&child, 1), 1);
	bad[0] = bad[1] = bad[2] = 0;
	IS(E_PERM, sys_space_batch(&batch, &used));
	bad[0] = bad[1] = bad[2] = child.chunk;
	IS(E_PERM, sys_space_batch(&batch, &used));
	bad[0] = bad[1] = bad[2] = child.chunk + PAGE_SIZE + 5;
	OK(sys_space_batch(&batch, &used) < 0);
	bad[0] = bad[1] = bad[2] = child.chunk + PAGE_SIZE; /* one frame thrice */
	OK(sys_space_batch(&batch, &used) < 0);
	bad[1] = child.chunk + 2 * PAGE_SIZE;
	bad[2] = 1ul << 45;
	OK(sys_space_batch(&batch, &used) < 0);
	IS(0, batch.n_tables_used);
	child_free(&child);
}

static void test_batch_errors(void)
{
	struct space_op ops[3];
	struct space_batch batch = {.ops = ops, .n_ops = 3};
	struct space_batch bad;
	paddr_t pa;
	uint64_t used;

	child_space_new(&child);
	pa = child_frames(&child, 3);
	IS(E_FAULT, sys_space_batch((struct space_batch *)NOWHERE, &used));
	IS(E_FAULT, sys_space_batch((struct space_batch *)KERNEL_VA, &used));
	bad = (struct space_batch){.ops = (const struct space_op *)NOWHERE, .n_ops = 1};
	IS(E_FAULT, sys_space_batch(&bad, &used));
	bad = (struct space_batch){.ops = (const struct space_op *)~0ul, .n_ops = ~0u};
	IS(E_FAULT, sys_space_batch(&bad, &used));
	ops[0] = op_map(CHILD_FREE_VA, pa, 1);
	bad = (struct space_batch){
	        .ops = ops, .n_ops = 1, .tables = (const paddr_t *)NOWHERE, .n_tables = 9};
	IS(E_FAULT, sys_space_batch(&bad, &used));
	IS(E_OK, run(ops[0]));
	/* The second fails: the first is done, the third not begun. */
	ops[0] = op_map(CHILD_FREE_VA + PAGE_SIZE, pa + PAGE_SIZE, 1);
	ops[1] = op_map(CHILD_FREE_VA, pa, 1);
	ops[2] = op_map(CHILD_FREE_VA + 2 * PAGE_SIZE, pa + 2 * PAGE_SIZE, 1);
	IS(E_BUSY, sys_space_batch(&batch, &used));
	IS(1, batch.n_done);
	IS(E_OK, run(ops[2]));
	IS(E_BUSY, run(ops[0]));
	bad = (struct space_batch){0};
	IS(E_OK, sys_space_batch(&bad, &used));
	child_free(&child);
}

/* A batch that takes away the page it is written in: it is done, but cannot say so. */
static void test_batch_unmaps_itself(void)
{
	struct space_batch *batch = (struct space_batch *)(SHARED_VA + 32 * PAGE_SIZE);
	struct space_op op = {.kind = SPACE_MAP,
	        .space = child_driver_space(),
	        .va = (vaddr_t)batch,
	        .n_pages = 1,
	        .prot = PROT_R | PROT_W};
	struct space_batch first = {.ops = &op, .n_ops = 1};
	uint64_t used;

	child_space_new(&child);
	op.arg = child_frames(&child, 1);
	IS(E_OK, sys_space_batch(&first, &used));
	op.kind = SPACE_UNMAP;
	*batch = (struct space_batch){.ops = &op, .n_ops = 1};
	IS(E_FAULT, sys_space_batch(batch, &used));
	IS(E_FAULT, sys_log_write((const char *)batch, 1));
	child_free(&child);
}

static void test_device_right(void)
{
	struct domain_privileges privileges;
	struct space_op op = {.kind = SPACE_MAP,
	        .va = CHILD_FREE_VA,
	        .arg = 0xfeb00000,
	        .n_pages = 2,
	        .prot = PROT_R | PROT_W | SPACE_OP_DEVICE};

	child_space_new(&child);
	op.space = child.space;
	IS(E_PERM, run(op));
	IS(E_OK, child_slot_new(&child, "device", 0));
	IS(E_PERM, run(op));
	child_privileges(&privileges);
	privileges.n_mmio = 1;
	privileges.mmio[0].base = 0xfeb00000;
	privileges.mmio[0].bytes = PAGE_SIZE;
	IS(E_OK, sys_domain_set(child.space, &privileges));
	IS(E_PERM, run(op)); /* one page more than allowed */
	op.n_pages = 1;
	IS(E_OK, run(op));
	IS(E_OK, run((struct space_op){.kind = SPACE_UNMAP,
	                 .space = child.space,
	                 .va = CHILD_FREE_VA,
	                 .n_pages = 1}));
	/* Memory is never a device. */
	privileges.mmio[0].base = child_frames(&child, 1);
	IS(E_OK, sys_domain_set(child.space, &privileges));
	op.arg = privileges.mmio[0].base;
	IS(E_PERM, run(op));
	child_free(&child);
}

/* What a child reads and writes through its tables. argument: address. */
static err_t load(uint64_t address)
{
	return (err_t) * (volatile uint64_t *)address;
}

static err_t store(uint64_t address)
{
	*(volatile uint64_t *)address = 0x5150;
	return E_OK;
}

static err_t jump(uint64_t address)
{
	((void (*)(void))address)();
	return E_OK;
}

static struct space_op op_on(struct puppet *p, uint32_t kind, uint32_t prot)
{
	return (struct space_op){.kind = kind,
	        .space = p->child.space,
	        .va = CHILD_FREE_VA,
	        .n_pages = 1,
	        .prot = prot};
}

static err_t call_function(struct puppet *p, err_t (*function)(uint64_t), uint64_t argument)
{
	return puppet_call(p, PUPPET_CALL, (uint64_t)function, argument);
}

/* A forbidden access ends the puppet with this event. */
static void expect_fault(struct puppet *p, err_t (*function)(uint64_t))
{
	IS(PUPPET_ENDED, call_function(p, function, CHILD_FREE_VA));
	IS(SLOT_EVENT_FAULT, p->event.kind);
	IS(FAULT_PAGE, p->event.w[0]);
	IS(CHILD_FREE_VA, p->event.w[1]);
}

static void test_map_protect_unmap(void)
{
	struct puppet p;
	struct space_op op;

	puppet_new(&p, 0, "p", 0);
	op = op_on(&p, SPACE_MAP, PROT_R | PROT_W | SPACE_OP_ZERO);
	op.arg = child_frames(&p.child, 1);
	IS(E_OK, child_map(&p.child, op));
	IS(0, call_function(&p, load, CHILD_FREE_VA));
	IS(E_OK, call_function(&p, store, CHILD_FREE_VA));
	IS(0x5150, call_function(&p, load, CHILD_FREE_VA));
	IS(E_OK, child_map(&p.child, op_on(&p, SPACE_PROTECT, PROT_R)));
	IS(0x5150, call_function(&p, load, CHILD_FREE_VA));
	expect_fault(&p, store);
	puppet_free(&p);
}

static void test_unmap(void)
{
	struct puppet p;
	struct space_op op;

	puppet_new(&p, 0, "p", 0);
	op = op_on(&p, SPACE_MAP, PROT_R | PROT_W);
	op.arg = child_frames(&p.child, 1);
	IS(E_OK, child_map(&p.child, op));
	IS(E_OK, call_function(&p, store, CHILD_FREE_VA));
	IS(E_OK, child_map(&p.child, op_on(&p, SPACE_UNMAP, 0)));
	IS(E_OK, child_map(&p.child, op_on(&p, SPACE_UNMAP, 0))); /* absent is passed over */
	expect_fault(&p, load);
	puppet_free(&p);
}

static void test_no_execute(void)
{
	struct puppet p;
	struct space_op op;

	puppet_new(&p, 0, "p", 0);
	op = op_on(&p, SPACE_MAP, PROT_R | PROT_W);
	op.arg = child_frames(&p.child, 1);
	IS(E_OK, child_map(&p.child, op));
	expect_fault(&p, jump);
	puppet_free(&p);
}

static void test_zero_absent(void)
{
	struct puppet p;

	puppet_new(&p, 0, "p", 0);
	IS(E_OK, child_map(&p.child, op_on(&p, SPACE_ZERO_ABSENT, 0)));
	IS(0, call_function(&p, load, CHILD_FREE_VA));
	expect_fault(&p, store);
	puppet_free(&p);
}

static void test_protect_errors(void)
{
	struct space_op op = {.kind = SPACE_PROTECT, .va = CHILD_FREE_VA, .n_pages = 1};

	child_space_new(&child);
	op.space = child.space;
	op.prot = PROT_W | PROT_X;
	IS(E_INVAL, run(op));
	op.prot = PROT_R;
	op.va = KERNEL_VA;
	IS(E_INVAL, run(op));
	op.kind = SPACE_UNMAP;
	IS(E_INVAL, run(op));
	op.kind = SPACE_ZERO_ABSENT;
	IS(E_INVAL, run(op));
	op.kind = SPACE_GATE;
	IS(E_INVAL, run(op));
	op.va = CHILD_FREE_VA;
	op.n_pages = 2;
	IS(E_INVAL, run(op));
	child_free(&child);
}

static struct space_op op_at(struct puppet *p, uint32_t kind, vaddr_t va, uint32_t prot)
{
	struct space_op op = op_on(p, kind, prot);

	op.va = va;
	return op;
}

/* Nobody makes the gate page writable: it is one frame for all. */
static void test_gate_is_protected(void)
{
	struct puppet p;
	struct space_op op;
	vaddr_t gate = bare_start->gate;

	puppet_new(&p, 0, "p", 0);
	IS(E_PERM, child_map(&p.child, op_at(&p, SPACE_PROTECT, gate, PROT_R | PROT_W)));
	IS(E_PERM, child_map(&p.child, op_at(&p, SPACE_PROTECT, gate, PROT_R)));
	IS(E_BUSY, child_map(&p.child, op_at(&p, SPACE_GATE, gate + PAGE_SIZE, 0)));
	/* A user frame before it: the whole operation is refused. */
	op = op_at(&p, SPACE_MAP, gate - PAGE_SIZE, PROT_R);
	op.arg = child_frames(&p.child, 1);
	IS(E_OK, child_map(&p.child, op));
	op = op_at(&p, SPACE_PROTECT, gate - PAGE_SIZE, PROT_R | PROT_W);
	op.n_pages = 2;
	IS(E_PERM, child_map(&p.child, op));
	IS(PUPPET_ENDED, call_function(&p, store, gate - PAGE_SIZE));
	IS(gate - PAGE_SIZE, p.event.w[1]);
	puppet_free(&p);
	puppet_new(&p, 0, "p", 0);
	IS(PUPPET_ENDED, call_function(&p, store, gate));
	IS(FAULT_PAGE, p.event.w[0]);
	IS(gate, p.event.w[1]);
	puppet_free(&p);
}

/* Seen through a mirror it is plain data. */
static void test_gate_in_a_mirror(void)
{
	struct puppet p;
	struct space_op op;

	child_space_new(&child);
	op = (struct space_op){
	        .kind = SPACE_GATE, .space = child.space, .va = CHILD_FREE_VA, .n_pages = 1};
	IS(E_OK, run(op));
	puppet_new(&p, 0, "p", 0);
	op = op_on(&p, SPACE_MIRROR, 0);
	op.arg = child.space;
	op.n_pages = 512;
	IS(E_OK, child_map(&p.child, op));
	OK(call_function(&p, load, CHILD_FREE_VA) != 0);
	IS(E_BUSY, child_map(&p.child, op_on(&p, SPACE_PROTECT, PROT_R | PROT_X)));
	IS(E_BUSY, child_map(&p.child, op_on(&p, SPACE_UNMAP, 0)));
	expect_fault(&p, jump);
	puppet_free(&p);
	child_free(&child);
}

/* A page of the process's own in the place of the gate page is no gate. */
static void test_gate_replaced(void)
{
	static const uint8_t code[] = {0x0f, 0x05, 0xc3}; /* syscall; ret */
	struct puppet p;
	struct space_op op;
	vaddr_t gate = bare_start->gate;

	puppet_new(&p, 0, "p", 0);
	IS(E_OK, child_map(&p.child, op_at(&p, SPACE_UNMAP, gate, 0)));
	op = op_at(&p, SPACE_MAP, gate, PROT_R | PROT_X | SPACE_OP_ZERO);
	op.arg = child_frames(&p.child, 1);
	IS(E_OK, child_map(&p.child, op));
	IS(E_OK, sys_copy(EP_SELF, (vaddr_t)code, p.child.ep, gate, sizeof(code), COPY_FORCE));
	IS(PUPPET_ENDED, puppet_call(&p, KCALL_null, 0));
	IS(SLOT_EVENT_FAULT, p.event.kind);
	IS(FAULT_STRAY_CALL, p.event.w[0]);
	IS(gate, p.event.w[2]);
	puppet_free(&p);
}

static void test_protect_device(void)
{
	struct domain_privileges privileges;
	struct space_op op = {.kind = SPACE_MAP,
	        .va = CHILD_FREE_VA,
	        .arg = 0xfeb00000,
	        .n_pages = 1,
	        .prot = PROT_R | SPACE_OP_DEVICE};

	child_space_new(&child);
	op.space = child.space;
	IS(E_OK, child_slot_new(&child, "device", 0));
	child_privileges(&privileges);
	privileges.n_mmio = 1;
	privileges.mmio[0].base = 0xfeb00000;
	privileges.mmio[0].bytes = PAGE_SIZE;
	IS(E_OK, sys_domain_set(child.space, &privileges));
	IS(E_OK, run(op));
	op.kind = SPACE_PROTECT;
	op.prot = PROT_R | PROT_W;
	IS(E_PERM, run(op));
	child_free(&child);
}

static void test_destroy_errors(void)
{
	paddr_t frames[8];
	err_t again;
	uint64_t n;

	child_space_new(&child);
	IS(E_OK, run(op_map(CHILD_FREE_VA, child_frames(&child, 1), 1)));
	IS(E_INVAL, sys_space_destroy(9999, frames, 8, &n));
	IS(E_INVAL, sys_space_destroy(child.space, frames, 0, &n));
	IS(E_FAULT, sys_space_destroy(child.space, (paddr_t *)NOWHERE, 8, &n));
	IS(E_OK, child_slot_new(&child, "user", 0));
	IS(E_BUSY, sys_space_destroy(child.space, frames, 8, &n));
	IS(E_OK, sys_slot_destroy(child.ep));
	child.ep = EP_NONE;
	IS(E_AGAIN, sys_space_destroy(child.space, frames, 1, &n));
	IS(1, n);
	IS(child.chunk + (2 + CHILD_TABLES) * PAGE_SIZE, frames[0]); /* its domain's */
	IS(E_AGAIN, sys_space_destroy(child.space, frames, 1, &n));
	IS(1, n);
	IS(child.chunk + (3 + CHILD_TABLES) * PAGE_SIZE, frames[0]); /* the FPU's */
	child.n_given = 1;
	for (int i = 0; i < 3; i++) {
		IS(E_AGAIN, sys_space_destroy(child.space, frames, 1, &n));
		IS(1, n);
		OK(frames[0] > child.chunk && frames[0] <= child.chunk + 3 * PAGE_SIZE);
		/* Closing: nothing but its destruction goes on. */
		IS(E_INVAL, run(op_map(CHILD_FREE_VA, child.chunk, 1)));
	}
	child.n_tables = 0; /* the root is left, and the frame of the space itself */
	IS(E_AGAIN, sys_space_destroy(child.space, frames, 1, &n));
	IS(child.chunk, frames[0]);
	IS(E_OK, sys_space_destroy(child.space, frames, 1, &n));
	IS(1, n);
	IS(child.chunk + (1 + CHILD_TABLES) * PAGE_SIZE, frames[0]);
	IS(E_INVAL, sys_space_destroy(child.space, frames, 1, &n));
	again = sys_space_create(child.chunk, frames[0]); /* for child_free */
	OK(again >= 0);
	child.space = (space_t)again;
	child_free(&child);
}

const struct test tests_space[] = {
        {"errors of space_create", test_create_errors},
        {"table frames at a low address", test_tables_low},
        {"table frames of a batch", test_tables},
        {"errors of mapping", test_map_errors},
        {"frames that cannot be tables", test_bad_tables},
        {"errors of space_batch", test_batch_errors},
        {"a batch that unmaps itself", test_batch_unmaps_itself},
        {"mapping of devices", test_device_right},
        {"map, protect", test_map_protect_unmap},
        {"unmap", test_unmap},
        {"data is not executed", test_no_execute},
        {"zero_absent", test_zero_absent},
        {"errors of other operations", test_protect_errors},
        {"the gate page stays as it is", test_gate_is_protected},
        {"the gate page in a mirror", test_gate_in_a_mirror},
        {"another page in the gate page's place", test_gate_replaced},
        {"device registers keep their protection", test_protect_device},
        {"errors of space_destroy", test_destroy_errors},
        {0},
};
