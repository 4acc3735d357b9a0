/*
 * Time limits. Every step has one of lud's own, so that a job ends whatever becomes of the
 * machine, a worker or the signer. It runs from the moment when no other job stands in the way,
 * whether the machine is heard or not, and begins anew whenever the step comes forward. What
 * waits for the machine first, before work with limits of its own, waits no longer than any
 * request does: `unheard` below.
 *
 *                     job_limit_begin            job_unheard
 *      NONE ------------------------> as the step needs ----> MACHINE
 *        ^                               ^   |  `---job_heard---'
 *        |                               |   |
 *        '----------job_limit_end--------|---'   job_limit_again: the same kind, from now
 *
 * Time that was given for the job as a whole (--timeout) bounds every step until the order is
 * sent; as far as it is left then it is the order's own limit, which the machine keeps. It runs
 * from the first step that was begun, in this lud or one before, by the record's clock: so a
 * restart gives a job no more time. A limit that passes ends the job: while nothing was sent
 * as EXPIRED where the machine or the job's own time was waited for, as FAILED where a worker was; else as
 * INCONSISTENT, and what became of it is still to be had.
 *
 * Time in which lud waits for its own disk is nobody's: no limit runs between a step's begin and the disk
 * having it (job_limit_pause() .. job_limit_resume()), and none passes while something is being written.
 */
#include <inttypes.h>

#include "host/base/elapsed.h"
#include "host/base/err.h"
#include "host/base/failure.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/job/core/priv.h"

/* Backstops: what is limited by others ends before. */
#define LIMIT_WORK_USEC UINT64_C(900000000)
#define LIMIT_DISK_USEC                                                                            \
	UINT64_C(                                                                                  \
	        100000) /* until a limit is looked at again that passed while the disk was at work */
#define LIMIT_BOOT_GRACE_USEC UINT64_C(10000000)
#define LIMIT_USEC_PER_SEC UINT64_C(1000000)

static uint64_t limit_usec(const struct job *job)
{
	const struct config *config = job->engine->parts.config;

	switch (job->limit.kind) {
	case JOB_LIMIT_MACHINE:
		return config->answer_timeout_usec;
	case JOB_LIMIT_BOOT:
		return config->boot_timeout_usec + LIMIT_BOOT_GRACE_USEC;
	case JOB_LIMIT_WORK:
	case JOB_LIMIT_NONE:
	case _JOB_LIMIT_N:
		break;
	}
	return LIMIT_WORK_USEC;
}

uint64_t job_elapsed_usec(void)
{
	return (uint64_t)elapsed_usec();
}

/*
 * Sets when the job's own time is over. A clock that was put back since the first step counts as
 * no time passed, rather than as a job that has years left.
 */
static void limit_deadline_begin(struct job *job)
{
	int64_t wall = store_now_usec();
	int64_t began = wall;

	/* The time of a job of a set is not used up by the others of the set. */
	if (!job->row.timeout_ms || job->deadline_usec || job_set_prepares(job)) {
		return;
	}
	if (job_set(job)) {
		job->deadline_usec = job_elapsed_usec() + (uint64_t)job->row.timeout_ms * 1000;
		return;
	}
	if (store_job_began(job->engine->parts.db, job->row.id, &began) || began > wall) {
		err_forget();
		began = wall;
	}
	job->deadline_usec = job_elapsed_usec() + (uint64_t)job->row.timeout_ms * 1000;
	/* 0 would mean that no time was given. */
	job->deadline_usec -= (uint64_t)(wall - began) < job->deadline_usec
	                              ? (uint64_t)(wall - began)
	                              : job->deadline_usec - 1;
}

uint64_t job_left_usec(const struct job *job)
{
	uint64_t now = job_elapsed_usec();

	if (!job->deadline_usec || job->row.boot_id) {
		return UINT64_MAX;
	}
	return now < job->deadline_usec ? job->deadline_usec - now : 0;
}

static void limit_run(struct job *job, uint64_t usec)
{
	struct timeval limit = {usec / LIMIT_USEC_PER_SEC, usec % LIMIT_USEC_PER_SEC};

	job->limit.at_usec = job_elapsed_usec() + usec;
	evtimer_add(job->limit.timer, &limit);
}

void job_limit_again(struct job *job, uint64_t more_usec)
{
	uint64_t usec = limit_usec(job) + more_usec;
	uint64_t left = job_left_usec(job);

	if (job->limit.kind == JOB_LIMIT_NONE) {
		return;
	}
	job->limit.by_deadline = left < usec;
	usec = job->limit.by_deadline ? left : usec;
	limit_run(job, usec);
}

