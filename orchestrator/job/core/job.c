/*
 * A job takes the steps of its kind one after the other:
 *
 *   update, rollback, prepare; rerandomize without pair, for the release stays the same:
 *       plan -> pair -> seed -> forge -> sign -> stage -> order -> run -> check -> confirm
 *   start:
 *       plan -> seed -> forge -> sign -> image -> launch -> confirm
 *   restart, shutdown:
 *       plan -> order -> run
 *
 * and ends in one of the states below, from any step:
 *
 *   OPEN --job_end--> COMMITTED    the machine runs what was made
 *                     PREPARED     prepare only, and it could run
 *                     REFUSED      the machine said no before it began
 *                     ROLLED_BACK  the machine began and undid it
 *                     FAILED       something failed before the machine was asked
 *                     UNKNOWN      the machine cannot say what became of it
 *
 * Each step is idempotent: begun again after a crash it comes to the same end. Two
 * jobs of one service follow each other; from `stage` on a job has its machine for
 * itself (its turn), so that the machine has one transaction at a time. Every step
 * has a time limit of lud's own, which runs from the moment when no other job stands
 * in its way, whether the machine is heard or not; it begins anew when the step comes
 * forward. Time that was given for the job as a whole bounds every step until the order
 * is sent, and is the order's own limit then, as far as it is left. The invariants: ->busy while a
 * step is begun and not over; an ended job is in no list.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/hook.h"
#include "orchestrator/job/core/job.h"

/* What limits the time of a step. */
enum job_limit {
	JOB_LIMIT_WORK,    /* the signer or a forge worker, which have limits of their own */
	JOB_LIMIT_MACHINE, /* the machine's answers: machine.answer_timeout */
	JOB_LIMIT_BOOT,    /* the machine's start, which machine.boot_timeout limits first */
};

/* Backstops: what is limited by others ends before. */
#define JOB_WORK_USEC UINT64_C(900000000)
#define JOB_BOOT_GRACE_USEC UINT64_C(10000000)
/* Until a step is begun again that was parked although the machine is up. */
#define JOB_PARKED_USEC UINT64_C(200000)

struct job_step_rule {
	void (*begin)(struct job *job);
	bool needs_turn;    /* the machine for itself */
	bool needs_session; /* an open session with it */
	enum job_step next; /* _JOB_STEP_N: the job is over */
	enum job_limit limit;
};

static const struct job_step_rule job_update_rules[_JOB_STEP_N] = {
        [JOB_STEP_PAIR] = {job_step_pair, false, true, JOB_STEP_SEED, JOB_LIMIT_WORK},
        [JOB_STEP_SEED] = {job_step_seed, false, false, JOB_STEP_FORGE, JOB_LIMIT_WORK},
        [JOB_STEP_FORGE] = {job_step_forge, false, false, JOB_STEP_SIGN, JOB_LIMIT_WORK},
        [JOB_STEP_SIGN] = {job_step_sign, false, true, JOB_STEP_STAGE, JOB_LIMIT_WORK},
        [JOB_STEP_STAGE] = {job_step_stage, true, true, JOB_STEP_ORDER, JOB_LIMIT_MACHINE},
        [JOB_STEP_ORDER] = {job_step_order, true, true, JOB_STEP_RUN, JOB_LIMIT_MACHINE},
        [JOB_STEP_RUN] = {job_step_run, true, true, JOB_STEP_CHECK, JOB_LIMIT_MACHINE},
        [JOB_STEP_CHECK] = {job_step_check, true, true, JOB_STEP_CONFIRM, JOB_LIMIT_MACHINE},
        [JOB_STEP_CONFIRM] = {job_step_confirm, true, true, _JOB_STEP_N, JOB_LIMIT_MACHINE},
};

static const struct job_step_rule job_start_rules[_JOB_STEP_N] = {
        [JOB_STEP_SEED] = {job_step_seed, true, false, JOB_STEP_FORGE, JOB_LIMIT_WORK},
        [JOB_STEP_FORGE] = {job_step_forge, true, false, JOB_STEP_SIGN, JOB_LIMIT_WORK},
        [JOB_STEP_SIGN] = {job_step_sign, true, false, JOB_STEP_IMAGE, JOB_LIMIT_WORK},
        [JOB_STEP_IMAGE] = {job_step_image, true, false, JOB_STEP_LAUNCH, JOB_LIMIT_WORK},
        [JOB_STEP_LAUNCH] = {job_step_launch, true, false, JOB_STEP_CONFIRM, JOB_LIMIT_BOOT},
        [JOB_STEP_CONFIRM] = {job_step_confirm_start, true, false, _JOB_STEP_N, JOB_LIMIT_BOOT},
};

