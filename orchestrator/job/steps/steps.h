#pragma once
/* The steps of jobs, as the engine sees them: their table, and what comes to them from outside. */
#include "orchestrator/job/core/job.h"
#include "proto/envelope/envelope.h"

extern const struct job_step_ops job_steps[_JOB_STEP_N];

/*
 * A control key's signature over what the job proposed: its step order is done. On an error
 * ret_failure is filled in, and the caller ends the job.
 */
int __must_check job_step_countersigned(
        struct job *job, const struct envelope_signature *signature, struct failure *ret_failure);
/*
 * Something befell the service of an update that is watched, which its step is at work with: it is looked at at once. A look
 * that is under way is not begun anew, for a machine may tell more than it answers.
 */
void job_soak_news(struct job *job);
/*
 * The result of an order of no open job: a job that was given up as unknown is known now, and the
 * record corrected. Others are left as they are.
 */
void job_late_result(struct engine *engine, struct machine *machine, const Machine__Result *result);
