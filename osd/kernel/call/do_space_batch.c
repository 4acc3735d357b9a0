/*
 * Mapping operations on behalf of VM, run in order. An operation is checked whole before it changes
 * anything, so a failed batch has done `n_done` whole operations and nothing of the next.
 *
 * The page tables work on parts that lie in one last-level table. Most operations are one part, and
 * done in a step that checks and changes. A longer one is gone over twice, part by part: once to
 * check, and, when its tables have been counted, once to change. A batch that has worked long gives
 * way between two parts and restarts: what is done is in self->call_progress (operations and tables)
 * and self->call_place (the part). What another caller changes in the same space meanwhile is its
 * own affair: the operation may then end half done. The operation itself has to be the same still,
 * which self->call_op is kept for: another one would go on from a place that was checked for this.
 *
 * The operations and the frame list stay in the caller's memory and are read as they are needed;
 * whatever the caller writes there meanwhile, each frame is checked before it is taken.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/fault/usercopy.h"

/* An operation that makes tables needs one for each that it touches, and some above at either end. */
#define OP_TABLES_MAX (SPACE_OP_PAGES_MAX / PTE_N + 8)
/* About how many instructions a batch takes before it gives way, and what its parts do. */
#define WORK_MAX 20000u
#define WORK_PART 190u /* one that has to be forgotten by other CPUs, too */
#define WORK_PAGE 20u
#define WORK_PAGE_ZEROED 540u
#define WORK_TABLE 50u /* to count one and to look at its frame */
#define WORK_TABLE_MADE 1200u
/* Pages that are zeroed in one part. */
#define ZEROED_MAX 16u
/* Operations fetched at once. */
#define FETCH 16u

#define SPACE_NONE UINT32_MAX

#define PROGRESS_VALID (UINT64_C(1) << 63) /* in call_progress: it and call_place are set */
#define PLACE_CHECKED (UINT64_C(1) << 63)  /* in call_place: the operation at hand is checked */

struct batch_run {
	struct instance *self;
	vaddr_t address;
	struct space_batch batch; /* copy; the counts written by the kernel are kept here */
	struct space_op fetched[FETCH];
	uint32_t n_fetched;
	space_t space_id;    /* of the operation before, or SPACE_NONE */
	struct space *space; /* the same */
	struct mmu_tables no_tables;
	uint64_t needed; /* with E_TABLES */
	uint32_t work;   /* since the call was entered */
	uint32_t place;  /* pages of the operation at hand that this pass is behind */
	bool is_checked; /* the pass that changes */
	bool gives_way;  /* with KCALL_PENDING: the time is up; otherwise a page is waited for */
};

/* Frame numbers for the operation at hand. One for all: the big lock is held. */
static paddr_t batch_frames[OP_TABLES_MAX];

/* Fetch the next operations. */
static err_t space_ops_fetch(struct batch_run *run)
{
	uint32_t at = run->batch.n_done, n = run->batch.n_ops - at;
	err_t err;

	n = n < FETCH ? n : FETCH;
	err = user_read(run->self, (vaddr_t)(run->batch.ops + at), run->fetched,
	        n * sizeof(run->fetched[0]));
	if (err == E_OK) {
		run->n_fetched = n;
	}
	return err;
}

/* The next n frames of the caller's, which there are. */
static err_t space_tables_fetch(struct batch_run *run, struct mmu_tables *tables, uint32_t n)
{
	err_t err = user_read(run->self, (vaddr_t)(run->batch.tables + run->batch.n_tables_used),
	        batch_frames, n * sizeof(batch_frames[0]));

	if (err == E_OK) {
		tables->n = n;
	}
	return err;
}

/* With E_TABLES, fetch the tables that are needed; E_TABLES: so many are not there. */
static err_t space_tables_get(struct batch_run *run, struct mmu_tables *tables)
{
	run->needed = tables->needed;
	if (tables->needed > run->batch.n_tables - run->batch.n_tables_used) {
		return E_TABLES;
	}
	return space_tables_fetch(run, tables, tables->needed);
}