static const struct job_step_rule job_order_rules[_JOB_STEP_N] = {
        [JOB_STEP_ORDER] = {job_step_order, true, true, JOB_STEP_RUN, JOB_LIMIT_MACHINE},
        [JOB_STEP_RUN] = {job_step_run, true, true, _JOB_STEP_N, JOB_LIMIT_MACHINE},
};

static const struct job_step_rule *job_rule(const struct job *job)
{
	switch (job->row.kind) {
	case JOB_START:
		return &job_start_rules[job->row.step];
	case JOB_RESTART:
	case JOB_SHUTDOWN:
		return &job_order_rules[job->row.step];
	case JOB_UPDATE:
	case JOB_ROLLBACK:
	case JOB_RERANDOMIZE:
	case JOB_PREPARE:
	case _JOB_KIND_N:
		break;
	}
	return &job_update_rules[job->row.step];
}

static int job_save_txn(struct db *db, void *arg)
{
	return store_job_update(db, arg);
}

/* Nothing that was asked for answers to this job any more. */
static void job_settle_calls(struct job *job)
{
	evtimer_del(job->timer);
	machine_forget(job->machine, job);
	signer_client_forget(job->engine->parts.signer, job);
	engine_state_forget(job->engine, job);
	job_order_drop_proposal(job);
	job->task = forge_task_free(job->task);
	for (size_t i = 0; i < job->n_parts; i++) {
		signer_client_forget(job->engine->parts.signer, &job->parts[i]);
		job->parts[i].task = forge_task_free(job->parts[i].task);
	}
}

static void job_limit_end(struct job *job)
{
	job->limited = _JOB_STEP_N;
	job->unheard = false;
	evtimer_del(job->limit);
}

/*
 * The record is the ground we stand on: without it nothing more may be done. The job
 * is let go as if lud had ended here, and taken up from the record when it can be
 * written again.
 */
static void job_stall(struct job *job)
{
	struct job_news news = {.event = JOB_EVENT_STALLED, .row = &job->row};

	if (job->stalled) {
		return;
	}
	log_error("job %" PRId64 " stands still: the record cannot be written: %s", job->row.id,
	        err_trace());
	err_forget();
	job_settle_calls(job);
	job_limit_end(job);
	job->busy = job->turn = false;
	job->stalled = true;
	engine_tell(job->engine, &news);
}

bool job_record(struct job *job, db_txn_fn fn, void *arg)
{
	int r = db_txn(job->engine->parts.db, fn, arg);

	if (r) {
		job_stall(job);
	}
	return !r;
}

bool job_save(struct job *job)
{
	return job_record(job, job_save_txn, &job->row);
}

