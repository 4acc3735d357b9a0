/*
 * What a failed request means for its step, and failures in words. A session that was lost
 * parks the job, and an answer that did not come in time is asked for again: the machine may
 * have acted, so nothing is concluded from silence. A machine that is busy is asked again when
 * it says so, as long as its answers are waited for; any other refusal ends the job as
 * REFUSED, with the machine's cause and the remedy for it, unless signing again under a newer
 * root mends it.
 */
#include <errno.h>
#include <string.h>

#include "host/base/err.h"
#include "orchestrator/job/order/hint.h"
#include "orchestrator/job/order/order.h"

#define JOB_PAUSE_USEC UINT64_C(200000)
#define JOB_PAUSE_MAX_USEC UINT64_C(5000000)

const char *job_hint(const Wire__Cause *cause)
{
	return hint_of(cause->name);
}

/*
 * A restart is refused so where nobody but the kernel can start the service, with the whole machine. What the machine says
 * of E_PERM is meant for what services ask of the kernel.
 */
static bool refuse_restart(struct job *job, const Wire__Error *error)
{
	const char *name = machine_row(job->machine)->name;
	struct failure failure;
	char remedy[sizeof(failure.remedy)];

	if (job->row.kind != JOB_RESTART || !error->cause ||
	        strcmp(error->cause->name, "E_PERM") != 0) {
		return false;
	}
	snprintf(remedy, sizeof(remedy),
	        "start the machine anew: `luctl machine stop %.64s`, then `luctl machine start "
	        "%.64s`",
	        name, name);
	failure_set(&failure, "not-alone", job->row.service, remedy,
	        "%s cannot be started afresh alone: the kernel loads it when the machine starts",
	        job->row.service);
	job_fail(job, JOB_REFUSED, &failure);
	return true;
}

/* The machine's own hint is nearer to the fact than ours from the table. */
static void refuse_end(struct job *job, const Wire__Error *error)
{
	struct job_end end = {
	        .state = JOB_REFUSED,
	        .generations = GENERATION_REFUSED,
	        .cause = error->cause,
	        .hint = *error->hint || !error->cause ? error->hint : job_hint(error->cause),
	};
	struct failure failure;

	if (job_sign_again(job, error->cause)) {
		return;
	}
	if (refuse_restart(job, error)) {
		return;
	}
	/* What is refused of a confirm is no refusal of what runs: job_fail() knows. */
	if (error->cause && job->row.step != JOB_STEP_CONFIRM) {
		job_end(job, &end);
		return;
	}
	failure_set(&failure, "refused", machine_row(job->machine)->name, error->hint,
	        error->cause ? "the machine refuses (class %d): %.160s"
	                     : "the machine refuses (class %d) and does not say why",
	        error->class_, error->cause ? error->cause->message : "");
	job_fail(job, JOB_REFUSED, &failure);
}

/* Until a busy machine is asked again: as it says, within reason. */
static uint64_t refuse_pause(const Wire__Error *error)
{
	uint64_t usec = error->retry_ms * UINT64_C(1000);

	return usec == 0 ? JOB_PAUSE_USEC : usec < JOB_PAUSE_MAX_USEC ? usec : JOB_PAUSE_MAX_USEC;
}

/* The machine is up, and has not taken the order for as long as its answers are waited for. */
bool job_offer_is_over(const struct job *job)
{
	return job->row.step == JOB_STEP_RUN && job->offered_usec &&
	       job_elapsed_usec() - job->offered_usec >=
	               job->engine->parts.config->answer_timeout_usec;
}

/* The machine says that it may take it later: whether it is asked again then. */
static bool refuse_put_off(struct job *job, const Wire__Error *error)
{
	bool later = error->class_ == WIRE__ERROR_CLASS__ERROR_UNAVAILABLE ||
	             error->class_ == WIRE__ERROR_CLASS__ERROR_BUSY;

	if (!later || job_offer_is_over(job)) {
		return false;
	}
	snprintf(job->put_off, sizeof(job->put_off), "%s",
	        error->cause ? error->cause->message : "it is busy");
	job_again(job, refuse_pause(error));
	return true;
}

bool job_is_unstated(int r, const Machine__Reply *reply)
{
	return !r && reply->body_case == MACHINE__REPLY__BODY_ERROR && reply->error->cause &&
	       !strcmp(reply->error->cause->name, "E_V_STATEMENT");
}

void job_answer_bad(struct job *job, int r, const Machine__Reply *reply)
{
	struct failure failure;

	if (r == -ECONNRESET) {
		job_park(job, "the session with the machine is lost");
		return;
	}
	if (r == -ETIMEDOUT) {
		/* The machine may be busy; its answer, should it come, is not ours any more. */
		job_again(job, 1000000);
		return;
	}
	if (reply->body_case == MACHINE__REPLY__BODY_ERROR) {
		if (!refuse_put_off(job, reply->error)) {
			refuse_end(job, reply->error);
		}
		return;
	}
	failure_set(&failure, "protocol", machine_row(job->machine)->name,
	        "update lud or the machine", "the machine gave an answer that does not fit");
	job_fail(job, JOB_FAILED, &failure);
}
