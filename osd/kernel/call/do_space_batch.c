/*
 * Mapping operations on behalf of VM, run in order. Each one is checked completely by
 * arch before it changes anything, so a failed batch has done `n_done` whole
 * operations and nothing of the next.
 *
 * A batch that has worked long restarts, to let others run: progress is operations done and
 * tables used, in self->call_progress. The operations and the frame list stay in the caller's
 * memory and are read as they are needed; whatever the caller writes there meanwhile, arch
 * checks each frame before it takes it.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/space.h"
#include "osd/kernel/fault/usercopy.h"

/*
 * An operation needs a table for each 2 MiB it touches and one for each
 * higher level at either end.
 */
#define OP_TABLES_MAX (SPACE_OP_PAGES_MAX / 512 + 8)
/* Pages handled before the call gives way. */
#define STEP_PAGES 2048u
/* Operations fetched at once. */
#define FETCH 16u

struct batch_run {
	struct instance *self;
	vaddr_t address;
	struct space_batch batch; /* copy; the counts written by the kernel are kept here */
	struct space_op fetched[FETCH];
	uint32_t n_fetched, first_fetched;
	uint32_t needed; /* with E_TABLES */
};

/* Frame numbers for the operation at hand. One for all: the big lock is held. */
static paddr_t batch_frames[OP_TABLES_MAX];

static err_t space_op_fetch(struct batch_run *run, const struct space_op **ret_op)
{
	uint32_t at = run->batch.n_done;
	err_t err;

	if (at - run->first_fetched >= run->n_fetched) {
		uint32_t n = run->batch.n_ops - at;

		n = n < FETCH ? n : FETCH;
		err = user_read(run->self, (vaddr_t)(run->batch.ops + at), run->fetched,
		        n * sizeof(run->fetched[0]));
		if (err != E_OK) {
			return err;
		}
		run->first_fetched = at;
		run->n_fetched = n;
	}
	*ret_op = &run->fetched[at - run->first_fetched];
	return E_OK;
}

/* The frames that the operation may use as tables: no more are read than it can need. */
static err_t space_tables_fetch(
        struct batch_run *run, const struct space_op *op, struct arch_tables *ret_tables)
{
	uint32_t n = run->batch.n_tables - run->batch.n_tables_used;
	uint32_t most = op->n_pages / 512 + 6;

	n = n < most ? n : most;
	*ret_tables = (struct arch_tables){.frames = batch_frames, .n = n};
	if (n == 0) {
		return E_OK;
	}
	return user_read(run->self, (vaddr_t)(run->batch.tables + run->batch.n_tables_used),
	        batch_frames, n * sizeof(batch_frames[0]));
}

/* Registers of devices are mapped only for a slot that has the right to them. */
static err_t check_device(const struct space *space, const struct space_op *op)
{
	uint64_t bytes = op->n_pages * PAGE_SIZE;
	const struct slot_privileges *p;

	if (!space->instance) {
		return E_PERM;
	}
	p = &space->instance->slot->privileges;
	for (unsigned int i = 0; i < p->n_mmio; i++) {
		uint64_t offset = op->arg - p->mmio[i].base;

		if (op->arg >= p->mmio[i].base && offset <= p->mmio[i].bytes &&
		        bytes <= p->mmio[i].bytes - offset) {
			return E_OK;
		}
	}
	return E_PERM;
}

static err_t space_op_map(
        struct space *space, const struct space_op *op, struct arch_tables *tables)
{
	const struct arch_map map = {
	        .va = op->va, .pa = op->arg, .n_pages = op->n_pages, .prot = op->prot};
	err_t err = op->prot & SPACE_OP_DEVICE ? check_device(space, op) : E_OK;

	return err == E_OK ? arch_space_map(&space->arch, &map, tables) : err;
}

static err_t space_op_unmap(struct space *space, const struct space_op *op)
{
	err_t err = arch_space_unmap(&space->arch, op->va, op->n_pages);

	if (err == E_OK && space->gate - op->va < op->n_pages * PAGE_SIZE) {
		space_gate_set(space, 0);
	}
	return err;
}

static err_t space_op_gate(
        struct space *space, const struct space_op *op, struct arch_tables *tables)
{
	err_t err;

	if (op->n_pages != 1) {
		return E_INVAL;
	}
	if (space->gate != 0) {
		return E_BUSY;
	}
	err = arch_space_gate(&space->arch, op->va, tables);
	if (err == E_OK) {
		space_gate_set(space, op->va);
	}
	return err;
}