bool job_resume(struct job *job)
{
	struct job_row row;
	struct job_news news = {.event = JOB_EVENT_ENDED, .row = &row};
	struct engine *engine = job->engine;

	if (store_job_find(engine->parts.db, job->row.id, &row) != 0) {
		log_error("job %" PRId64 ": it cannot be read: %s", job->row.id, err_trace());
		err_forget();
		return false;
	}
	log_info("job %" PRId64 " is taken up again in step %s", row.id, job_step_name(row.step));
	if (row.ended_us) {
		job_free(job);
		engine_tell(engine, &news);
		return true;
	}
	job_parts_free(job);
	job->row = row;
	job->stalled = false;
	job_kick(job);
	return true;
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

static int job_begin_txn(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = store_job_step_begin(db, job->row.id, job->row.step);

	return r ? err_up(r) : err_up(job_begin_from(db, job));
}

/* Whether another job must go first. */
static bool job_must_wait(const struct job *job)
{
	const struct job *other;

	TAILQ_FOREACH(other, &job->engine->jobs, link)
	{
		bool earlier = other->row.id < job->row.id;

		if (other == job || other->machine != job->machine) {
			continue;
		}
		if (earlier && (!strcmp(other->row.service, job->row.service) ||
		                       other->row.kind == JOB_START)) {
			return true;
		}
		if (job_rule(job)->needs_turn && !job->turn &&
		        (other->turn || (other->row.boot_id && !job->row.boot_id))) {
			return true;
		}
	}
	return false;
}

static uint64_t job_limit_usec(const struct job *job)
{
	const struct config *config = job->engine->parts.config;

	switch (job_rule(job)->limit) {
	case JOB_LIMIT_WORK:
		return job->unheard ? config->answer_timeout_usec : JOB_WORK_USEC;
	case JOB_LIMIT_MACHINE:
		return config->answer_timeout_usec;
	case JOB_LIMIT_BOOT:
		return config->boot_timeout_usec + JOB_BOOT_GRACE_USEC;
	}
	return JOB_WORK_USEC;
}

uint64_t job_clock_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The job's own time runs from the first step that it began, in this lud or one before. */
static void job_deadline_begin(struct job *job)
{
	int64_t wall = store_now_usec();
	int64_t began = wall;

	if (!job->row.timeout_ms || job->deadline_usec) {
		return;
	}
	if (store_job_began(job->engine->parts.db, job->row.id, &began) || began > wall) {
		err_forget();
		began = wall;
	}
	job->deadline_usec = job_clock_usec() + (uint64_t)job->row.timeout_ms * 1000;
	job->deadline_usec -= (uint64_t)(wall - began) < job->deadline_usec
	                              ? (uint64_t)(wall - began)
	                              : job->deadline_usec - 1;
}

uint64_t job_left_usec(const struct job *job)
{
	uint64_t now = job_clock_usec();

	if (!job->deadline_usec || job->row.boot_id) {
		return UINT64_MAX;
	}
	return now < job->deadline_usec ? job->deadline_usec - now : 0;
}

void job_limit_again(struct job *job, uint64_t more_usec)
{
	uint64_t usec = job_limit_usec(job) + more_usec;
	uint64_t left = job_left_usec(job);
	struct timeval limit;

	job->limited_by_deadline = left < usec;
	usec = job->limited_by_deadline ? left : usec;
	limit = (struct timeval){usec / 1000000, usec % 1000000};
	evtimer_add(job->limit, &limit);
}

/* Sets the step's time limit when it is its turn for the first time. */
static void job_limit(struct job *job)
{
	if (job->limited != job->row.step) {
		job->limited = job->row.step;
		job->limited_usec = store_now_usec();
		job_deadline_begin(job);
		job_limit_again(job, 0);
	}
}

/* A step that is limited by its work, and waits for the machine first, waits no longer than others. */
static void job_unheard(struct job *job)
{
	if (!job->unheard && job->limited == job->row.step &&
	        job_rule(job)->limit == JOB_LIMIT_WORK) {
		job->unheard = true;
		job_limit_again(job, 0);
	}
}

void job_heard(struct job *job)
{
	if (job->unheard) {
		job->unheard = false;
		job_limit_again(job, 0);
	}
}

/* What the step waited for, in words that name the machine's state. */
static void job_limit_failure(const struct job *job, struct failure *ret_failure)
{
	const struct machine_row *machine = machine_row(job->machine);
	const char *step = job_step_name(job->row.step);
	const char *why = *machine_why(job->machine) ? machine_why(job->machine) : job->put_off;
	uint64_t sec = job_limit_usec(job) / 1000000;
	char remedy[sizeof(ret_failure->remedy)];

	if (job->limited_by_deadline) {
		failure_set(ret_failure, "job-timeout", step,
		        "nothing was begun on the machine; give it more time with --timeout",
		        "the %.3g s given for the whole job passed in step %s",
		        (double)job->row.timeout_ms / 1000, step);
		return;
	}
	if (job_rule(job)->limit == JOB_LIMIT_WORK && !job->unheard) {
		failure_set(ret_failure, "step-timeout", step, "see the log of lud, and try again",
		        "step %s did not come forward for %" PRIu64 " s", step, sec);
		return;
	}
	snprintf(remedy, sizeof(remedy),
	        job->row.boot_id
	                ? "what became of it shows in `luctl history -m %s` when the machine "
	                  "answers again; `luctl machine stop %s --force` ends one that does not"
	                : "nothing was begun: see `luctl machine list`, and ask again when the "
	                  "machine answers",
	        machine->name, machine->name);
	failure_set(ret_failure,
	        machine_state(job->machine) == MACHINE_SILENT ? "machine-silent" : "step-timeout",
	        machine->name, remedy,
	        "step %s waited %" PRIu64 " s for machine %s, which is %s%s%s", step, sec,
	        machine->name, machine_state_name(machine_state(job->machine)), *why ? ": " : "",
	        why);
}

static void job_on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	struct failure failure;

	job_limit_failure(job, &failure);
	if (job_confirm_give_up(job, &failure)) {
		return;
	}
	job_fail(job, job->row.boot_id ? JOB_UNKNOWN : JOB_FAILED, &failure);
}

