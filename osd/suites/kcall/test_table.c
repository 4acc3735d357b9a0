/*
 * Page tables as a space keeps them: ranges that are longer than a table, tables that become empty,
 * and whose frames they are made of.
 */
#include "osd/suites/kcall/kcall.h"

#define TABLE_PAGES 512u
#define TABLE_BYTES (TABLE_PAGES * PAGE_SIZE)

static struct child child;

static struct space_op op_of(uint32_t kind, vaddr_t va, uint64_t n_pages)
{
	return (struct space_op){.kind = kind,
	        .space = child.space,
	        .va = va,
	        .n_pages = (uint32_t)n_pages,
	        .prot = PROT_R};
}

/* Run one operation with n frames for tables, from the child's nth on; what was used goes to *ret_used. */
static err_t run(struct space_op op, uint32_t first, uint32_t n, struct space_batch *ret_batch)
{
	paddr_t tables[CHILD_TABLES];
	struct space_batch batch = {.ops = &op, .n_ops = 1, .tables = tables, .n_tables = n};
	uint64_t used;
	err_t r;

	for (uint32_t i = 0; i < n; i++) {
		tables[i] = child.chunk + (1 + first + i) * PAGE_SIZE;
	}
	r = sys_space_batch(&batch, &used);
	*ret_batch = batch;
	return r;
}

static void map_at(vaddr_t va, paddr_t pa)
{
	struct space_op op = op_of(SPACE_MAP, va, 1);

	op.arg = pa;
	IS(E_OK, child_map(&child, op));
}

static void test_trim(void)
{
	paddr_t pa, frames[CHILD_TABLES];
	struct space_batch batch;
	uint64_t n;

	child_space_new(&child);
	pa = child_frames(&child, 1);
	map_at(CHILD_FREE_VA, pa);
	map_at(CHILD_FREE_VA + TABLE_BYTES, pa);
	IS(4, child.n_tables);
	IS(E_OK, sys_space_trim(child.space, frames, CHILD_TABLES, &n));
	IS(0, n);
	/* The second table is empty, the directory above it is not. */
	IS(E_OK, run(op_of(SPACE_UNMAP, CHILD_FREE_VA + TABLE_BYTES, 1), 0, 0, &batch));
	IS(1, batch.n_spare);
	/* The next table is made of it. */
	IS(E_OK, run(op_of(SPACE_ZERO_ABSENT, CHILD_FREE_VA + TABLE_BYTES, 1), 0, 0, &batch));
	IS(0, batch.n_spare);
	IS(E_OK, run(op_of(SPACE_UNMAP, CHILD_FREE_VA, 2 * TABLE_PAGES), 0, 0, &batch));
	IS(4, batch.n_spare);
	IS(E_INVAL, sys_space_trim(9999, frames, 8, &n));
	IS(E_INVAL, sys_space_trim(child.space, frames, 0, &n));
	IS(E_FAULT, sys_space_trim(child.space, (paddr_t *)NOWHERE, 8, &n));
	IS(E_AGAIN, sys_space_trim(child.space, frames, 3, &n));
	IS(3, n);
	IS(E_OK, sys_space_trim(child.space, frames + 3, 8, &n));
	IS(1, n);
	for (uint32_t i = 0; i < 4; i++) {
		OK(frames[i] > child.chunk && frames[i] <= child.chunk + 4 * PAGE_SIZE);
	}
	/* They are user memory again: any can be mapped. */
	map_at(CHILD_FREE_VA, frames[3]);
	child.n_tables -= 4;
	child_free(&child);
}

/* A spare goes with its space. */
static void test_spare_destroyed(void)
{
	child_space_new(&child);
	map_at(CHILD_FREE_VA, child_frames(&child, 1));
	IS(E_OK, child_map(&child, op_of(SPACE_UNMAP, CHILD_FREE_VA, 1)));
	child_free(&child);
}