/* Registers of devices are mapped only in a space whose domain has the right to them. */
static err_t check_device(const struct space *space, const struct space_op *op)
{
	return privileges_have_registers(
	               &space->domain->privileges, op->arg, op->n_pages * PAGE_SIZE)
	               ? E_OK
	               : E_PERM;
}

static struct space *space_op_source(const struct space *space, const struct space_op *op)
{
	struct space *source = space_of(op->arg);

	return source != space ? source : NULL;
}

static err_t space_op_unmap(struct space *space, const struct space_op *part)
{
	bool is_gates = space->gate - part->va < part->n_pages * PAGE_SIZE;
	err_t err = E_BUSY;

	if (!is_gates || !space_is_shared(space)) {
		err = mmu_unmap(&space->mmu, part->va, part->n_pages);
	}
	if (err == E_OK && is_gates) {
		space_gate_set(space, 0);
	}
	return err;
}

static err_t space_op_gate(struct space *space, vaddr_t va, struct mmu_tables *tables)
{
	const struct instance *instance = space_instance(space);
	err_t err;

	if (space->gate != 0 || (instance != NULL && instance->is_foreign) ||
	        space_is_shared(space)) {
		return E_BUSY;
	}
	err = mmu_gate(&space->mmu, va, tables);
	if (err == E_OK) {
		space_gate_set(space, va);
	}
	return err;
}

/* Check one part of an operation and do it. */
static err_t batch_part_run(struct space *space, const struct space_op *op,
        const struct space_op *part, struct mmu_tables *tables)
{
	switch ((enum space_op_kind)op->kind) {
	case SPACE_MAP:
		return mmu_map(&space->mmu, part, tables);
	case SPACE_UNMAP:
		return space_op_unmap(space, part);
	case SPACE_PROTECT:
		return mmu_protect(&space->mmu, part->va, part->n_pages, part->prot);
	case SPACE_MIRROR:
		return mmu_mirror(&space->mmu, &space_op_source(space, op)->mmu, part->va, tables);
	case SPACE_UNMIRROR:
		mmu_unmirror(&space->mmu, part->va);
		return E_OK;
	case SPACE_ZERO_ABSENT:
		return mmu_zero_absent(&space->mmu, part->va, part->n_pages, tables);
	case SPACE_GATE:
		return space_op_gate(space, part->va, tables);
	}
	return E_INVAL;
}

/* The same, out of the caller's frames where it needs tables. */
static err_t batch_part_run_with_tables(struct batch_run *run, struct space *space,
        const struct space_op *op, const struct space_op *part)
{
	struct mmu_tables tables = {.frames = batch_frames};
	const uint32_t n_before = space->mmu.n_tables;
	err_t err = batch_part_run(space, op, part, &tables);

	if (err == E_TABLES) {
		err = space_tables_get(run, &tables);
		if (err == E_OK) {
			err = batch_part_run(space, op, part, &tables);
			run->batch.n_tables_used += tables.used;
		}
	}
	if (space->mmu.n_tables > n_before) {
		run->work += (space->mmu.n_tables - n_before) * WORK_TABLE_MADE;
	}
	return err;
}

/* Check one part of a long operation. */
static err_t batch_part_check(
        const struct space *space, const struct space_op *op, const struct space_op *part)
{
	switch ((enum space_op_kind)op->kind) {
	case SPACE_MAP:
		return mmu_map_check(&space->mmu, part);
	case SPACE_UNMAP:
		return mmu_unmap_check(&space->mmu, part->va);
	case SPACE_PROTECT:
		return mmu_protect_check(&space->mmu, part->va, part->n_pages, part->prot);
	case SPACE_MIRROR:
		return mmu_mirror_check(&space->mmu, &space_op_source(space, op)->mmu, part->va);
	case SPACE_UNMIRROR:
	case SPACE_ZERO_ABSENT:
	case SPACE_GATE:
		break;
	}
	return E_OK;
}