static err_t space_op_mirror(
        struct space *space, const struct space_op *op, struct arch_tables *tables)
{
	struct space *source = op->arg < N_SPACES ? space_of((space_t)op->arg) : NULL;

	if (!source || source == space) {
		return E_INVAL;
	}
	return arch_space_mirror(&space->arch, &source->arch, op->va, op->n_pages, tables);
}

static err_t space_op_run(
        struct space *space, const struct space_op *op, struct arch_tables *tables)
{
	switch ((enum space_op_kind)op->kind) {
	case SPACE_MAP:
		return space_op_map(space, op, tables);
	case SPACE_UNMAP:
		return space_op_unmap(space, op);
	case SPACE_PROTECT:
		return arch_space_protect(&space->arch, op->va, op->n_pages, op->prot);
	case SPACE_MIRROR:
		return space_op_mirror(space, op, tables);
	case SPACE_UNMIRROR:
		return arch_space_unmirror(&space->arch, op->va, op->n_pages);
	case SPACE_ZERO_ABSENT:
		return arch_space_zero_absent(&space->arch, op->va, op->n_pages, tables);
	case SPACE_GATE:
		return space_op_gate(space, op, tables);
	}
	return E_INVAL;
}

/* Run the next operation of the batch. Adds its pages to *pages. */
static err_t batch_step(struct batch_run *run, uint32_t *pages)
{
	const struct space_op *op;
	struct arch_tables tables;
	struct space *space;
	err_t err = space_op_fetch(run, &op);

	if (err != E_OK) {
		return err;
	}
	space = op->space < N_SPACES ? space_of(op->space) : NULL;
	if (!space || op->n_pages == 0 || op->n_pages > SPACE_OP_PAGES_MAX) {
		return E_INVAL;
	}
	err = space_tables_fetch(run, op, &tables);
	if (err != E_OK) {
		return err;
	}
	err = space_op_run(space, op, &tables);
	if (err != E_OK) {
		run->needed = tables.needed;
		return err;
	}
	run->batch.n_tables_used += tables.used;
	run->batch.n_done++;
	*pages += op->n_pages;
	return E_OK;
}

static err_t check_space_batch(struct batch_run *run)
{
	uint64_t progress = run->self->call_progress;
	err_t err = user_read(run->self, run->address, &run->batch, sizeof(run->batch));

	if (err == E_OK) {
		err = user_write_check(run->self, run->address, sizeof(run->batch));
	}
	run->batch.n_done = (uint32_t)progress;
	run->batch.n_tables_used = (uint32_t)(progress >> 32);
	if (err == E_OK && (run->batch.n_done > run->batch.n_ops ||
	                           run->batch.n_tables_used > run->batch.n_tables)) {
		err = E_INVAL; /* the caller's memory changed between two steps */
	}
	return err;
}

static uint64_t batch_progress(const struct batch_run *run)
{
	return run->batch.n_done | (uint64_t)run->batch.n_tables_used << 32;
}

/* The batch may have taken away the very page that its counts go to. */
static err_t batch_finish(struct batch_run *run, err_t result)
{
	struct instance *self = run->self;
	err_t err;

	self->call_progress = batch_progress(run);
	err = user_write(self, run->address, &run->batch, sizeof(run->batch));
	if (err == KCALL_PENDING) {
		return err;
	}
	self->call_progress = 0;
	arch_context_result2_set(
	        &self->context, result == E_TABLES ? run->needed : run->batch.n_tables_used);
	return err == E_OK ? result : err;
}

err_t do_space_batch(struct instance *self, const uint64_t *args)
{
	struct batch_run run;
	uint32_t pages = 0;
	err_t err;

	run.self = self;
	run.address = args[0];
	run.n_fetched = 0;
	run.first_fetched = 0;
	err = check_space_batch(&run);
	if (err != E_OK) {
		if (err != KCALL_PENDING) {
			self->call_progress = 0;
		}
		return err;
	}
	while (err == E_OK && run.batch.n_done < run.batch.n_ops) {
		if (pages >= STEP_PAGES) {
			self->call_progress = batch_progress(&run);
			return call_yield(self);
		}
		err = batch_step(&run, &pages);
	}
	if (err == KCALL_PENDING) {
		self->call_progress = batch_progress(&run);
		return err;
	}
	return batch_finish(&run, err);
}