/* 1 TiB of nothing, and 1 TiB with one page at its end. */
static void test_nothing(void)
{
	const vaddr_t low = 1ul << 40, last = low + (SPACE_OP_NOTHING_MAX - 1ul) * PAGE_SIZE;
	struct space_batch batch;
	nsec_t start;

	child_space_new(&child);
	start = sys_clock_read();
	IS(E_OK, run(op_of(SPACE_UNMAP, low, SPACE_OP_NOTHING_MAX), 0, 0, &batch));
	IS(E_OK, run(op_of(SPACE_PROTECT, low, SPACE_OP_NOTHING_MAX), 0, 0, &batch));
	IS(E_OK, run(op_of(SPACE_UNMIRROR, low, SPACE_OP_NOTHING_MAX), 0, 0, &batch));
	OK(sys_clock_read() - start < 1000000000);
	IS(E_INVAL, run(op_of(SPACE_UNMAP, low, SPACE_OP_NOTHING_MAX + 1), 0, 0, &batch));
	map_at(last, child_frames(&child, 1));
	IS(E_OK, run(op_of(SPACE_UNMAP, low, SPACE_OP_NOTHING_MAX), 0, 0, &batch));
	IS(3, batch.n_spare);
	child_free(&child);
}

/* A long operation that cannot be done to its end is not begun. */
static void test_checked_whole(void)
{
	const vaddr_t middle = CHILD_FREE_VA + TABLE_BYTES + 5 * PAGE_SIZE;
	struct space_batch batch;
	struct space_op op;
	paddr_t pa;

	child_space_new(&child);
	pa = child_frames(&child, 40);
	map_at(middle, pa);
	op = op_of(SPACE_MAP, middle - 10 * PAGE_SIZE, 11);
	op.arg = pa;
	IS(E_BUSY, run(op, child.n_tables, 8, &batch));
	IS(0, batch.n_tables_used);
	op.n_pages = 10; /* what the refused one would have mapped first is free */
	IS(E_TABLES, run(op, child.n_tables, 0, &batch));
	IS(E_OK, child_map(&child, op));
	/* Zeroed in many steps, and the frames behind are not user memory. */
	op = op_of(SPACE_MAP, middle + PAGE_SIZE, 40);
	op.prot = PROT_R | SPACE_OP_ZERO;
	op.arg = child.chunk;
	IS(E_PERM, child_map(&child, op));
	op.arg = pa;
	IS(E_OK, child_map(&child, op));
	child_free(&child);
}

/* Nor is it when another long one came before it in its batch. */
static void test_checked_each(void)
{
	const vaddr_t middle = CHILD_FREE_VA + TABLE_BYTES + 5 * PAGE_SIZE;
	struct space_op ops[2] = {0};
	paddr_t tables[8];
	struct space_batch batch = {.ops = ops, .n_ops = 2, .tables = tables, .n_tables = 8};
	uint64_t used;

	child_space_new(&child);
	map_at(middle, child_frames(&child, 1));
	for (uint32_t i = 0; i < 8; i++) {
		tables[i] = child.chunk + (1 + child.n_tables + i) * PAGE_SIZE;
	}
	ops[0] = op_of(SPACE_UNMAP, CHILD_FREE_VA + 8 * TABLE_BYTES, 2 * TABLE_PAGES);
	ops[1] = op_of(SPACE_MAP, middle - 10 * PAGE_SIZE, 11);
	ops[1].arg = child.chunk + 2 * CHILD_CHUNK_PAGES * PAGE_SIZE; /* of no child */
	IS(E_BUSY, sys_space_batch(&batch, &used));
	IS(1, batch.n_done);
	IS(0, batch.n_tables_used);
	child_free(&child);
}