/* Are there tables for all of a long operation, whose parts are checked? */
static err_t batch_op_check_tables(
        struct batch_run *run, const struct space *space, const struct space_op *op)
{
	struct mmu_tables tables = {.frames = batch_frames};
	err_t err;

	switch ((enum space_op_kind)op->kind) {
	case SPACE_MAP:
		tables.needed = mmu_map_need(&space->mmu, op->va, op->n_pages);
		break;
	case SPACE_MIRROR:
		tables.needed = mmu_mirror_need(
		        &space->mmu, &space_op_source(space, op)->mmu, op->va, op->n_pages);
		break;
	case SPACE_ZERO_ABSENT:
		tables.needed = mmu_zero_need(&space->mmu, op->va, op->n_pages);
		break;
	case SPACE_UNMAP:
	case SPACE_PROTECT:
	case SPACE_UNMIRROR:
	case SPACE_GATE:
		return E_OK;
	}
	err = space_tables_get(run, &tables);
	return err == E_OK ? mmu_tables_check(&tables, tables.n) : err;
}

/* The kinds that pass over what has no table, and so may name ranges of any size. */
static bool batch_op_passes_over_nothing(const struct space_op *op)
{
	return op->kind == SPACE_UNMAP || op->kind == SPACE_PROTECT || op->kind == SPACE_UNMIRROR;
}

static bool batch_op_zeroes(const struct space_op *op)
{
	return op->kind == SPACE_MAP && op->prot & SPACE_OP_ZERO && !(op->prot & SPACE_OP_DEVICE);
}

/* What there is to check of the operation as a whole. */
static err_t batch_op_check(const struct space *space, const struct space_op *op)
{
	uint64_t n_max =
	        batch_op_passes_over_nothing(op) ? SPACE_OP_NOTHING_MAX : SPACE_OP_PAGES_MAX;

	if (!mmu_range_is_valid(op->va, op->n_pages, n_max)) {
		return E_INVAL;
	}
	switch ((enum space_op_kind)op->kind) {
	case SPACE_MAP:
		return op->prot & SPACE_OP_DEVICE ? check_device(space, op) : E_OK;
	case SPACE_MIRROR:
		if (!space_op_source(space, op)) {
			return E_INVAL;
		}
		/* fallthrough */
	case SPACE_UNMIRROR:
		return op->va % MMU_TABLE_BYTES == 0 && op->n_pages % PTE_N == 0 ? E_OK : E_INVAL;
	case SPACE_GATE:
		return op->n_pages == 1 ? E_OK : E_INVAL;
	case SPACE_UNMAP:
	case SPACE_PROTECT:
	case SPACE_ZERO_ABSENT:
		return E_OK;
	}
	return E_INVAL;
}

/* The part of a long operation from run->place on; without a page when there is none left. */
static struct space_op batch_op_part(
        struct batch_run *run, const struct space *space, const struct space_op *op)
{
	vaddr_t end = op->va + op->n_pages * PAGE_SIZE, va = op->va + run->place * PAGE_SIZE;
	vaddr_t part_end;
	uint64_t n;

	if (op->kind == SPACE_MIRROR) {
		va = mmu_next(&space_op_source(space, op)->mmu, va, end);
	} else if (batch_op_passes_over_nothing(op)) {
		va = mmu_next(&space->mmu, va, end);
	}
	run->place = (uint32_t)((va - op->va) / PAGE_SIZE);
	part_end = mmu_part_end(va);
	n = ((part_end < end ? part_end : end) - va) / PAGE_SIZE;
	if (run->is_checked && batch_op_zeroes(op) && n > ZEROED_MAX) {
		n = ZEROED_MAX;
	}
	return (struct space_op){
	        .va = va, .arg = op->arg + (va - op->va), .n_pages = (uint32_t)n, .prot = op->prot};
}

