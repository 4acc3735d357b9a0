/*
 * The table of steps: what each begins with, and who takes the result of an order. The order in
 * which a job takes them is not here but in chain.c, below: it knows no step's work.
 */
#include "orchestrator/job/steps/priv.h"

/* The end of an update and that of a machine's start have little in common but the name. */
static void table_confirm(struct job *job)
{
	if (job->row.kind == JOB_START) {
		job_step_confirm_start(job);
	} else {
		job_step_confirm(job);
	}
}

const struct job_step_ops job_steps[_JOB_STEP_N] = {
        [JOB_STEP_PAIR] = {.begin = job_step_pair},
        [JOB_STEP_SEED] = {.begin = job_step_seed},
        [JOB_STEP_FORGE] = {.begin = job_step_forge},
        [JOB_STEP_SIGN] = {.begin = job_step_sign},
        [JOB_STEP_STAGE] = {.begin = job_step_stage},
        [JOB_STEP_ORDER] = {.begin = job_step_order},
        [JOB_STEP_RUN] = {.begin = job_step_run, .result = job_on_result},
        [JOB_STEP_CHECK] = {.begin = job_step_check},
        [JOB_STEP_SOAK] = {.begin = job_step_soak},
        [JOB_STEP_CONFIRM] = {.begin = table_confirm, .result = job_on_confirmed},
        [JOB_STEP_IMAGE] = {.begin = job_step_image},
        [JOB_STEP_LAUNCH] = {.begin = job_step_launch},
        [JOB_STEP_MOVE] = {.begin = job_step_move},
        [JOB_STEP_READY] = {.begin = job_step_ready},
        [JOB_STEP_SET] = {.begin = job_step_set},
};