/* As much as one step ever does, and it comes to an end: pages for a whole table, which is not there. */
static void test_whole_table(void)
{
	struct space_op op = op_of(SPACE_MAP, CHILD_FREE_VA, TABLE_PAGES);

	child_space_new(&child);
	op.arg = child.chunk + CHILD_CHUNK_PAGES * PAGE_SIZE; /* of no child */
	op.prot = PROT_R;
	IS(E_OK, child_map(&child, op));
	IS(E_BUSY, child_map(&child, op));
	child_free(&child);
}

static struct puppet p;

#define N_ZEROED 500u
#define ZEROED_FIRST (CHILD_FREE_VA + PAGE_SIZE)
#define ZEROED_LAST (CHILD_FREE_VA + N_ZEROED * PAGE_SIZE)

/* Is nothing there? */
static bool page_is_absent(vaddr_t va)
{
	struct space_op op = op_of(SPACE_MAP, va, 1);

	op.arg = child.chunk + 2 * CHILD_CHUNK_PAGES * PAGE_SIZE;
	if (child_map(&child, op) != E_OK) {
		return false;
	}
	IS(E_OK, child_map(&child, op_of(SPACE_UNMAP, va, 1)));
	return true;
}

/* Is its first page there, and not yet its last one? */
static bool zeroing_goes_on(void)
{
	return info_state(p.child.ep) == SLOT_RUNNABLE && !page_is_absent(ZEROED_FIRST) &&
	       page_is_absent(ZEROED_LAST);
}

/* It begins to map so many pages, which are cleared in pieces. Is it in the middle after a while? */
static bool zeroing_begins(uint64_t usec)
{
	struct space_batch *batch = (struct space_batch *)SHARED_SCRATCH;
	struct space_op *op = (struct space_op *)(batch + 1);

	*op = op_of(SPACE_MAP, CHILD_FREE_VA + PAGE_SIZE, N_ZEROED);
	op->arg = child.chunk + 2 * CHILD_CHUNK_PAGES * PAGE_SIZE; /* of no child */
	op->prot = PROT_R | SPACE_OP_ZERO;
	*batch = (struct space_batch){.ops = op, .n_ops = 1};
	puppet_begin(&p, KCALL_space_batch, (const uint64_t[6]){(uint64_t)batch});
	child_settle(usec);
	return zeroing_goes_on();
}

/* A space with a table, whose pages another process is mapping and has not done. */
static bool zeroing_is_caught(void)
{
	struct domain_privileges privileges = {0};
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	child_space_new(&child);
	map_at(CHILD_FREE_VA, child_frames(&child, 1));
	puppet_new(&p, 0, "p", 0);
	privileges_call(&privileges, KCALL_space_batch);
	puppet_allow(&p, &privileges);
	while (!zeroing_begins(1 + sys_random() % 300)) {
		IS(E_OK, puppet_end(&p));
		IS(E_OK,
		        child_map(&child, op_of(SPACE_UNMAP, CHILD_FREE_VA + PAGE_SIZE, N_ZEROED)));
		if (sys_clock_read() > end) {
			return false;
		}
	}
	return true;
}

/* The space ends between two pieces, or gets other pages where the next ones would be; or the caller ends. */
static void test_between_pieces(void)
{
	cpus_occupy();
	OK(zeroing_is_caught());
	child_free(&child);
	IS(E_INVAL, puppet_end(&p));
	puppet_free(&p);

	OK(zeroing_is_caught());
	map_at(ZEROED_LAST, child_frames(&child, 1));
	IS(E_BUSY, puppet_end(&p));
	IS(0, ((struct space_batch *)SHARED_SCRATCH)->n_done);
	puppet_free(&p);
	child_free(&child);

	OK(zeroing_is_caught());
	puppet_free(&p);
	IS(E_OK, child_map(&child, op_of(SPACE_UNMAP, CHILD_FREE_VA, TABLE_PAGES)));
	map_at(ZEROED_LAST, child_frames(&child, 1));
	child_free(&child);
	cpus_release();
}

/*
 * The caller writes another operation where one is half done, which ends before the place that the first
 * one had come to: nothing is done of it, and nothing behind it.
 */
