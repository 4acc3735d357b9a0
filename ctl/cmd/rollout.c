/*
 * rollout status, pause, resume, approve, promote, abort; job approve: a release on its way through the
 * rings of a policy, and what people do to it.
 *
 * Each command is one request, and the answer is the rollout as it is then: luctl decides nothing, and words of states and
 * changes come from lud as they are printed. A list says a line of each; one that is asked for by its number comes with
 * its machines, which may be many, and with its history.
 *
 * Where policies ask for approvals, `job approve` is what people find first, since `explain` names the job that waits. It
 * means the same as `rollout approve`: nobody approves of one machine. `job deny` (job_change.c) ends one job only;
 * `rollout abort` ends them all.
 */
#include <inttypes.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/cmd.h"

/* Which machine is in which ring, and the job that says what it is at. */
static void rollout_print_members(const Control__Rollout *rollout)
{
	static const struct table_column columns[] = {
	        {"RING", false}, {"MACHINE", false}, {"STATE", false}, {"JOB", true}};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < rollout->n_members; i++) {
		const Control__RolloutMember *member = rollout->members[i];
		char job[32] = "-";

		if (member->job) {
			snprintf(job, sizeof(job), "%" PRIu64, member->job);
		}
		table_row(table, (const char *const[]){member->ring < rollout->n_rings
		                                               ? rollout->rings[member->ring]->name
		                                               : "-",
		                         member->machine, member->state, job});
	}
	table_print(table);
}

/* A log of decisions, oldest first. */
static void rollout_print_changes(const Control__Rollout *rollout)
{
	static const struct table_column columns[] = {{"TIME", false}, {"WHAT", false},
	        {"RING", false}, {"WHO", false}, {"REASON", false}};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < rollout->n_changes; i++) {
		const Control__RolloutChange *change = rollout->changes[i];
		char at[TEXT_SIZE];

		table_row(table,
		        (const char *const[]){text_time(change->at_us, at), change->what,
		                change->ring < rollout->n_rings ? rollout->rings[change->ring]->name
		                                                : "-",
		                change->identity, change->reason});
	}
	table_print(table);
}

/* The head of a rollout is one line, with why it stands still where it does. */
static void rollout_print(const Control__RolloutList *list, bool whole)
{
	if (!list->n_rollouts) {
		puts("there are no rollouts");
	}
	for (size_t i = 0; i < list->n_rollouts; i++) {
		const Control__Rollout *rollout = list->rollouts[i];

		printf("rollout %" PRIu64 ": release %" PRIu32 " of %s by policy %s, ring %" PRIu32
		       " of %zu: %s%s%s\n",
		        rollout->id, rollout->counter, rollout->service, rollout->policy,
		        rollout->ring + 1, rollout->n_rings, rollout->state,
		        *rollout->why ? ": " : "", rollout->why);
		if (whole) {
			rollout_print_members(rollout);
			rollout_print_changes(rollout);
		}
	}
}

/* All of them are answered with rollouts; whole: with machines and history, of the one that was asked for. */
static int rollout_call(const struct options *options, Control__Request *request, bool whole)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	int code = command_call(options, request, NULL, NULL, &client, &reply);

	if (code == CTL_OK && !options->json) {
		rollout_print(reply->rollouts, whole);
	}
	return code;
}

/* A rollout or a job: both are numbers that count from 1. */
static int rollout_number(const struct options *options, uint64_t *ret)
{
	if (text_number(options->args[0], ret) < 0 || !*ret) {
		return ctl_fail(CTL_USAGE, "rollout",
		        "`luctl rollout status` and `luctl jobs` list them", "`%s` is no number",
		        options->args[0]);
	}
	return CTL_OK;
}

/* Without a number: a line of each, newest first. */
int cmd_rollout_status(const struct options *options)
{
	Control__RolloutListRequest list = CONTROL__ROLLOUT_LIST_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	int code = options->n_args ? rollout_number(options, &list.rollout) : CTL_OK;

	request.body_case = CONTROL__REQUEST__BODY_ROLLOUT_LIST;
	request.rollout_list = &list;
	return code == CTL_OK ? rollout_call(options, &request, options->n_args != 0) : code;
}

/* Somebody changes it; --reason goes with the request, as of every command. */
static int rollout_change(const struct options *options, const char *what)
{
	Control__RolloutChangeRequest change = CONTROL__ROLLOUT_CHANGE_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	int code = rollout_number(options, &change.rollout);

	change.what = (char *)what;
	request.body_case = CONTROL__REQUEST__BODY_ROLLOUT_CHANGE;
	request.rollout_change = &change;
	return code == CTL_OK ? rollout_call(options, &request, false) : code;
}

/* Words of proto/words/rollouts.def, as they are in the history then. */
int cmd_rollout_pause(const struct options *options)
{
	return rollout_change(options, "paused");
}

/* Refused where approvals are missing: then it is `rollout approve` that lets it go on. */
int cmd_rollout_resume(const struct options *options)
{
	return rollout_change(options, "resumed");
}

int cmd_rollout_approve(const struct options *options)
{
	return rollout_change(options, "approved");
}

/* lud asks for a reason, here and of abort; approvals are asked for all the same. */
int cmd_rollout_promote(const struct options *options)
{
	return rollout_change(options, "promoted");
}

int cmd_rollout_abort(const struct options *options)
{
	return rollout_change(options, "aborted");
}

/* lud finds the rollout, by the job's machine and release; a job that is in none is not found. */
int cmd_job_approve(const struct options *options)
{
	Control__JobApproveRequest approve = CONTROL__JOB_APPROVE_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	int code = rollout_number(options, &approve.job);

	request.body_case = CONTROL__REQUEST__BODY_JOB_APPROVE;
	request.job_approve = &approve;
	return code == CTL_OK ? rollout_call(options, &request, false) : code;
}
