/*
 * A job's life: its phases, its turn, and what ends a step. Which step follows which is in
 * chain.c; what a step does is in the room of the steps, behind a table of functions.
 *
 *   job_new      job_advance             job_on_begun
 *      `----> WAITING -------> BEGINNING -----------> WORKING
 *              | ^ ^              |                    |  |
 *              | | `--------------+--------------------'  |
 *              | |  job_hold      |  job_done, job_back,  |
 *              | |                |  job_park, job_on_timer
 *              | |                |                       |
 *              | `-----job_resume--- STALLED <------------+   job_stall, from WAITING too
 *              |                       |                  |
 *              |                       v                  |
 *              `-------------------> OVER <---------------'   job_end; job_resume
 *
 *   WAITING -> BEGINNING  job_advance: no other job goes first, the machine is there if the step
 *                         needs it, and the step's begin is recorded
 *   BEGINNING -> WORKING  job_on_begun: that is on disk
 *   WORKING -> WAITING    job_done (the next step), job_back (an earlier one), job_park and
 *                         job_on_timer (the same one again), and from BEGINNING, too, where it is put off
 *   any -> STALLED        job_stall: a write to the record failed
 *   STALLED -> WAITING    job_resume: the record can be written again
 *   any -> OVER           job_end: the end is recorded; the job is freed
 *   STALLED -> OVER       job_resume: the record has it as ended already
 *
 * What holds (job_check() asserts it):
 *
 *   all but OVER   ->row is open, and its step is one of its kind
 *   OVER           ->row has an end; the job is in no list when the caller returns
 *   WORKING,       the last row of the job's steps is this step, begun; if the step needs the
 *   BEGINNING      machine for itself, the job has the turn
 *   all but WORKING   nothing that was asked for will answer; no task, no proposal
 *   STALLED        no timer, no limit, no turn: as if lud had ended here
 *   all but WORKING   nobody knows of a set whether all that is open is only watched
 *   all            one job of a machine has the turn; a running limit is of the current step
 *
 * The record is ahead of the work and never behind it: a begin is on disk before the step acts,
 * its end is written when it has acted. Between the two lud may die; then the step is begun again, which
 * comes to the same end. So a step must either ask what became of its earlier attempt, or do
 * something that may be done twice.
 *
 * Two jobs of one service follow each other; from the first step that needs the turn on a job
 * has its machine for itself, so that the machine has one transaction at a time. A `start` goes
 * before all that was asked for after it.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/priv.h"
#include "orchestrator/job/core/statement.h"

/* Until a step is begun again that was parked although the machine is up. */
#define JOB_PARKED_USEC UINT64_C(200000)

static const struct {
	const char *name;
	unsigned int to; /* phases that may follow, as bits */
} job_phases[_JOB_PHASE_N] = {
        [JOB_WAITING] = {"waiting", 1u << JOB_BEGINNING | 1u << JOB_STALLED | 1u << JOB_OVER},
        [JOB_BEGINNING] = {"beginning",
                1u << JOB_WAITING | 1u << JOB_WORKING | 1u << JOB_STALLED | 1u << JOB_OVER},
        [JOB_WORKING] = {"working", 1u << JOB_WAITING | 1u << JOB_STALLED | 1u << JOB_OVER},
        [JOB_STALLED] = {"stalled", 1u << JOB_WAITING | 1u << JOB_OVER},
        [JOB_OVER] = {"over", 0},
};

void job_set_phase(struct job *job, enum job_phase phase)
{
	assert(job_phases[job->phase].to & 1u << phase);
	log_debug("job %" PRId64 ", step %s: %s -> %s", job->row.id, job_step_name(job->row.step),
	        job_phases[job->phase].name, job_phases[phase].name);
	job->phase = phase;
	job->set_soaks = job->set_soaks && phase == JOB_WORKING;
	work_changed(job);
	if (phase == JOB_WAITING && !job->row.wait_until_us) {
		job_wait_begin(job);
	}
}