static void job_advance(struct job *job)
{
	const struct job_step_rule *rule = job_rule(job);
	struct job_news news = {.event = JOB_EVENT_STEP, .row = &job->row};

	if (job->busy || job->stalled || job_must_wait(job)) {
		return;
	}
	job_limit(job);
	if (rule->needs_session && machine_state(job->machine) != MACHINE_UP) {
		job_unheard(job);
		return;
	}
	if (!job_record(job, job_begin_txn, job)) {
		return;
	}
	job->turn = job->turn || rule->needs_turn;
	job->busy = true;
	hook_point(job_step_name(job->row.step), "begin");
	engine_tell(job->engine, &news);
	rule->begin(job);
}

static void job_on_kick(evutil_socket_t fd, short what, void *arg)
{
	job_advance(arg);
}

static void job_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	job_settle_calls(job);
	job->busy = false;
	job_advance(job);
}

void job_kick(struct job *job)
{
	static const struct timeval now = {0, 0};

	evtimer_add(job->kick, &now);
}

struct job *engine_job_new(struct engine *engine, const struct job_row *row)
{
	struct job *job = mem_zero(sizeof(*job));

	job->engine = engine;
	job->row = *row;
	job->machine = machines_by_id(engine->machines, row->machine);
	job->kick = evtimer_new(engine->parts.base, job_on_kick, job);
	job->timer = evtimer_new(engine->parts.base, job_on_timer, job);
	job->limit = evtimer_new(engine->parts.base, job_on_limit, job);
	job->limited = _JOB_STEP_N;
	assert(job->machine);
	TAILQ_INSERT_TAIL(&engine->jobs, job, link);
	job_kick(job);
	return job;
}

struct job *job_free(struct job *job)
{
	job_settle_calls(job);
	TAILQ_REMOVE(&job->engine->jobs, job, link);
	job_parts_free(job);
	for (size_t i = 0; i < 2; i++) {
		free(job->stage[i].bytes);
	}
	free(job->order_envelope);
	event_free(job->kick);
	event_free(job->timer);
	event_free(job->limit);
	free(job);
	return NULL;
}

struct job_done_txn {
	struct job *job;
	const char *detail;
	db_txn_fn also;
	void *also_arg;
};

static int job_done_write(struct db *db, void *arg)
{
	struct job_done_txn *txn = arg;
	struct job *job = txn->job;
	int r = txn->also ? txn->also(db, txn->also_arg) : 0;

	if (!r) {
		r = store_job_step_end(db, job->row.id, JOB_STEP_DONE, txn->detail);
	}
	if (!r) {
		job->row.step = job_rule(job)->next;
		r = store_job_update(db, &job->row);
	}
	return err_fold(r);
}

void job_done(struct job *job, const char *detail, db_txn_fn also, void *also_arg)
{
	struct job_done_txn txn = {job, detail, also, also_arg};
	const char *step = job_step_name(job->row.step);

	assert(job->busy && job_rule(job)->next != _JOB_STEP_N);
	hook_point(step, "did");
	if (!job_record(job, job_done_write, &txn)) {
		return;
	}
	hook_point(step, "end");
	job_settle_calls(job);
	job_limit_end(job);
	job->busy = false;
	job_kick(job);
}

void job_park(struct job *job, const char *why)
{
	log_info("job %" PRId64 " waits in step %s: %s", job->row.id, job_step_name(job->row.step),
	        why);
	job_settle_calls(job);
	job_unheard(job);
	job->busy = false;
	/* Whatever it was, it would be so again at once. */
	if (machine_state(job->machine) == MACHINE_UP) {
		job_again(job, JOB_PARKED_USEC);
	}
}

void job_again(struct job *job, uint64_t usec)
{
	struct timeval pause = {usec / 1000000, usec % 1000000};

	evtimer_add(job->timer, &pause);
}

void job_back(struct job *job, enum job_step step, const char *why)
{
	log_info("job %" PRId64 " goes back to step %s: %s", job->row.id, job_step_name(step), why);
	job_settle_calls(job);
	job->row.step = step;
	job->row.boot_id = 0;
	if (!job_save(job)) {
		return;
	}
	job_limit_end(job);
	job->busy = false;
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
