/*
 * Jobs as messages for clients, with what became of them and the names of what they refer to. A
 * job that cannot be read is an error of the record, never a job with less in it. Two kinds of
 * jobs are in no record: one that was never made because the service was skipped, and one that
 * stands still because the record cannot be written.
 */
#include "orchestrator/control/view/view.h"

#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/chain.h"

#define VIEW_STEPS_MAX 200u
#define VIEW_CHILDREN_MAX 100u

static const char view_step_open[] = "open";

/* The steps of one job while they are filled in. */
struct view_steps {
	struct pool *pool;
	Control__Job *job;
	bool is_over;
};

/* A step without an end goes on only if nothing came after it: else it was left, as by the end of lud, and begun again. */
static void view_step_left(const struct view_steps *visit)
{
	Control__JobStep *last =
	        visit->job->n_steps ? visit->job->steps[visit->job->n_steps - 1] : NULL;

	if (last && !strcmp(last->state, view_step_open)) {
		last->state = "left";
	}
}

/* Steps beyond VIEW_STEPS_MAX are left out: a job that waits for days repeats itself. */
static int view_step(const struct job_step_row *row, void *arg)
{
	static const char *const states[_JOB_STEP_STATE_N] = {
	        [JOB_STEP_BEGUN] = view_step_open,
	        [JOB_STEP_DONE] = "done",
	        [JOB_STEP_FAILED] = "failed",
	};
	struct view_steps *visit = arg;
	Control__JobStep *step;

	view_step_left(visit);
	if (visit->job->n_steps == VIEW_STEPS_MAX) {
		return 0;
	}
	step = pool_zero(visit->pool, sizeof(*step));
	control__job_step__init(step);
	step->name = (char *)job_step_name(row->step);
	step->state = (char *)states[row->state];
	step->started_us = row->started_us;
	step->ended_us = row->ended_us;
	step->detail = pool_text(visit->pool, row->detail);
	visit->job->steps[visit->job->n_steps++] = step;
	if (visit->is_over) {
		view_step_left(visit);
	}
	return 0;
}

/*
 * How the machine knows the job: by the order that was made for what it does, or by its result where that is not kept
 * any more.
 */
