/* Errors and ends of jobs, each with the exit code that its rows of proto/words/exits.def give it. */
#undef NDEBUG
#include "ctl/base/exits.h"

#include <assert.h>

static enum ctl_exit of_error(Wire__ErrorClass class, const char *name)
{
	Wire__Cause cause = WIRE__CAUSE__INIT;
	Wire__Error error = WIRE__ERROR__INIT;

	cause.name = (char *)name;
	error.class_ = class;
	error.cause = name ? &cause : NULL;
	return exits_of_error(&error);
}

static void test_errors(void)
{
	assert(of_error(WIRE__ERROR_CLASS__ERROR_REFUSED, "no-release") == CTL_NOT_FOUND);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_REFUSED, "blocked") == CTL_HELD);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_NOT_FOUND, "which-machine") == CTL_USAGE);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, "machine-down") == CTL_UNREACHABLE);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, "E_AGAIN") == CTL_HELD);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_DENIED, "anything") == CTL_TRUST);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_INVALID, "words") == CTL_USAGE);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_INTERNAL, NULL) == CTL_FAILED);
	/* A reason has one code under both of its names. */
	assert(of_error(WIRE__ERROR_CLASS__ERROR_REFUSED, "E_V_SIGNATURE") == CTL_TRUST);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_REFUSED, "bad-signature") == CTL_TRUST);
	assert(of_error(WIRE__ERROR_CLASS__ERROR_REFUSED, "E_V_FLOOR") == CTL_HELD);
	/* A class of a newer lud is no success. */
	assert(of_error((Wire__ErrorClass)99, "new") == CTL_FAILED);
}

static enum ctl_exit of_job(Control__JobState state, const char *name)
{
	Wire__Cause cause = WIRE__CAUSE__INIT;
	Control__Job job = CONTROL__JOB__INIT;

	cause.name = (char *)name;
	job.state = state;
	job.cause = name ? &cause : NULL;
	return exits_of_job(&job);
}

static void test_jobs(void)
{
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_STAGED, NULL) == CTL_OK);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_COMMITTED, NULL) == CTL_OK);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_REFUSED, NULL) == CTL_HELD);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_INCONSISTENT, NULL) == CTL_INCONSISTENT);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_EXPIRED, "job-timeout") == CTL_HELD);
	assert(of_job((Control__JobState)99, NULL) == CTL_INCONSISTENT);
	/* Nothing was begun: the cause says more. */
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_REFUSED, "E_V_EXPIRED") == CTL_TRUST);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_REFUSED, "E_NOTFOUND") == CTL_NOT_FOUND);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_FAILED, "unknown-key") == CTL_TRUST);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_FAILED, "machine-down") == CTL_UNREACHABLE);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_REFUSED, "no-recipe") == CTL_USAGE);
	/* It says nothing of how far it came, though. */
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_REFUSED, "E_TIMEOUT") == CTL_HELD);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_FAILED, "E_BUSY") == CTL_FAILED);
	assert(of_job(CONTROL__JOB_STATE__JOB_STATE_ROLLED_BACK, "E_V_KEY") == CTL_ROLLED_BACK);
}

int main(void)
{
	test_errors();
	test_jobs();
	return 0;
}