static void test_changed_between_pieces(void)
{
	struct space_op *op = (struct space_op *)((struct space_batch *)SHARED_SCRATCH + 1);

	cpus_occupy();
	OK(zeroing_is_caught());
	*op = op_of(SPACE_ZERO_ABSENT, CHILD_FREE_VA - PAGE_SIZE, 2); /* in two parts */
	IS(E_INVAL, puppet_end(&p));
	IS(0, ((struct space_batch *)SHARED_SCRATCH)->n_done);
	puppet_free(&p);
	child_free(&child);
	cpus_release();
}

/* Or one that differs from it in one thing alone, and would be done unchecked. */
static void test_changed_in_one(void)
{
	struct space_op *op = (struct space_op *)((struct space_batch *)SHARED_SCRATCH + 1);
	struct child other;

	cpus_occupy();
	for (uint32_t what = 0; what < 6; what++) {
		child_space_new(&other);
		OK(zeroing_is_caught());
		op->kind = what == 0 ? SPACE_ZERO_ABSENT : op->kind;
		op->space = what == 1 ? other.space : op->space;
		op->va += what == 2 ? PAGE_SIZE : 0;
		op->arg += what == 3 ? PAGE_SIZE : 0;
		op->n_pages += what == 4;
		op->prot |= what == 5 ? PROT_W : 0;
		IS(E_INVAL, puppet_end(&p));
		IS(0, ((struct space_batch *)SHARED_SCRATCH)->n_done);
		puppet_free(&p);
		child_free(&child);
		child_free(&other);
	}
	cpus_release();
}

/* Tables for all of a long operation are counted before it begins, and each is looked at. */
static void test_tables_counted(void)
{
	struct space_batch batch;
	struct space_op op;
	paddr_t tables[8];
	uint64_t needed;

	child_space_new(&child);
	for (uint32_t i = 0; i < 8; i++) {
		tables[i] = child.chunk + (1 + i) * PAGE_SIZE;
	}
	tables[6] = tables[2];
	op = op_of(SPACE_ZERO_ABSENT, CHILD_FREE_VA + PAGE_SIZE, 5 * TABLE_PAGES - 2);
	batch = (struct space_batch){.ops = &op, .n_ops = 1, .tables = tables, .n_tables = 3};
	/* The first and last table are in part the space's own, the three between are all zeros. */
	IS(E_TABLES, sys_space_batch(&batch, &needed));
	IS(4, needed);
	op = op_of(SPACE_ZERO_ABSENT, CHILD_FREE_VA + PAGE_SIZE, 5 * TABLE_PAGES - 2);
	tables[3] = tables[1];
	batch.n_tables = 8;
	IS(E_PERM, sys_space_batch(&batch, &needed));
	IS(0, batch.n_done);
	tables[3] = child.chunk + 4 * PAGE_SIZE;
	IS(E_OK, sys_space_batch(&batch, &needed));
	IS(4, needed);
	child.n_tables = 4;
	child_free(&child);
}

/* The frame of a new table cannot be one of those that the operation maps under it. */
static void test_table_not_mapped(void)
{
	struct space_batch batch;
	struct space_op op;

	child_space_new(&child);
	op = op_of(SPACE_MAP, CHILD_FREE_VA, 1);
	op.arg = child.chunk + 2 * PAGE_SIZE;
	IS(E_PERM, run(op, 0, 3, &batch));
	op.n_pages = 2; /* across the end of a table, in two parts */
	op.va = CHILD_FREE_VA + TABLE_BYTES - PAGE_SIZE;
	op.arg = child.chunk + 4 * PAGE_SIZE;
	IS(E_OK, run(op, 0, 4, &batch));
	child.n_tables = 4;
	child_free(&child);
}