void job_check(const struct job *job)
{
	const struct job *other;
	bool idle = job->phase != JOB_WORKING && job->phase != JOB_OVER;
	bool begun = job->phase == JOB_WORKING || job->phase == JOB_BEGINNING;

	assert((job_class(job->row.state) == JOB_CLASS_ENDED) == (job->phase == JOB_OVER));
	assert(job_step_is_of(job_way(job), job->row.step));
	assert(job->phase == JOB_OVER ||
	        job_state_is_of(job_way(job), job->row.step, job->row.state));
	assert(!job_state_is_put_off(job->row.state) || (!begun && !job->turn));
	assert(job->phase != JOB_WAITING || job->row.wait_until_us);
	assert(!begun || job->turn || !job_step_needs(job_way(job), job->row.step).turn);
	assert(!idle || (!job->proposal && !job->task));
	assert(!job->set_soaks || (job->phase == JOB_WORKING && job->row.step == JOB_STEP_SET));
	assert(job->phase != JOB_STALLED || (!job->turn && job->limit.kind == JOB_LIMIT_NONE));
	assert(job->limit.kind == JOB_LIMIT_NONE || job->limit.step == job->row.step);
	work_check(job);
	for (other = work_first(job->machine); other; other = work_next(other)) {
		assert(other == job || !other->turn || !job->turn);
	}
}

void job_settle_calls(struct job *job)
{
	evtimer_del(job->timer);
	evtimer_del(job->look);
	db_forget(job->engine->parts.db, job);
	machine_forget(job->machine, job);
	send_stop(&job->send);
	signer_client_forget(job->engine->parts.signer, job);
	statement_forget(job->engine, job);
	free(job->proposal);
	job->proposal = NULL;
	job->task = forge_task_free(job->task);
	for (size_t i = 0; i < job->n_parts; i++) {
		signer_client_forget(job->engine->parts.signer, &job->parts[i]);
		signer_client_forget(job->engine->parts.second, &job->parts[i]);
		job->parts[i].task = forge_task_free(job->parts[i].task);
	}
}

/*
 * What the job goes from is what runs when it starts: one before it in the queue may have changed
 * that since it was planned.
 */
static int job_begin_from(struct db *db, struct job *job)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);

	if (job->row.boot_id || !service || service->generation == job->row.from_generation) {
		return 0;
	}
	job->row.from_generation = service->generation;
	return err_up(store_job_from(db, job->row.id, service->generation));
}

/*
 * The begin of a step, and the state that goes with it: a row of its own each time, so that the history shows
 * every attempt.
 */
static int job_begin_txn(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = store_job_step_begin(db, job->row.id, job->row.step);

	if (!r) {
		r = store_job_update(db, &job->row);
	}
	return r ? err_up(r) : err_up(job_begin_from(db, job));
}

/* Its limit is that of the machine's answers, and its deadline. */
static bool job_wait_machine(struct job *job)
{
	char why[sizeof(job->row.wait_why)];

	job_unheard(job);
	snprintf(why, sizeof(why), "machine %.60s, which does not answer",
	        machine_row(job->machine)->name);
	return job_waits(job, why, job_limit_at_usec(job));
}

/*
 * Nothing is in its way: the begin is recorded, and it waits for nothing more. But a step without a limit gives what it waits for
 * deadlines of its own, which a lud that begins it anew does not move.
 */
static bool job_begin(struct job *job)
{
	const struct job_row was = job->row;
	struct job_wait wait = {was.wait_why, was.wait_until_us, was.wait_look_us};
	bool waits_on = job_step_needs(job_way(job), was.step).limit == JOB_LIMIT_NONE &&
	                !job_wait_is_turn(&was);

	if (!job_set_state(job, job_state_begun(job_way(job), job->row.step, job->row.state))) {
		return false;
	}
	job_row_wait(&job->row, waits_on ? &wait : NULL);
	return job_record(job, job_begin_txn, job);
}

/* The begin is on disk: now the step may act. */
static void job_on_begun(int r, void *arg)
{
	struct job *job = arg;
	struct job_news news = {.event = JOB_EVENT_STEP, .row = &job->row};

	if (r < 0) {
		(void)err_raise(r);
		job_stall(job);
		return;
	}
	job_limit_resume(job);
	job_set_phase(job, JOB_WORKING);
	job_check(job);
	hook_point(job_step_name(job->row.step), "begin");
	engine_tell(job->engine, &news);
	if (job->row.kind == JOB_SET) {
		/* Its jobs wait for that. */
		engine_wake(job->machine);
	}
	job->engine->steps[job->row.step].begin(job);
}

