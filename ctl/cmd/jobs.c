/*
 * jobs: what was asked for and what became of it. A job that was refused before a generation was
 * drawn is in no history, so this is where its reason is found later.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/job/job.h"

/*
 * One job as a row. The last column is the reason of a failure, or what it waits for, or else the notice of
 * one that succeeded with something to say.
 */
static void jobs_row(struct table *table, const Control__Job *job)
{
	char id[TEXT_SIZE], when[TEXT_SIZE], generation[TEXT_SIZE], wait[JOB_WAIT_SIZE];

	snprintf(id, TEXT_SIZE, "%" PRIu64, job->id);
	snprintf(generation, TEXT_SIZE, "%" PRIu64, job->generation);
	table_row(table, (const char *const[]){id, job->service, job_kind_text(job->kind),
	                         job_state_text(job->state), job->generation ? generation : "-",
	                         text_time(job->created_us, when), job->identity,
	                         job->cause                  ? job->cause->message
	                         : *job_wait_text(job, wait) ? wait
	                                                     : job->hint});
}

/* FOR is who asked, by the credentials of the connection; GEN is `-` until a layout was drawn. */
static void jobs_print(const Control__JobList *list)
{
	static const struct table_column columns[] = {
	        {"JOB", true},
	        {"SERVICE", false},
	        {"KIND", false},
	        {"STATE", false},
	        {"GEN", true},
	        {"ASKED", false},
	        {"FOR", false},
	        {"CAUSE", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < list->n_jobs; i++) {
		jobs_row(table, list->jobs[i]);
	}
	table_print(table);
	if (list->more) {
		puts("there is more: use --limit");
	}
}

/* Open jobs and those that are over, of one service or of all; --limit says how many. */
int cmd_jobs(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobListRequest jobs = CONTROL__JOB_LIST_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	jobs.machine = (char *)options->machine;
	jobs.service = options->n_args ? options->args[0] : "";
	jobs.limit = options->limit;
	request.body_case = CONTROL__REQUEST__BODY_JOB_LIST;
	request.job_list = &jobs;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		jobs_print(reply->jobs);
	}
	return code;
}
