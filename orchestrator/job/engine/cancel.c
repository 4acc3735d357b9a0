/*
 * Jobs that somebody ends. Until its order was sent a job ends at once: whatever it was at is let go of, and
 * nothing was begun on the machine. Then the machine is asked, which lets go of what it prepares and
 * refuses from the switch on: its answer is the order's result, and the job ends by that, as CANCELLED if the
 * machine let go, else by what it did.
 *
 * A set of services ends by its own steps, which know what has to go back.
 *
 * That it shall end is in the record before the machine is asked. So a lud that dies in between asks again,
 * and a job that would send its order anew ends instead.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/err.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/order/order.h"

/* Whether the machine may still let go of what it was ordered, as far as is known here. */
static bool cancel_may_ask(const struct job *job)
{
	return job->row.boot_id && job->row.step == JOB_STEP_RUN &&
	       job_state_may_become(job->row.state, JOB_CANCELLED);
}

/* The process of a start is launched: to end that is to stop the machine. */
static bool cancel_may_end(const struct job *job)
{
	return !job->row.boot_id && job->row.step != JOB_STEP_LAUNCH &&
	       job_state_may_become(job->row.state, JOB_CANCELLED);
}

static void cancel_refuse(const struct job *job, struct failure *ret_failure)
{
	bool starts = job->row.kind == JOB_START;

	failure_set(ret_failure, "too-late", "job",
	        starts ? "`luctl machine stop` ends what it has started"
	               : "wait for its end; `luctl rollback` goes back to the release before",
	        "job %" PRId64 " is %s in step %s and cannot be cancelled any more", job->row.id,
	        job_state_name(job->row.state), job_step_name(job->row.step));
}

/* Looks anew by its step, whatever it waits for. */
static void cancel_wake_set(struct engine *engine, struct job *set)
{
	struct failure failure;

	if (job_state_is_put_off(set->row.state)) {
		/* What cannot be let go on now is looked at again by itself. */
		if (engine_release(engine, set->row.id, &failure) < 0) {
			err_forget();
		}
	} else if (set->phase == JOB_WORKING) {
		job_again(set, 0);
	} else {
		job_kick(set);
	}
}

/*
 * A set ends by its steps: those of its jobs that were not sent end, and what was done goes back. The answer to whoever
 * waits is how it ended.
 */
static void cancel_set(struct engine *engine, struct job *set)
{
	if (!job_save(set)) {
		return;
	}
	hook_point("cancel", "end");
	log_info("job %" PRId64 ": %s", set->row.id, set->row.cancel);
	cancel_wake_set(engine, set);
}

int engine_cancel(struct engine *engine, int64_t id, const char *who, const char *reason,
        struct failure *ret_failure)
{
	struct job *job = engine_job_by_id(engine, id);

	if (!job) {
		failure_set(ret_failure, "no-job", "job", "`luctl jobs` shows them",
		        "there is no open job %" PRId64, id);
		return ENGINE_E_REFUSED;
	}
	if (engine_stands_still(engine, id, ret_failure)) {
		return ENGINE_E_REFUSED;
	}
	if (!cancel_may_end(job) && !cancel_may_ask(job)) {
		cancel_refuse(job, ret_failure);
		return ENGINE_E_REFUSED;
	}
	snprintf(job->row.cancel, sizeof(job->row.cancel), "cancelled by %.60s%s%.80s", who,
	        *reason ? ": " : "", reason);
	hook_point("cancel", "did");
	if (job->row.kind == JOB_SET) {
		cancel_set(engine, job);
	} else if (!job->row.boot_id) {
		job_cancel(job);
	} else if (job_save(job)) {
		hook_point("cancel", "end");
		log_info("job %" PRId64 ": %s; the machine is asked", id, job->row.cancel);
		job_order_cancel(job);
	}
	return engine_stands_still(engine, id, ret_failure);
}

/* Put off, and its ring's gate is one of those that are shut. */
static bool cancel_waits_for_rollout(const struct job *job)
{
	struct rules_gate gates[_RULES_GATE_N];

	if (!job_state_is_put_off(job->row.state)) {
		return false;
	}
	engine_gates(job->engine, job->machine, &job->row, gates);
	return !gates[RULES_GATE_ROLLOUT].is_open;
}

int engine_deny(struct engine *engine, int64_t id, const char *who, const char *reason,
        struct failure *ret_failure)
{
	const struct job *job = engine_job_by_id(engine, id);

	if (job && job->phase != JOB_STALLED && !cancel_waits_for_rollout(job)) {
		failure_set(ret_failure, "not-waiting", "job", "`luctl job cancel` ends any job",
		        "job %" PRId64 " does not wait for a rollout", id);
		return ENGINE_E_REFUSED;
	}
	return engine_cancel(engine, id, who, reason, ret_failure);
}
