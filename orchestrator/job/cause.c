/* Failures as causes of the protocol, and what a person can do about causes. */
#include <errno.h>
#include <string.h>

#include "orchestrator/base/err.h"
#include "orchestrator/job/priv.h"

static const struct {
	const char *name;
	const char *hint;
} job_hints[] = {
        {"E_V_FORMAT", "the envelope was damaged on its way; run the command again"},
        {"E_V_SIGNATURE", "what was signed was changed afterwards; run the command again"},
        {"E_V_KEY", "use the keyring whose signed root the machine was started with"},
        {"E_V_ROLE", "sign with a key of the right role; `luctl keys list` shows them"},
        {"E_V_RELEASE", "add the release again with `luctl release add`"},
        {"E_V_MACHINE", "the variant was made for another machine; run the command again"},
        {"E_V_EXPIRED", "run the command again: a fresh variant is made and signed"},
        {"E_V_TIME", "set the host's clock, then run the command again"},
        {"E_V_REPLAY", "run the command again: a new generation is made"},
        {"E_V_FLOOR", "a newer release raised the floor; this one may not run any more"},
        {"E_V_HASH", "the staged bytes are not those that were signed; run it again"},
        {"E_V_KEY_EXPIRED", "make new keys and start the machine with them"},
        {"E_V_ROOT", "the machine has seen a newer root: use the newest keyring"},
        {"E_V_DESCRIPTION", "add the release again with `luctl release add`"},
        {"E_TIMEOUT", "retry when the service is less busy, or give more time with --timeout"},
        {"E_STATE", "the service does not know this quiescent state; leave --state out"},
        {"E_NOMEM", "the machine is short of memory; see `luctl status`"},
        {"E_BUSY", "another transaction runs; try again when it is over"},
};

const char *job_hint(const Wire__Cause *cause)
{
	for (size_t i = 0; i < sizeof(job_hints) / sizeof(job_hints[0]); i++) {
		if (!strcasecmp(cause->name, job_hints[i].name)) {
			return job_hints[i].hint;
		}
	}
	return "the service goes on as before; `luctl log` may tell more";
}

void job_cause_of(const struct failure *failure, enum job_step step, Wire__Cause *ret_cause)
{
	wire__cause__init(ret_cause);
	ret_cause->component = (char *)failure->place;
	ret_cause->step = (char *)job_step_name(step);
	ret_cause->name = (char *)failure->code;
	ret_cause->message = (char *)failure->cause;
}

static void job_refuse(struct job *job, const Wire__Error *error)
{
	struct job_end end = {
	        .state = JOB_REFUSED,
	        .generations = GENERATION_REFUSED,
	        .cause = error->cause,
	        .hint = *error->hint || !error->cause ? error->hint : job_hint(error->cause),
	};
	struct failure failure;

	if (error->cause) {
		job_end(job, &end);
		return;
	}
	failure_set(&failure, "refused", machine_row(job->machine)->name, error->hint,
	        "the machine refuses (class %d) and does not say why", error->class_);
	job_fail(job, JOB_REFUSED, &failure);
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
		if (reply->error->class_ == WIRE__ERROR_CLASS__ERROR_UNAVAILABLE ||
		        reply->error->class_ == WIRE__ERROR_CLASS__ERROR_BUSY) {
			job_again(job, 200000);
			return;
		}
		job_refuse(job, reply->error);
		return;
	}
	failure_set(&failure, "protocol", machine_row(job->machine)->name,
	        "update lud or the machine", "the machine gave an answer that does not fit");
	job_fail(job, JOB_FAILED, &failure);
}