/* Nothing was begun on the machine, and nobody wants it any more. A set ends by its steps: its jobs do first. */
static bool job_is_to_end(struct job *job)
{
	if (!job->row.boot_id && !*job->row.cancel && job_set_is_over(job)) {
		snprintf(job->row.cancel, sizeof(job->row.cancel),
		        "its set, job %" PRId64 ", is over", job->row.parent);
	}
	return *job->row.cancel && !job->row.boot_id && job->row.kind != JOB_SET;
}

/*
 * Begins the step if nothing stands in its way. Its limit runs from the moment when no other job
 * does, so that a machine that is not there does not keep the job for ever.
 */
static void job_advance(struct job *job)
{
	struct job_step_needs needs = job_step_needs(job_way(job), job->row.step);

	job_check(job);
	if (job->phase != JOB_WAITING) {
		return;
	}
	if (job_is_to_end(job)) {
		job_cancel(job);
		return;
	}
	if (!job_gate_is_open(job)) {
		return;
	}
	if (job_must_wait(job)) {
		job_wait_turn(job);
		job_set_tell(job);
		return;
	}
	job_limit_begin(job);
	if (needs.session && machine_state(job->machine) != MACHINE_UP) {
		(void)job_wait_machine(job);
		return;
	}
	if (!job_begin(job)) {
		return;
	}
	evtimer_del(job->timer);
	evtimer_del(job->look);
	job->turn = job->turn || needs.turn;
	job_limit_pause(job);
	job_set_phase(job, JOB_BEGINNING);
	db_after(job->engine->parts.db, job_on_begun, job);
}

static void job_on_kick(evutil_socket_t fd, short what, void *arg)
{
	job_advance(arg);
}

/*
 * Whether the step, begun again, only looks once more whether its time has come: a soak does for days, a set as long as its
 * jobs go on, which have a history of their own, and a start several times a second until the machine is up. None of
 * that is news for the history.
 */
static bool job_only_looks(const struct job *job)
{
	return job_only_soaks(job) || job->row.kind == JOB_SET ||
	       (job->row.kind == JOB_START && job->row.step == JOB_STEP_CONFIRM);
}

/* The step at work, or one that was parked, is begun again. */
static void job_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	job_settle_calls(job);
	if (job->phase == JOB_WORKING && job_only_looks(job)) {
		job->engine->steps[job->row.step].begin(job);
		return;
	}
	if (job->phase == JOB_WORKING) {
		job_set_phase(job, JOB_WAITING);
	}
	job_advance(job);
}

/* By a timer and not at once: whoever kicks may be in the middle of another job's step. */
void job_kick(struct job *job)
{
	static const struct timeval now = {0, 0};

	evtimer_add(job->kick, &now);
}

struct job *job_new(struct engine *engine, const struct job_row *row)
{
	struct job *job = mem_zero(sizeof(*job));

	job->engine = engine;
	job->row = *row;
	job->machine = machines_by_id(engine->machines, row->machine);
	job->kick = evtimer_new(engine->parts.base, job_on_kick, job);
	job->timer = evtimer_new(engine->parts.base, job_on_timer, job);
	job->look = evtimer_new(engine->parts.base, job_on_look, job);
	job->phase = JOB_WAITING;
	if (!job->row.wait_until_us) {
		job_wait_begin(job);
	}
	job_limit_init(job);
	assert(job->machine);
	work_add(job);
	job_check(job);
	job_kick(job);
	return job;
}

struct job *job_free(struct job *job)
{
	job_settle_calls(job);
	job_place_wait(job, NULL);
	work_remove(job);
	job_parts_free(job);
	send_fini(&job->send);
	free(job->order_envelope);
	free(job->plan_text);
	event_free(job->kick);
	event_free(job->timer);
	event_free(job->look);
	job_limit_fini(job);
	free(job);
	return NULL;
}

bool job_awaits_result(const struct job *job)
{
	return job->phase == JOB_WORKING && job->engine->steps[job->row.step].result;
}

struct job_done_txn {
	struct job *job;
	const char *detail;
	db_txn_fn also;
	void *also_arg;
};

