/*
 * update, rollback, restart, rerandomize: jobs that change what services run. Each asks lud
 * for a job, shows what comes of it until it is settled, and has the outcome as its exit code;
 * of several, the worst. Consent to loss and a restart need a control key, so it is looked for
 * before anything is asked.
 */
#include "ctl/cmd/cmd.h"

#include <string.h>

#include "ctl/client/command.h"
#include "ctl/cmd/standing.h"
#include "ctl/cmd/update.h"
#include "ctl/job/job.h"
#include "ctl/sign/control.h"

/* The end of the job is not waited for. */
static bool update_is_left(const struct options *options)
{
	return options->no_wait || options->detach;
}

/*
 * Ask for one job and print what became of it. The exit code is that of its outcome, or of why
 * there is no job. --accept-loss and --no-wait exclude each other: the order that destroys is
 * proposed while the job runs, and only a luctl that still waits can sign it.
 */
static int update_one(const struct options *options, Control__Request *request)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	struct job_progress progress;
	int code;

	if (update_is_left(options) && options->wait_ms) {
		return ctl_fail(CTL_USAGE, "--wait", "leave one of them out",
		        "--wait and --no-wait exclude each other");
	}
	if (options->accept_loss && update_is_left(options)) {
		return ctl_fail(CTL_USAGE, "--no-wait", "leave one of them out",
		        "--accept-loss and --no-wait exclude each other: the order is signed here "
		        "when it is made");
	}
	if (options->accept_loss && !control_is_at_hand(options)) {
		return ctl_fail(CTL_TRUST, "--accept-loss",
		        "name the keyring with the control key by --keys",
		        "consent to loss is signed here with a control key when the order is made");
	}
	job_progress_init(&progress, options, request, false);
	code = command_call(options, request, job_on_news, &progress, &client, &reply);
	job_progress_end(&progress);
	if (code != CTL_OK || reply->body_case != CONTROL__REPLY__BODY_JOB) {
		return code;
	}
	return job_outcome(&progress, reply->job);
}

/*
 * The requests as the person gave them. What was left out is "" or 0, and lud decides: the newest
 * release that is not blocked, the default state, the limits of its configuration.
 */
Control__UpdateRequest update_request(const struct options *options)
{
	Control__UpdateRequest update = CONTROL__UPDATE_REQUEST__INIT;

	update.machine = (char *)options->machine;
	update.service = options->n_args == 1 ? options->args[0] : "";
	update.services = options->args;
	update.n_services = options->n_args > 1 ? options->n_args : 0;
	update.release = (char *)options->release;
	update.prepare_only = options->prepare_only;
	update.state = (char *)options->state;
	update.timeout_ms = options->timeout_ms;
	update.hold_ms = options->hold_ms;
	update.detach = update_is_left(options);
	update.accept_loss = options->accept_loss;
	update.layout = (char *)options->layout;
	update.recipe = (char *)options->recipe;
	return update;
}

/* There is no --hold of a rollback. */
Control__RollbackRequest rollback_request(const struct options *options)
{
	Control__RollbackRequest rollback = CONTROL__ROLLBACK_REQUEST__INIT;

	rollback.machine = (char *)options->machine;
	rollback.service = options->n_args == 1 ? options->args[0] : "";
	rollback.services = options->args;
	rollback.n_services = options->n_args > 1 ? options->n_args : 0;
	rollback.to_generation = options->to;
	rollback.state = (char *)options->state;
	rollback.timeout_ms = options->timeout_ms;
	rollback.detach = update_is_left(options);
	rollback.accept_loss = options->accept_loss;
	rollback.layout = (char *)options->layout;
	return rollback;
}

/* The services are the options' own: nothing is copied. */
Control__RerandomizeRequest rerandomize_request(const struct options *options)
{
	Control__RerandomizeRequest rerandomize = CONTROL__RERANDOMIZE_REQUEST__INIT;

	rerandomize.machine = (char *)options->machine;
	rerandomize.services = options->args;
	rerandomize.n_services = options->n_args;
	rerandomize.all = options->all;
	rerandomize.timeout_ms = options->timeout_ms;
	rerandomize.scheduled = options->scheduled;
	rerandomize.detach = update_is_left(options);
	rerandomize.layout = (char *)options->layout;
	rerandomize.recipe = (char *)options->recipe;
	return rerandomize;
}