/* May so much more be done before others run? Whatever is done first may. */
static bool batch_has_time(struct batch_run *run, uint32_t work)
{
	run->gives_way = run->work != 0 && run->work + work > WORK_MAX;
	run->work += work;
	return !run->gives_way;
}

static bool batch_part_has_time(
        struct batch_run *run, const struct space_op *op, const struct space_op *part)
{
	uint32_t page = run->is_checked && batch_op_zeroes(op) ? WORK_PAGE_ZEROED : WORK_PAGE;

	return batch_has_time(run, WORK_PART + part->n_pages * page);
}

/* One step of a long operation; is_checked with no page left: it is done. KCALL_PENDING: give way. */
static err_t batch_op_step(struct batch_run *run, struct space *space, const struct space_op *op)
{
	struct space_op part = batch_op_part(run, space, op);
	err_t err;

	if (part.n_pages == 0) {
		if (!batch_op_passes_over_nothing(op) &&
		        !batch_has_time(run, op->n_pages / PTE_N * WORK_TABLE)) {
			return KCALL_PENDING;
		}
		err = batch_op_check_tables(run, space, op);
		run->is_checked = err == E_OK;
		run->place = 0;
		return err;
	}
	if (!batch_part_has_time(run, op, &part)) {
		return KCALL_PENDING;
	}
	err = run->is_checked ? batch_part_run_with_tables(run, space, op, &part)
	                      : batch_part_check(space, op, &part);
	if (err == E_OK) {
		run->place += part.n_pages;
	}
	return err;
}

/* Has the operation at hand come to some place? */
static bool batch_op_is_begun(const struct batch_run *run)
{
	return run->place != 0 || run->is_checked;
}

static err_t batch_op_run_long(
        struct batch_run *run, struct space *space, const struct space_op *op)
{
	err_t err = E_OK;

	while (err == E_OK && !(run->is_checked && batch_op_part(run, space, op).n_pages == 0)) {
		err = batch_op_step(run, space, op);
	}
	return err;
}

/* An operation of any kind and size. */
static __attribute__((noinline)) err_t batch_op_run(
        struct batch_run *run, struct space *space, const struct space_op *op)
{
	err_t err = batch_op_check(space, op);

	if (err != E_OK) {
		return err;
	}
	if (!batch_op_is_begun(run)) {
		run->self->call_op = *op;
	}
	if (op->va + op->n_pages * PAGE_SIZE <= mmu_part_end(op->va) &&
	        (op->n_pages <= ZEROED_MAX || !batch_op_zeroes(op))) {
		run->is_checked = true;
		return batch_part_has_time(run, op, op)
		               ? batch_part_run_with_tables(run, space, op, op)
		               : KCALL_PENDING;
	}
	return batch_op_run_long(run, space, op);
}

/* Memory into one table: most operations. What is not that, or not so simple, is op_run's. */
static inline bool batch_op_is_plain_map(const struct space_op *op)
{
	return op->kind == SPACE_MAP && !(op->prot & (SPACE_OP_ZERO | SPACE_OP_DEVICE)) &&
	       op->va % PAGE_SIZE == 0 && op->va < ARCH_USER_END - MMU_TABLE_BYTES &&
	       op->n_pages - 1 < PTE_N - pte_index(op->va, PTE_LEVEL_PAGE);
}

static inline err_t batch_op_map_plain(
        struct batch_run *run, struct space *space, const struct space_op *op)
{
	const uint32_t work = WORK_PART + op->n_pages * WORK_PAGE;
	err_t err;

	run->work += work;
	if (run->work > WORK_MAX) {
		run->gives_way = true;
		return KCALL_PENDING;
	}
	err = mmu_map(&space->mmu, op, &run->no_tables);
	if (err == E_TABLES) {
		run->work -= work; /* or batch_op_run() would have no time for it, each time anew */
	}
	return err;
}