static int view_job_order(struct db *db, int64_t id, Control__Job *view)
{
	struct order_row order;
	int r = store_order_newest(db, id, ORDER_UPDATE, &order);

	if (r == DB_E_NONE) {
		r = store_order_newest(db, id, 0, &order);
	}
	if (!r) {
		view->epoch = order.epoch;
		view->txn = order.txn;
	} else if (r == DB_E_NONE && view->result) {
		view->epoch = view->result->epoch;
		view->txn = view->result->txn;
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

static int view_job_outcome(struct pool *pool, struct db *db, int64_t id, Control__Job *view)
{
	struct job_outcome outcome;
	int r = store_job_outcome_get(db, id, &pool->allocator, &outcome);

	if (!r) {
		view->cause = outcome.cause;
		view->result = outcome.result;
		view->lost = pool_zero(pool, outcome.lost.n * sizeof(*view->lost));
	}
	for (; !r && view->n_lost < outcome.lost.n; view->n_lost++) {
		view->lost[view->n_lost] = (char *)outcome.lost.fields[view->n_lost];
	}
	return err_fold(r);
}

/* Empty while it is not known: no hash is all zero. */
static ProtobufCBinaryData view_plan_hash(struct pool *pool, const struct job_row *row)
{
	static const uint8_t none[sizeof(row->plan)];

	return pool_bytes(
	        pool, row->plan, memcmp(row->plan, none, sizeof(none)) ? sizeof(row->plan) : 0);
}

/*
 * The numbers of kinds and states are the protocol's, so that they can be copied; the build
 * checks that the two lists agree.
 */
static void view_job_row(struct pool *pool, const struct job_row *row, Control__Job *view)
{
	view->id = row->id;
	view->service = pool_text(pool, row->service);
#define JOB_KIND(name, number, word, priority)                                                     \
	_Static_assert(CONTROL__JOB_KIND__JOB_KIND_##name == (number), "as in the record");
#define JOB_STATE(name, number, word, class)                                                       \
	_Static_assert(CONTROL__JOB_STATE__JOB_STATE_##name == (number), "as in the record");
#include "proto/words/jobs.def"
#undef JOB_KIND
#undef JOB_STATE
	view->kind = (Control__JobKind)row->kind;
	view->state = (Control__JobState)row->state;
	view->identity = pool_text(pool, row->identity);
	view->way = (char *)access_way_word(row->way);
	view->role = row->role == ACCESS_NOBODY ? "" : (char *)access_role_word(row->role);
	view->uid = row->way == ACCESS_WAY_LOCAL ? row->uid : 0;
	view->reason = pool_text(pool, row->reason);
	view->override = row->overrides;
	view->request_id = pool_text(pool, row->request_id);
	view->plan = view_plan_hash(pool, row);
	view->generation = row->generation;
	view->from_generation = row->from_generation;
	view->created_us = row->created_us;
	view->ended_us = row->ended_us;
	view->hint = pool_text(pool, row->hint);
	view->parent = row->parent;
	view->state_us = row->state_us;
	view->scheduled = row->scheduled;
	view->waits_for = pool_text(pool, row->wait_why);
	view->deadline_us = row->wait_until_us;
	view->next_look_us = row->wait_look_us;
	if (job_step_is_of((struct job_way){row->kind, row->machine_made}, JOB_STEP_STAGE)) {
		view->layout = (char *)view_layout(row->machine_made);
	}
}

/*
 * Names of what the job refers to, and what became of it. A job refers to its machine and release
 * by rows that are never deleted: one that is missing is damage, not an old job.
 */
static int view_job_more(
        struct pool *pool, struct db *db, const struct job_row *row, Control__Job *view)
{
	struct machine_row machine;
	struct release_row release;
	int r = store_machine_by_id(db, row->machine, &machine);

	if (!r) {
		view->machine = pool_text(pool, machine.name);
	}
	if (!r && row->release) {
		r = store_release_by_id(db, row->release, &release);
	}
	if (!r && row->release) {
		view->release_id = pool_bytes(pool, release.release_id, sizeof(release.release_id));
	}
	if (!r) {
		r = view_job_outcome(pool, db, row->id, view);
	}
	return err_fold(r);
}

/* The jobs that one asked for while they are filled in. */
struct view_children {
	struct pool *pool;
	Control__Job *parent;
};

/* Those beyond VIEW_CHILDREN_MAX are left out: more than a machine has services, there and back. */
static int view_child(const struct job_row *row, void *arg)
{
	struct view_children *visit = arg;
	Control__JobChild *view;

	if (visit->parent->n_children == VIEW_CHILDREN_MAX) {
		return 0;
	}
	view = pool_zero(visit->pool, sizeof(*view));
	control__job_child__init(view);
	view->job = (uint64_t)row->id;
	view->service = pool_text(visit->pool, row->service);
	view->kind = (Control__JobKind)row->kind;
	view->state = (Control__JobState)row->state;
	view->generation = row->generation;
	view->from_generation = row->from_generation;
	view->reason = pool_text(visit->pool, row->reason);
	view->hint = pool_text(visit->pool, row->hint);
	view->created_us = row->created_us;
	view->ended_us = row->ended_us;
	visit->parent->children[visit->parent->n_children++] = view;
	return 0;
}

static int view_children(struct pool *pool, struct db *db, Control__Job *view)
{
	struct view_children visit = {pool, view};

	view->children = pool_zero(pool, VIEW_CHILDREN_MAX * sizeof(*view->children));
	return err_up(store_job_each_child(db, (int64_t)view->id, view_child, &visit));
}

static int view_plan_text(struct pool *pool, struct db *db, Control__Job *view)
{
	_cleanup_(freep) uint8_t *text = NULL;
	size_t size;
	int r = store_plan_get(db, (int64_t)view->id, &text, &size);

	if (r) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	view->plan_text = pool_zero(pool, size + 1);
	memcpy(view->plan_text, text, size);
	return 0;
}

/*
 * DB_E_NONE when there is no such job. The short form leaves out steps, findings, children and the plan, for lists
 * that may have many jobs.
 */
int view_job(struct pool *pool, struct engine *engine, int64_t id, bool with_steps,
        Control__Job **ret_view)
{
	struct db *db = engine_db(engine);
	Control__Job *view = pool_zero(pool, sizeof(*view));
	struct view_steps steps = {pool, view, false};
	struct job_row row;
	int r = store_job_find(db, id, &row);

	if (r) {
		return err_up(r);
	}
	control__job__init(view);
	view_job_row(pool, &row, view);
	r = view_job_more(pool, db, &row, view);
	if (!r) {
		r = view_job_order(db, id, view);
	}
	if (!r) {
		r = view_job_pairing(pool, db, &row, with_steps, view);
	}
	if (!r && with_steps) {
		view->steps = pool_zero(pool, VIEW_STEPS_MAX * sizeof(*view->steps));
		steps.is_over = row.ended_us != 0;
		r = store_job_step_each(db, id, view_step, &steps);
	}
	if (!r && with_steps) {
		r = view_children(pool, db, view);
	}
	if (!r && with_steps) {
		r = view_plan_text(pool, db, view);
	}
	if (r < 0) {
		return err_up(r);
	}
	*ret_view = view;
	return 0;
}

/*
 * Its state is "inconsistent": it is true that nobody can say how the job ends, and untrue that it has
 * ended. What the record still tells of it is shown; without that, its id.
 */
Control__Job *view_stalled(struct pool *pool, struct engine *engine, int64_t id)
{
	Control__Job *view;
	Wire__Cause *cause = pool_zero(pool, sizeof(*cause));
	struct failure failure;

	if (view_job(pool, engine, id, false, &view) != 0) {
		err_forget();
		view = pool_zero(pool, sizeof(*view));
		control__job__init(view);
		view->id = id;
	}
	db_failure(engine_db(engine), &failure);
	wire__cause__init(cause);
	cause->component = pool_text(pool, failure.place);
	cause->step = "record";
	cause->name = pool_text(pool, failure.code);
	cause->message = pool_text(pool, failure.cause);
	view->state = CONTROL__JOB_STATE__JOB_STATE_INCONSISTENT;
	view->cause = cause;
	view->hint =
	        pool_format(pool, "the job stays open and is settled later; %s", failure.remedy);
	return view;
}

/* The reason takes the place of a cause, so that luctl shows it as it shows those. */
Control__Job *view_skipped(
        struct pool *pool, const struct machine *machine, const struct job_skip *skip)
{
	Control__Job *view = pool_zero(pool, sizeof(*view));
	Wire__Cause *cause = pool_zero(pool, sizeof(*cause));

	control__job__init(view);
	wire__cause__init(cause);
	cause->component = pool_text(pool, skip->failure.place);
	cause->step = "plan";
	cause->name = pool_text(pool, skip->failure.code);
	cause->message = pool_text(pool, skip->failure.cause);
	view->machine = pool_text(pool, machine_row(machine)->name);
	view->service = pool_text(pool, skip->service);
	view->kind = CONTROL__JOB_KIND__JOB_KIND_RERANDOMIZE;
	view->state = skip->refused ? CONTROL__JOB_STATE__JOB_STATE_REFUSED
	                            : CONTROL__JOB_STATE__JOB_STATE_SKIPPED;
	view->cause = cause;
	view->hint = pool_text(pool, skip->failure.remedy);
	return view;
}
