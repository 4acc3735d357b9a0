/*
 * Orders that only a control key may sign: a job proposes one and waits, and the person's luctl signs it or says why not.
 */
#include "host/base/err.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/steps/steps.h"

/* The job that waits for a control key's signature; NULL: ret_failure says that it does not. */
static struct job *engine_job_proposed(
        const struct engine *engine, int64_t id, struct failure *ret_failure)
{
	struct job *job = engine_job_by_id(engine, id);

	if (!job || job->row.step != JOB_STEP_ORDER || job->phase != JOB_WORKING ||
	        !job->proposal) {
		failure_set(ret_failure, "no-proposal", "job", "give the command again",
		        "job %lld waits for no signature", (long long)id);
		return NULL;
	}
	return job;
}

int engine_decline(struct engine *engine, int64_t id, const char *why, struct failure *ret_failure)
{
	struct job *job = engine_job_proposed(engine, id, ret_failure);

	if (!job) {
		return ENGINE_E_REFUSED;
	}
	failure_set(ret_failure, "no-control", machine_row(job->machine)->name,
	        "see what luctl said where the command was given",
	        "the order was not signed with a control key: %.160s", why);
	job_fail(job, JOB_FAILED, ret_failure);
	return 0;
}

int engine_countersign(struct engine *engine, int64_t id,
        const struct envelope_signature *signature, struct failure *ret_failure)
{
	struct job *job = engine_job_proposed(engine, id, ret_failure);

	if (!job) {
		return ENGINE_E_REFUSED;
	}
	if (job_step_countersigned(job, signature, ret_failure) < 0) {
		err_forget();
		job_fail(job, JOB_FAILED, ret_failure);
		return ENGINE_E_REFUSED;
	}
	return 0;
}