/* Run the operation at hand, or as much of it as there is time for: KCALL_PENDING. */
static inline err_t batch_step(struct batch_run *run, const struct space_op *op)
{
	err_t err = E_TABLES;

	if (op->space != run->space_id) {
		run->space = space_of(op->space);
		if (!run->space) {
			run->space_id = SPACE_NONE;
			return E_INVAL;
		}
		run->space_id = op->space;
	}
	if (batch_op_is_plain_map(op)) {
		err = batch_op_map_plain(run, run->space, op);
	}
	if (err == E_TABLES) {
		err = batch_op_run(run, run->space, op);
		if (err == E_OK) {
			run->place = 0;
			run->is_checked = false;
		}
	}
	return err;
}

static bool space_op_is_same(const struct space_op *a, const struct space_op *b)
{
	return a->kind == b->kind && a->space == b->space && a->va == b->va && a->arg == b->arg &&
	       a->n_pages == b->n_pages && a->prot == b->prot;
}

/* Run what is fetched at once. E_INVAL: the caller has written another operation where one is begun. */
static err_t batch_steps(struct batch_run *run)
{
	const struct space_op *op = run->fetched, *end;
	err_t err = space_ops_fetch(run);

	if (err == E_OK && batch_op_is_begun(run) && !space_op_is_same(op, &run->self->call_op)) {
		err = E_INVAL;
	}
	end = op + run->n_fetched;
	for (; err == E_OK && op < end; op++) {
		err = batch_step(run, op);
		run->batch.n_done += err == E_OK;
	}
	return err;
}

static err_t check_space_batch(struct batch_run *run)
{
	uint64_t progress = run->self->call_progress & ~PROGRESS_VALID;
	err_t err = user_read(run->self, run->address, &run->batch, sizeof(run->batch));

	if (err == E_OK) {
		err = user_write_check(run->self, run->address, sizeof(run->batch));
	}
	run->batch.n_done = (uint32_t)progress;
	run->batch.n_tables_used = (uint32_t)(progress >> 32);
	if (run->self->call_progress != 0) {
		run->place = (uint32_t)run->self->call_place;
		run->is_checked = run->self->call_place & PLACE_CHECKED;
	}
	if (err == E_OK && (run->batch.n_done > run->batch.n_ops ||
	                           run->batch.n_tables_used > run->batch.n_tables)) {
		err = E_INVAL; /* the caller's memory changed between two steps */
	}
	return err;
}

static void batch_progress_keep(const struct batch_run *run)
{
	run->self->call_progress =
	        PROGRESS_VALID | run->batch.n_done | (uint64_t)run->batch.n_tables_used << 32;
	run->self->call_place = run->place | (run->is_checked ? PLACE_CHECKED : 0);
}

/* The batch may have taken away the very page that its counts go to. */
static err_t batch_finish(struct batch_run *run, err_t result)
{
	struct instance *self = run->self;
	err_t err;

	if (run->space != NULL) {
		run->batch.n_spare = run->space->mmu.n_spare;
	}
	batch_progress_keep(run);
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
	err_t err;

	run.self = self;
	run.address = args[0];
	run.space = NULL;
	run.space_id = SPACE_NONE;
	run.no_tables = (struct mmu_tables){.frames = batch_frames};
	run.n_fetched = 0;
	run.work = 0;
	run.place = 0;
	run.is_checked = false;
	run.gives_way = false;
	err = check_space_batch(&run);
	if (err != E_OK) {
		if (err != KCALL_PENDING) {
			self->call_progress = 0;
		}
		return err;
	}
	while (err == E_OK && run.batch.n_done < run.batch.n_ops) {
		err = batch_steps(&run);
	}
	if (err == KCALL_PENDING) {
		batch_progress_keep(&run);
		return run.gives_way ? call_yield(self) : err;
	}
	return batch_finish(&run, err);
}