int cmd_update(const struct options *options)
{
	Control__UpdateRequest update = update_request(options);
	Control__Request request = CONTROL__REQUEST__INIT;

	request.body_case = CONTROL__REQUEST__BODY_UPDATE;
	request.update = &update;
	return update_one(options, &request);
}

/*
 * The same for the release of before, or for that of generation --to (0: not given). The old
 * release gets a new layout, so this is an update to an older release and may lose state as one does.
 */
int cmd_rollback(const struct options *options)
{
	Control__RollbackRequest rollback = rollback_request(options);
	Control__Request request = CONTROL__REQUEST__INIT;

	request.body_case = CONTROL__REQUEST__BODY_ROLLBACK;
	request.rollback = &rollback;
	return update_one(options, &request);
}

/*
 * A restart without a control key would be rejected by the machine in the end; it is said
 * before anything is asked. There is no --no-wait here, for the reason of update_one().
 */
int cmd_restart(const struct options *options)
{
	Control__RestartRequest restart = CONTROL__RESTART_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	if (!control_is_at_hand(options)) {
		return ctl_fail(CTL_TRUST, "control key",
		        "name its keyring with --keys; `luctl keys list` shows what is there",
		        "a restart loses state, so it needs a control key, and this keyring has "
		        "none");
	}
	restart.machine = (char *)options->machine;
	restart.service = options->args[0];
	request.body_case = CONTROL__REQUEST__BODY_RESTART;
	request.restart = &restart;
	return update_one(options, &request);
}

/*
 * Print what was not printed while it ran, and return the worst of all outcomes; what was skipped
 * is none. Worse is the higher exit code, which is the order of enum ctl_exit: refused before
 * rolled back before unknown. A job without a number was never made, so no progress has shown it.
 */
static int update_rerandomize_tell(const struct options *options,
        const struct job_progress *progress, const Control__JobList *list)
{
	int worst = CTL_OK;

	for (size_t i = 0; i < list->n_jobs; i++) {
		const Control__Job *job = list->jobs[i];
		int code = job_judge(job);
		bool told = progress->shown && job->id && !update_is_left(options);

		if (!options->json && !told) {
			job_print(job);
		}
		worst = code > worst ? code : worst;
	}
	return worst;
}

/*
 * One request for all services: lud makes a job of each, one after the other, and answers when
 * the last one is over. What cannot be updated is skipped.
 */
int cmd_rerandomize(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__RerandomizeRequest rerandomize = rerandomize_request(options);
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	struct job_progress progress;
	int code;

	if (options->every && options->scheduled) {
		return ctl_fail(CTL_USAGE, "rerandomize", NULL,
		        "--every lets the machine do it by itself, and --scheduled is for a timer "
		        "that "
		        "asks again and again: give one of them");
	}
	if (options->every && !strcmp(options->every, "off")) {
		return standing_give(options);
	}
	if (options->all == (options->n_args > 0)) {
		return ctl_fail(CTL_USAGE, "rerandomize", NULL,
		        "name services, or give --all, and not both");
	}
	if (options->every) {
		return standing_give(options);
	}
	if (options->jitter_ms || *options->quiet || options->for_ms) {
		return ctl_fail(CTL_USAGE, "rerandomize", NULL,
		        "--jitter, --quiet and --for say how the machine goes on: give --every, "
		        "too");
	}
	request.body_case = CONTROL__REQUEST__BODY_RERANDOMIZE;
	request.rerandomize = &rerandomize;
	job_progress_init(&progress, options, &request, true);
	code = command_call(options, &request, job_on_news, &progress, &client, &reply);
	job_progress_end(&progress);
	if (code != CTL_OK || reply->body_case != CONTROL__REPLY__BODY_JOBS) {
		return code;
	}
	return update_rerandomize_tell(options, &progress, reply->jobs);
}