/* With the step changes the state. */
static int job_done_write(struct db *db, void *arg)
{
	struct job_done_txn *txn = arg;
	struct job *job = txn->job;
	int r = txn->also ? txn->also(db, txn->also_arg) : 0;

	if (!r) {
		r = store_job_step_end(db, job->row.id, JOB_STEP_DONE, txn->detail);
	}
	if (!r) {
		r = store_job_update(db, &job->row);
	}
	return err_fold(r);
}

/* In memory, for the write that follows; one that fails leaves a job which is read anew anyway. */
static bool job_goes_to(struct job *job, enum job_step step)
{
	if (!job_wait_at(job, step)) {
		return false;
	}
	job->row.step = step;
	return true;
}

void job_done(struct job *job, const char *detail, db_txn_fn also, void *also_arg)
{
	job_done_by(job, JOB_ON_DONE, detail, also, also_arg);
}

void job_done_by(struct job *job, enum job_step_event event, const char *detail, db_txn_fn also,
        void *also_arg)
{
	struct job_done_txn txn = {job, detail, also, also_arg};
	enum job_step next = job_next(job_way(job), job->row.step, event);
	const char *step = job_step_name(job->row.step);

	job_check(job);
	assert(job->phase == JOB_WORKING);
	assert(next != JOB_STEP_PLAN && next != _JOB_STEP_N);
	hook_point(step, "did");
	if (!job_goes_to(job, next)) {
		return;
	}
	if (!job_record(job, job_done_write, &txn)) {
		return;
	}
	hook_point(step, "end");
	job_settle_calls(job);
	job_limit_end(job);
	job_set_phase(job, JOB_WAITING);
	job_kick(job);
}

bool job_only_soaks(const struct job *job)
{
	return (job->row.step == JOB_STEP_SOAK ||
	               (job->row.step == JOB_STEP_SET && job->set_soaks)) &&
	       job->phase != JOB_STALLED;
}

void job_leave_turn(struct job *job)
{
	assert(job_only_soaks(job));
	if (job->turn) {
		job->turn = false;
		work_changed(job);
		engine_wake(job->machine);
		job_set_tell(job);
	}
}

static void job_timer_set(struct job *job, uint64_t usec)
{
	struct timeval pause = {usec / 1000000, usec % 1000000};

	evtimer_add(job->timer, &pause);
}

void job_park(struct job *job, const char *why)
{
	job_check(job);
	log_info("job %" PRId64 " waits in step %s: %s", job->row.id, job_step_name(job->row.step),
	        why);
	job_settle_calls(job);
	job_set_phase(job, JOB_WAITING);
	/* Whatever it was, it would be so again at once. */
	if (job_wait_machine(job) && machine_state(job->machine) == MACHINE_UP) {
		job_timer_set(job, JOB_PARKED_USEC);
	}
}

void job_again(struct job *job, uint64_t usec)
{
	job_check(job);
	assert(job->phase == JOB_WORKING);
	job_timer_set(job, usec);
}

void job_back(struct job *job, enum job_step_event event, const char *why)
{
	enum job_step step = job_next(job_way(job), job->row.step, event);

	job_check(job);
	assert(job->phase == JOB_WORKING && step != JOB_STEP_PLAN && step != _JOB_STEP_N);
	log_info("job %" PRId64 " goes back to step %s: %s", job->row.id, job_step_name(step), why);
	job_settle_calls(job);
	job_limit_end(job);
	if (!job_goes_to(job, step)) {
		return;
	}
	job->row.boot_id = 0;
	if (!job_save(job)) {
		return;
	}
	job_set_phase(job, JOB_WAITING);
	job_kick(job);
}

void job_notice(struct job *job, const char *text)
{
	struct job_news news = {.event = JOB_EVENT_NOTICE, .row = &job->row, .text = text};

	engine_tell(job->engine, &news);
}

void job_progress(struct job *job, uint64_t done, uint64_t total, const char *text)
{
	struct job_news news = {
	        .event = JOB_EVENT_PROGRESS,
	        .row = &job->row,
	        .done = done,
	        .total = total,
	        .text = text,
	};

	job_limit_again(job, 0);
	engine_tell(job->engine, &news);
}
