/* Mirrors: an old instance's memory seen read-only at its own addresses by a new one. */
#include "osd/suites/kcall/kcall.h"

#define RANGE_PAGES 512u

static struct puppet source, viewer;

static struct space_op op_on(struct puppet *p, uint32_t kind)
{
	return (struct space_op){
	        .kind = kind, .space = p->child.space, .va = CHILD_FREE_VA, .n_pages = RANGE_PAGES};
}

static err_t mirror(void)
{
	struct space_op op = op_on(&viewer, SPACE_MIRROR);

	op.arg = source.child.space;
	return child_map(&viewer.child, op);
}

static err_t store(uint64_t address)
{
	*(volatile uint64_t *)address = address + 1;
	return E_OK;
}

static err_t load(uint64_t address)
{
	return (err_t) * (volatile uint64_t *)address;
}

static err_t jump(uint64_t address)
{
	((void (*)(void))address)();
	return E_OK;
}

static err_t on(struct puppet *p, err_t (*function)(uint64_t), uint64_t address)
{
	return puppet_call(p, PUPPET_CALL, (uint64_t)function, address);
}

/* The source has the first two pages of the range: one data, one code. */
static void pair_new(void)
{
	struct space_op op;

	puppet_new(&source, 0, "source", 0);
	puppet_new(&viewer, 1, "viewer", 0);
	op = op_on(&source, SPACE_MAP);
	op.arg = child_frames(&source.child, 1);
	op.n_pages = 1;
	op.prot = PROT_R | PROT_W | SPACE_OP_ZERO;
	IS(E_OK, child_map(&source.child, op));
	op.va += PAGE_SIZE;
	op.arg = child_frames(&source.child, 1);
	op.prot = PROT_R | PROT_X | SPACE_OP_ZERO;
	IS(E_OK, child_map(&source.child, op));
	IS(E_OK, on(&source, store, CHILD_FREE_VA));
}

static void test_mirror(void)
{
	pair_new();
	IS(E_OK, mirror());
	IS(CHILD_FREE_VA + 1, on(&viewer, load, CHILD_FREE_VA));
	IS(E_OK, on(&source, store, CHILD_FREE_VA + 8)); /* the source may still write */
	IS(CHILD_FREE_VA + 9, on(&viewer, load, CHILD_FREE_VA + 8));
	/* Pages never touched appear as zeros. */
	IS(E_OK, child_map(&viewer.child, op_on(&viewer, SPACE_ZERO_ABSENT)));
	IS(0, on(&viewer, load, CHILD_FREE_VA + 100 * PAGE_SIZE));
	IS(E_OK, child_map(&viewer.child, op_on(&viewer, SPACE_UNMIRROR)));
	IS(CHILD_FREE_VA + 1, on(&source, load, CHILD_FREE_VA));
	puppet_free(&viewer);
	puppet_free(&source);
}

static void viewer_faults(err_t (*function)(uint64_t), uint64_t address)
{
	pair_new();
	IS(E_OK, mirror());
	IS(PUPPET_ENDED, on(&viewer, function, address));
	IS(SLOT_EVENT_FAULT, viewer.event.kind);
	IS(address, viewer.event.w[1]);
	IS(E_OK, child_map(&viewer.child, op_on(&viewer, SPACE_UNMIRROR)));
	puppet_free(&viewer);
	puppet_free(&source);
}

static void test_mirror_protection(void)
{
	viewer_faults(store, CHILD_FREE_VA);
	viewer_faults(jump, CHILD_FREE_VA + PAGE_SIZE);
}

static void test_unmirrored(void)
{
	pair_new();
	IS(E_OK, mirror());
	IS(CHILD_FREE_VA + 1, on(&viewer, load, CHILD_FREE_VA));
	IS(E_OK, child_map(&viewer.child, op_on(&viewer, SPACE_UNMIRROR)));
	IS(PUPPET_ENDED, on(&viewer, load, CHILD_FREE_VA));
	puppet_free(&viewer);
	puppet_free(&source);
}

static void test_mirror_errors(void)
{
	struct space_op op;
	paddr_t frames[CHILD_TABLES + 1];
	uint64_t n;

	pair_new();
	op = op_on(&viewer, SPACE_MIRROR);
	op.arg = source.child.space;
	op.va += PAGE_SIZE;
	IS(E_INVAL, child_map(&viewer.child, op)); /* whole 2 MiB only */
	op = op_on(&viewer, SPACE_MIRROR);
	op.arg = source.child.space;
	op.n_pages = 1;
	IS(E_INVAL, child_map(&viewer.child, op));
	op.n_pages = RANGE_PAGES;
	op.arg = 7777;
	IS(E_INVAL, child_map(&viewer.child, op));
	op.arg = viewer.child.space;
	IS(E_INVAL, child_map(&viewer.child, op)); /* of itself */
	IS(E_OK, mirror());
	IS(E_BUSY, mirror());
	op = op_on(&viewer, SPACE_MAP);
	op.n_pages = 1;
	op.arg = child_frames(&viewer.child, 1);
	op.prot = PROT_R;
	IS(E_BUSY, child_map(&viewer.child, op)); /* through a mirror nothing is mapped */
	/* The source's tables cannot go while they are shared. */
	IS(E_OK, sys_slot_destroy(source.child.ep));
	source.child.ep = EP_NONE;
	IS(E_BUSY, sys_space_destroy(source.child.space, frames, CHILD_TABLES + 1, &n));
	IS(E_OK, child_map(&viewer.child, op_on(&viewer, SPACE_UNMIRROR)));
	puppet_free(&viewer);
	puppet_free(&source);
}

/* A viewer that ends with its mirror in place leaves the source whole. */
static void test_viewer_ends(void)
{
	pair_new();
	IS(E_OK, mirror());
	puppet_free(&viewer);
	IS(CHILD_FREE_VA + 1, on(&source, load, CHILD_FREE_VA));
	puppet_free(&source);
}

const struct test tests_mirror[] = {
        {"mirror, zero_absent through it, unmirror", test_mirror},
        {"a mirror is read-only and not executable", test_mirror_protection},
        {"after unmirror nothing is seen", test_unmirrored},
        {"errors of mirroring", test_mirror_errors},
        {"a viewer ends with its mirror", test_viewer_ends},
        {0},
};