/* A space shows one other at a time. */
static void test_one_source(void)
{
	struct child a, b;
	struct space_op op;

	child_space_new(&child);
	child_space_new(&a);
	child_space_new(&b);
	op = op_of(SPACE_MAP, CHILD_FREE_VA, 1);
	op.arg = child_frames(&a, 1);
	IS(E_OK, child_map(&a, op));
	op.va += TABLE_BYTES;
	op.arg = child_frames(&b, 1);
	IS(E_OK, child_map(&b, op));
	op = op_of(SPACE_MIRROR, CHILD_FREE_VA, TABLE_PAGES);
	op.arg = a.space;
	IS(E_OK, child_map(&child, op));
	op.va += TABLE_BYTES;
	op.arg = b.space;
	IS(E_BUSY, child_map(&child, op));
	IS(E_OK, child_map(&child, op_of(SPACE_UNMIRROR, CHILD_FREE_VA, TABLE_PAGES)));
	IS(E_OK, child_map(&child, op));
	child_free(&child);
	child_free(&a);
	child_free(&b);
}

/* No more than 31 mirrors of a table. */
static void test_mirrors_max(void)
{
	static struct child viewers[32];
	struct space_op op;

	child_space_new(&child);
	map_at(CHILD_FREE_VA, child_frames(&child, 1));
	op = op_of(SPACE_MIRROR, CHILD_FREE_VA, TABLE_PAGES);
	op.arg = child.space;
	for (uint32_t i = 0; i < 32; i++) {
		child_space_new(&viewers[i]);
		IS(i < 31 ? E_OK : E_BUSY, child_map(&viewers[i], op));
	}
	for (uint32_t i = 0; i < 32; i++) {
		child_free(&viewers[i]);
	}
	child_free(&child);
}

/* All entries of a kind in the list of a space, asked for in pieces of `max`; the last one goes to *ret. */
static uint32_t list_count(
        space_t space, uint64_t max, enum frame_kind kind, struct frame_entry *ret)
{
	struct frame_entry list[FRAME_LIST_MAX];
	uint32_t n_found = 0;
	uint64_t at = 0;

	while (at != ~0ul) {
		err_t n = sys_frame_list(space, at, list, max, &at);

		if (n < 0) {
			IS(0, n);
			break;
		}
		for (err_t i = 0; i < n; i++) {
			if (list[i].kind == kind) {
				*ret = list[i];
				n_found++;
			}
		}
	}
	return n_found;
}

static void check_entry(const struct frame_entry *entry, vaddr_t va, paddr_t pa, uint32_t n)
{
	IS(va, entry->va);
	IS(pa, entry->pa);
	IS(n, entry->n);
}

