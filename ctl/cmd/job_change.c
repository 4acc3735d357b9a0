/*
 * job show, and job cancel, deny, hold, release: one job, and what a person does to it while it is open.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/base.h"
#include "ctl/base/svg.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/cmd.h"
#include "ctl/cmd/job_tree.h"
#include "ctl/cmd/timeline.h"
#include "ctl/job/job.h"
#include "proto/envelope/envelope_crypto.h"

/* The first argument as the id of a job; CTL_USAGE after the reason was printed. */
static int job_change_which(const struct options *options, uint64_t *ret_job)
{
	if (text_number(options->args[0], ret_job) < 0 || !*ret_job) {
		return ctl_fail(CTL_USAGE, "job", "`luctl jobs` lists them",
		        "`%s` is no number of a job", options->args[0]);
	}
	return CTL_OK;
}

/* Sends the request, and prints the job as it is then. */
static int job_change_call(const struct options *options, Control__Request *request,
        struct client **ret_client, const Control__Reply **ret_reply)
{
	int code = command_call(options, request, NULL, NULL, ret_client, ret_reply);

	if (code == CTL_OK && !options->json) {
		job_print((*ret_reply)->job);
	}
	return code;
}

/* To the end of a job that others asked for; orders that it proposes are for them to sign. */
static int job_change_wait(const struct options *options, Control__Request *request)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	struct job_progress progress;
	int code;

	job_progress_init(&progress, options, request, false);
	progress.is_watched = true;
	code = command_call(options, request, job_on_news, &progress, &client, &reply);
	job_progress_end(&progress);
	return code == CTL_OK ? job_outcome(&progress, reply->job) : code;
}

/*
 * The plan's text and nothing else, so that b2sum of it is the plan's hash. It is printed only if it is: what was planned
 * is not guessed.
 */
static int job_show_plan(const Control__Job *job)
{
	uint8_t hash[64];

	if (!*job->plan_text) {
		return ctl_fail(CTL_NOT_FOUND, "plan", "`luctl job show` shows what is known of it",
		        "job %" PRIu64
		        " has no plan: it ended before, or is none that has one, or is "
		        "older than what is kept",
		        job->id);
	}
	envelope_hash(job->plan_text, strlen(job->plan_text), hash);
	if (job->plan.len != sizeof(hash) || memcmp(job->plan.data, hash, sizeof(hash)) != 0) {
		return ctl_fail(CTL_INCONSISTENT, "plan",
		        "nothing rests on it any more; a backup of the record may have it",
		        "what the record has as the plan of job %" PRIu64
		        " is not what its hash is of",
		        job->id);
	}
	fputs(job->plan_text, stdout);
	return CTL_OK;
}

/* arg: the job; the title says how it stands. */
static void job_show_draw_on(FILE *to, void *arg)
{
	const Control__Job *job = arg;
	char title[200];

	snprintf(title, sizeof(title), "job %" PRIu64 ": %s %.40s on %.64s, %s", job->id,
	        job_kind_text(job->kind), job->service, job->machine, job_state_text(job->state));
	timeline_write(to, title, job);
}

/* The job as a picture in place of a text. */
static int job_show_draw(const struct options *options, Control__Request *request)
{
	_cleanup_(client_closep) struct client *client = NULL;
	struct options quiet = *options;
	const Control__Reply *reply;
	int code;

	quiet.json = false;
	code = command_call(&quiet, request, NULL, NULL, &client, &reply);
	if (code == CTL_OK) {
		code = svg_file(options->graph, job_show_draw_on, reply->job);
	}
	if (code == CTL_OK && options->json) {
		answer_add(json_pack(
		        "{s:s, s:I}", "graph", options->graph, "job", (json_int_t)reply->job->id));
	}
	return code;
}

/*
 * A job as it is now, open or over. That it failed is what is shown: it is no failure to show it. Who waits for
 * its end (--wait) wants to know how it ended, so then the exit code says it.
 */
int cmd_job_show(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobShowRequest show = CONTROL__JOB_SHOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = job_change_which(options, &show.job);

	show.wait = options->wait_ms != 0;
	request.body_case = CONTROL__REQUEST__BODY_JOB_SHOW;
	request.job_show = &show;
	if (code == CTL_OK && options->graph) {
		return job_show_draw(options, &request);
	}
	if (code == CTL_OK && show.wait) {
		return job_change_wait(options, &request);
	}
	if (code == CTL_OK && options->plan) {
		code = command_call(options, &request, NULL, NULL, &client, &reply);
		return code == CTL_OK && !options->json ? job_show_plan(reply->job) : code;
	}
	code = code == CTL_OK ? command_call(options, &request, NULL, NULL, &client, &reply) : code;
	if (code != CTL_OK || options->json) {
		return code;
	}
	job_print_alone(reply->job);
	if (*reply->job->plan_text) {
		printf("  its plan: `luctl job show %" PRIu64 " --plan`\n", show.job);
	}
	return job_tree_print(options, reply->job);
}

/* Done is a job that ended so. One that the machine did not let go of ended otherwise, which is told. */
int cmd_job_cancel(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobCancelRequest cancel = CONTROL__JOB_CANCEL_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = job_change_which(options, &cancel.job);

	request.body_case = CONTROL__REQUEST__BODY_JOB_CANCEL;
	request.job_cancel = &cancel;
	if (code == CTL_OK) {
		code = job_change_call(options, &request, &client, &reply);
	}
	if (code == CTL_OK && reply->job->state != CONTROL__JOB_STATE__JOB_STATE_CANCELLED) {
		return ctl_fail(CTL_HELD, "job", "`luctl rollback` goes back to the release before",
		        "job %" PRIu64 " was not cancelled any more: it is %s", reply->job->id,
		        job_state_text(reply->job->state));
	}
	return code;
}

/* lud refuses one that does not wait for its rollout, so it was cancelled for sure where the answer is good. */
int cmd_job_deny(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobDenyRequest deny = CONTROL__JOB_DENY_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = job_change_which(options, &deny.job);

	request.body_case = CONTROL__REQUEST__BODY_JOB_DENY;
	request.job_deny = &deny;
	return code != CTL_OK ? code : job_change_call(options, &request, &client, &reply);
}

int cmd_job_hold(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobHoldRequest hold = CONTROL__JOB_HOLD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = job_change_which(options, &hold.job);

	hold.for_ms = options->for_ms;
	request.body_case = CONTROL__REQUEST__BODY_JOB_HOLD;
	request.job_hold = &hold;
	return code != CTL_OK ? code : job_change_call(options, &request, &client, &reply);
}

int cmd_job_release(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobReleaseRequest release = CONTROL__JOB_RELEASE_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = job_change_which(options, &release.job);

	request.body_case = CONTROL__REQUEST__BODY_JOB_RELEASE;
	request.job_release = &release;
	return code != CTL_OK ? code : job_change_call(options, &request, &client, &reply);
}
