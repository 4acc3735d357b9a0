/*
 * rollout status, pause, resume, approve, promote, abort; job approve: a release on its way through the
 * rings of a policy, and what people do to it.
 *
 * Each command is one request, and the answer is the rollout as it is then: luctl decides nothing, and words of states and
 * changes come from lud as they are printed. A list says a line of each; one that is asked for by its number comes with
 * its machines, which may be many and come in pages, and with its history.
 *
 * Where policies ask for approvals, `job approve` is what people find first, since `explain` names the job that waits. It
 * means the same as `rollout approve`: nobody approves of one machine. `job deny` (job_change.c) ends one job only;
 * `rollout abort` ends them all.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/client/pages.h"
#include "ctl/cmd/cmd.h"

#define ROLLOUT_NAME_SIZE 80 /* the record has shorter ones */

/* A machine of the rollout that is shown, kept until all pages are there. */
struct rollout_machine {
	uint32_t ring;
	uint64_t job;
	char ring_name[ROLLOUT_NAME_SIZE], name[ROLLOUT_NAME_SIZE], state[TEXT_SIZE];
};

/* The list as far as it has come, and the request for its next page. */
struct rollout_pages {
	Control__RolloutListRequest ask;
	bool is_begun; /* a page was there */
	struct rollout_machine *machines;
	size_t n_machines;
	struct table *changes; /* NULL: of a list */
};

static void rollout_keep_members(struct rollout_pages *pages, const Control__Rollout *rollout)
{
	struct rollout_machine *machines = realloc(
	        pages->machines, (pages->n_machines + rollout->n_members + 1) * sizeof(*machines));

	if (!machines) {
		abort();
	}
	pages->machines = machines;
	for (size_t i = 0; i < rollout->n_members; i++) {
		const Control__RolloutMember *member = rollout->members[i];
		struct rollout_machine *machine = &machines[pages->n_machines++];

		machine->ring = member->ring;
		machine->job = member->job;
		snprintf(machine->ring_name, ROLLOUT_NAME_SIZE, "%s",
		        member->ring < rollout->n_rings ? rollout->rings[member->ring]->name : "-");
		snprintf(machine->name, ROLLOUT_NAME_SIZE, "%s", member->machine);
		snprintf(machine->state, TEXT_SIZE, "%s", member->state);
	}
}

static int rollout_compare(const void *a, const void *b)
{
	const struct rollout_machine *one = a, *other = b;

	return one->ring != other->ring ? (one->ring > other->ring) - (one->ring < other->ring)
	                                : strcmp(one->name, other->name);
}

/* Which machine is in which ring, and the job that says what it is at: by ring and name. */
static void rollout_print_members(const struct rollout_pages *pages)
{
	static const struct table_column columns[] = {
	        {"RING", false}, {"MACHINE", false}, {"STATE", false}, {"JOB", true}};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	qsort(pages->machines, pages->n_machines, sizeof(*pages->machines), rollout_compare);
	for (size_t i = 0; i < pages->n_machines; i++) {
		const struct rollout_machine *machine = &pages->machines[i];
		char job[TEXT_SIZE] = "-";

		if (machine->job) {
			snprintf(job, sizeof(job), "%" PRIu64, machine->job);
		}
		table_row(table, (const char *const[]){
		                         machine->ring_name, machine->name, machine->state, job});
	}
	table_print(table);
}

/* A log of decisions, oldest first. */
static struct table *rollout_changes(const Control__Rollout *rollout)
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
	return table;
}

/* The head of a rollout is one line, with why it stands still where it does. */
static void rollout_print(const Control__RolloutList *list)
{
	for (size_t i = 0; i < list->n_rollouts; i++) {
		const Control__Rollout *rollout = list->rollouts[i];

		printf("rollout %" PRIu64 ": release %" PRIu32 " of %s by policy %s, ring %" PRIu32
		       " of %zu: %s%s%s\n",
		        rollout->id, rollout->counter, rollout->service, rollout->policy,
		        rollout->ring + 1, rollout->n_rings, rollout->state,
		        *rollout->why ? ": " : "", rollout->why);
	}
}

/* What changes one is answered with it. */
static int rollout_call(const struct options *options, Control__Request *request)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	int code = command_call(options, request, NULL, NULL, &client, &reply);

	if (code == CTL_OK && !options->json) {
		rollout_print(reply->rollouts);
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

/* Rows as they come: rollouts are printed, machines of one are kept to be sorted. */
static size_t rollout_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__RolloutList *list = reply->rollouts;
	struct rollout_pages *pages = arg;
	const Control__Rollout *one =
	        pages->ask.rollout && list->n_rollouts ? list->rollouts[0] : NULL;

	if (print && !pages->is_begun && !list->n_rollouts && !pages->ask.after) {
		puts("there are no rollouts");
	}
	/* The head of one is the same in each page. */
	if (print && !(one && pages->is_begun)) {
		rollout_print(list);
	}
	if (print && one) {
		rollout_keep_members(pages, one);
		pages->changes = pages->changes ? pages->changes : rollout_changes(one);
	}
	pages->is_begun = true;
	if (list->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, list->next);
	}
	return one ? one->n_members : list->n_rollouts;
}

/* The pages of either list, and what is left to print behind them. */
static int rollout_list(const struct options *options, struct rollout_pages *list)
{
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list->ask.limit,
	        .of = list->ask.rollout ? "rollouts" : NULL,
	        .list = list->ask.rollout ? "members" : "rollouts",
	        .whole = list->ask.rollout != 0,
	        .page = rollout_page,
	        .at = &list->ask.after,
	        .arg = list,
	};
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	request.body_case = CONTROL__REQUEST__BODY_ROLLOUT_LIST;
	request.rollout_list = &list->ask;
	code = pages_call(options, &pages, cursor);
	if (code == CTL_OK && list->changes) {
		rollout_print_members(list);
		table_print(list->changes);
		list->changes = NULL;
	}
	if (code == CTL_OK && !options->json) {
		pages_more(options, "rollout status", "--after", cursor);
	}
	return code;
}

/* Without a number: a line of each, newest first. */
int cmd_rollout_status(const struct options *options)
{
	struct rollout_pages list = {.ask = CONTROL__ROLLOUT_LIST_REQUEST__INIT};
	int code = options->n_args ? rollout_number(options, &list.ask.rollout) : CTL_OK;

	if (code == CTL_OK && *options->after && text_number(options->after, &list.ask.after) < 0) {
		return ctl_fail(CTL_USAGE, "--after",
		        "give what stands behind --after where a list ended", "`%s` is no number",
		        options->after);
	}
	code = code == CTL_OK ? rollout_list(options, &list) : code;
	if (list.changes) {
		table_free(list.changes);
	}
	free(list.machines);
	return code;
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
	return code == CTL_OK ? rollout_call(options, &request) : code;
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
	return code == CTL_OK ? rollout_call(options, &request) : code;
}
