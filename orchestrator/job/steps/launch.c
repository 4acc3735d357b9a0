/*
 * The steps that start a machine's process, and prove that it runs what was made for it: every
 * service of the image, in the generation that this job drew, and running. A machine that answers
 * and does not run them is given as long as it may take to boot.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/steps/priv.h"

/* Something on this host is in the way: nothing is wrong with machine or kit. */
void job_start_fail(struct job *job, const char *what, int r)
{
	struct failure failure;

	failure_set(&failure, "start", machine_row(job->machine)->name,
	        "check the state directory and its free space", "%s: %s", what, strerror(-r));
	job_fail(job, JOB_FAILED, &failure);
}

/* The process runs; whether the machine does is the next step's to find out. */
static void launch_on_done(const struct failure *failure, void *arg)
{
	if (failure) {
		job_fail(arg, JOB_FAILED, failure);
		return;
	}
	job_done(arg, "", NULL, NULL);
}

/* Somebody took it away: no other kernel is started in its place. The next start moves one again. */
static void launch_lacks_kernel(struct job *job)
{
	const struct machine_row *row = machine_row(job->machine);
	struct failure failure;
	char remedy[sizeof(failure.remedy)];

	snprintf(remedy, sizeof(remedy), "`luctl machine start %s` makes another one", row->name);
	failure_set(&failure, "no-kernel", machine_dir(job->machine), remedy,
	        "the kernel that was moved for this start (generation %" PRIu64
	        ") is not there any more",
	        row->kernel);
	job_fail(job, JOB_FAILED, &failure);
}

/* A process that a lud before us started is taken over. */
void job_step_launch(struct job *job)
{
	int r = machine_launch(job->machine, launch_on_done, job);

	if (r == MACHINE_E_NO_KERNEL) {
		launch_lacks_kernel(job);
	} else if (r < 0) {
		job_start_fail(job, "QEMU cannot be started", r);
	}
}

/* Whether the machine runs what was made for it. */
static bool launch_runs(const struct job *job, const char **ret_missing)
{
	for (size_t i = 0; i < job->n_parts; i++) {
		const struct job_part *part = &job->parts[i];
		const Machine__Service *service =
		        machine_service(job->machine, part->release.service);

		if (!service || service->state != MACHINE__SERVICE_STATE__SERVICE_RUNNING ||
		        service->generation != part->generation.number) {
			*ret_missing = part->release.service;
			return false;
		}
	}
	return true;
}

/* How long the step has been at it, over all its attempts in this lud. */
static uint64_t launch_age_usec(const struct job *job)
{
	return job_elapsed_usec() - job->limit.since_usec;
}

/* Services come up one after the other: one that is missing is waited for. */
static void launch_on_refreshed(int r, void *arg)
{
	struct job *job = arg;
	struct job_end end = {.state = JOB_COMMITTED};
	const char *missing = "its services";
	struct failure failure;

	if (!r && job_parts_load(job) == 0 && launch_runs(job, &missing)) {
		job_end(job, &end);
		return;
	}
	err_forget();
	if (launch_age_usec(job) < job->engine->parts.config->boot_timeout_usec) {
		job_again(job, 50000);
		return;
	}
	failure_set(&failure, "boot", missing, "see the machine's debug.log and serial.log",
	        "the machine answers, but %s does not run as it was made", missing);
	job_fail(job, JOB_FAILED, &failure);
}

/* Waits for the session; the machine's own silence has a limit. */
void job_step_confirm_start(struct job *job)
{
	struct failure failure;

	if (machine_state(job->machine) == MACHINE_UP) {
		if (machine_refresh(job->machine, launch_on_refreshed, job) < 0) {
			job_again(job, 50000);
			err_forget();
		}
		return;
	}
	if (launch_age_usec(job) < job->engine->parts.config->boot_timeout_usec) {
		job_again(job, 100000);
		return;
	}
	failure_set(&failure, "boot", machine_dir(job->machine),
	        "see debug.log and serial.log there, or raise machine.boot_timeout",
	        "the machine does not answer");
	job_fail(job, JOB_FAILED, &failure);
}