static enum job_limit_kind limit_of_step(const struct job *job)
{
	return job_step_needs(job_way(job), job->row.step).limit;
}

static void limit_set(struct job *job, enum job_limit_kind kind)
{
	job->limit.kind = kind;
	job_limit_again(job, 0);
}

void job_limit_begin(struct job *job)
{
	if (job->limit.kind != JOB_LIMIT_NONE) {
		return;
	}
	job->limit.step = job->row.step;
	job->limit.since_usec = job_elapsed_usec();
	limit_deadline_begin(job);
	limit_set(job, limit_of_step(job));
}

int64_t job_limit_at_usec(const struct job *job)
{
	if (!evtimer_pending(job->limit.timer, NULL)) {
		return store_now_usec();
	}
	return store_now_usec() + (int64_t)(job->limit.at_usec - job_elapsed_usec());
}

void job_limit_pause(struct job *job)
{
	job->limit.paused_usec = job_elapsed_usec();
	evtimer_del(job->limit.timer);
}

void job_limit_resume(struct job *job)
{
	uint64_t now = job_elapsed_usec();
	uint64_t paused = now - job->limit.paused_usec;

	job->deadline_usec += job->deadline_usec ? paused : 0;
	if (job->limit.kind != JOB_LIMIT_NONE) {
		limit_run(job,
		        job->limit.at_usec + paused > now ? job->limit.at_usec + paused - now : 0);
	}
}

void job_limit_end(struct job *job)
{
	job->limit.kind = JOB_LIMIT_NONE;
	evtimer_del(job->limit.timer);
}

void job_unheard(struct job *job)
{
	if (job->limit.kind == JOB_LIMIT_WORK) {
		limit_set(job, JOB_LIMIT_MACHINE);
	}
}

void job_heard(struct job *job)
{
	if (job->limit.kind != JOB_LIMIT_NONE && job->limit.kind != limit_of_step(job)) {
		limit_set(job, limit_of_step(job));
	}
}

/* The machine did not do its part: who, for how long, and what a person can do. */
static void limit_machine_failure(const struct job *job, struct failure *ret_failure)
{
	const struct machine_row *machine = machine_row(job->machine);
	const char *why = *machine_why(job->machine) ? machine_why(job->machine) : job->put_off;
	const char *step = job_step_name(job->row.step);
	char remedy[sizeof(ret_failure->remedy)];

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
	        "step %s waited %" PRIu64 " s for machine %s, which is %s%s%s", step,
	        limit_usec(job) / LIMIT_USEC_PER_SEC, machine->name,
	        machine_state_name(machine_state(job->machine)), *why ? ": " : "", why);
}

/* What the step waited for, in words that name the machine's state. */
static void limit_failure(const struct job *job, struct failure *ret_failure)
{
	const char *step = job_step_name(job->row.step);

	if (job->limit.by_deadline) {
		failure_set(ret_failure, "job-timeout", step,
		        "nothing was begun on the machine; give it more time with --timeout",
		        "the %.3g s given for the whole job passed in step %s",
		        (double)job->row.timeout_ms / 1000, step);
	} else if (job->limit.kind == JOB_LIMIT_WORK) {
		failure_set(ret_failure, "step-timeout", step, "see the log of lud, and try again",
		        "step %s did not come forward for %" PRIu64 " s", step,
		        limit_usec(job) / LIMIT_USEC_PER_SEC);
	} else {
		limit_machine_failure(job, ret_failure);
	}
}

/* It waited for the machine, or used up its own time, and nothing was begun there. */
static bool limit_is_a_wait(const struct job *job)
{
	return !job->row.boot_id &&
	       (job->limit.by_deadline || job->limit.kind == JOB_LIMIT_MACHINE);
}

static void limit_on_passed(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	struct failure failure;

	if (db_waits(job->engine->parts.db)) {
		limit_run(job, LIMIT_DISK_USEC);
		return;
	}
	limit_failure(job, &failure);
	if (limit_is_a_wait(job)) {
		job_fail(job, JOB_EXPIRED, &failure);
	} else {
		job_give_up(job, &failure);
	}
}

void job_limit_init(struct job *job)
{
	job->limit.timer = evtimer_new(job->engine->parts.base, limit_on_passed, job);
}

void job_limit_fini(struct job *job)
{
	event_free(job->limit.timer);
}