/* A space that has one of each, listed in pieces of all sizes. */
static void test_list(void)
{
	struct frame_entry entry;
	struct space_op op;
	struct child other;
	paddr_t pa;

	child_space_new(&child);
	child_space_new(&other);
	pa = child_frames(&child, 3);
	op = op_of(SPACE_MAP, CHILD_FREE_VA, 3);
	op.arg = pa;
	op.prot = PROT_R | PROT_W;
	IS(E_OK, child_map(&child, op));
	IS(E_OK, child_map(&child, op_of(SPACE_PROTECT, CHILD_FREE_VA + 2 * PAGE_SIZE, 1)));
	IS(E_OK, child_map(&child, op_of(SPACE_GATE, CHILD_FREE_VA + 8 * PAGE_SIZE, 1)));
	op = op_of(SPACE_ZERO_ABSENT, CHILD_FREE_VA + 2 * TABLE_BYTES, TABLE_PAGES);
	IS(E_OK, child_map(&child, op));
	op = op_of(SPACE_MAP, CHILD_FREE_VA + TABLE_BYTES, 1);
	op.arg = child_frames(&other, 1);
	IS(E_OK, child_map(&other, op));
	op = op_of(SPACE_MIRROR, CHILD_FREE_VA + TABLE_BYTES, TABLE_PAGES);
	op.arg = other.space;
	IS(E_OK, child_map(&child, op));
	for (uint64_t max = FRAME_LIST_MIN; max <= 70; max += 11) {
		IS(4, list_count(child.space, max, FRAME_LIST_TABLE, &entry));
		IS(2, list_count(child.space, max, FRAME_LIST_PAGES, &entry));
		check_entry(&entry, CHILD_FREE_VA + 2 * PAGE_SIZE, pa + 2 * PAGE_SIZE, 1);
		IS(PROT_R, entry.prot);
		IS(1, list_count(child.space, max, FRAME_LIST_GATE, &entry));
		IS(CHILD_FREE_VA + 8 * PAGE_SIZE, entry.va);
		IS(1, list_count(child.space, max, FRAME_LIST_ZERO, &entry));
		IS(TABLE_PAGES, entry.n);
		IS(1, list_count(child.space, max, FRAME_LIST_MIRROR, &entry));
		IS(CHILD_FREE_VA + TABLE_BYTES, entry.va);
		IS(0, list_count(child.space, max, FRAME_LIST_SPARE, &entry));
		/* The mirror pins the last table of the other space. */
		IS(4, list_count(other.space, max, FRAME_LIST_TABLE, &entry));
		IS(1, entry.n);
	}
	op = op_of(SPACE_UNMAP, CHILD_FREE_VA, TABLE_PAGES);
	IS(E_OK, child_map(&child, op));
	IS(1, list_count(child.space, FRAME_LIST_MIN, FRAME_LIST_SPARE, &entry));
	IS(1, entry.n);
	child_free(&child);
	child_free(&other);
}

static void test_list_spaces(void)
{
	struct frame_entry entry;
	uint32_t n;

	n = list_count(FRAME_LIST_SPACES, FRAME_LIST_MIN, FRAME_LIST_SPACE, &entry);
	child_space_new(&child);
	map_at(CHILD_FREE_VA, child_frames(&child, 1));
	IS(n + 1, list_count(FRAME_LIST_SPACES, FRAME_LIST_MIN, FRAME_LIST_SPACE, &entry));
	IS(child.space, entry.space);
	IS(child.chunk, entry.pa);
	IS(4, entry.n);
	child_free(&child);
}

static void test_list_errors(void)
{
	struct frame_entry list[FRAME_LIST_MIN];
	uint64_t at;

	child_space_new(&child);
	IS(E_INVAL, sys_frame_list(9999, 0, list, FRAME_LIST_MIN, &at));
	IS(E_INVAL, sys_frame_list(child.space, 8, list, FRAME_LIST_MIN, &at));
	IS(E_INVAL, sys_frame_list(child.space, 0, list, FRAME_LIST_MIN - 1, &at));
	IS(E_FAULT,
	        sys_frame_list(child.space, 0, (struct frame_entry *)NOWHERE, FRAME_LIST_MIN, &at));
	/* Behind the end there is nothing. */
	IS(0, sys_frame_list(child.space, KERNEL_VA, list, FRAME_LIST_MIN, &at));
	IS(~0ul, at);
	child_free(&child);
}

const struct test tests_table[] = {
        {"frames of empty tables come back", test_trim},
        {"frames of empty tables go with their space", test_spare_destroyed},
        {"a tebibyte of nothing", test_nothing},
        {"a long operation is checked whole", test_checked_whole},
        {"each long operation of a batch is checked", test_checked_each},
        {"a whole table in one operation", test_whole_table},
        {"what happens between two pieces of an operation", test_between_pieces},
        {"an operation that is another one after a piece", test_changed_between_pieces},
        {"an operation that is nearly the same after a piece", test_changed_in_one},
        {"tables of a long operation", test_tables_counted},
        {"a frame is a table or mapped", test_table_not_mapped},
        {"a space mirrors one other", test_one_source},
        {"as many mirrors of a table as are counted", test_mirrors_max},
        {"what a space has is listed", test_list},
        {"spaces are listed", test_list_spaces},
        {"errors of frame_list", test_list_errors},
        {0},
};
