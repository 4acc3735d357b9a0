/*
 * jobs: what was asked for and what became of it. A job that was refused before a generation was
 * drawn is in no history, so this is where its reason is found later.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/pages.h"
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

/* The list as far as it has come, and the request for its next page. */
struct jobs_list {
	Control__JobListRequest ask;
	struct table *table;
	uint64_t removed; /* as the last page told */
	int64_t removed_us;
};

/* Rows as they come; the cursor is lud\'s, and says where the next page begins. */
static size_t jobs_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__JobList *jobs = reply->jobs;
	struct jobs_list *list = arg;

	for (size_t i = 0; print && i < jobs->n_jobs; i++) {
		jobs_row(list->table, jobs->jobs[i]);
	}
	list->removed = jobs->removed;
	list->removed_us = jobs->removed_us;
	if (jobs->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, jobs->next);
	}
	return jobs->n_jobs;
}

/*
 * Open jobs and those that are over, of one service or of all; --limit says how many. FOR is who
 * asked, by the credentials of the connection; GEN is `-` until a layout was drawn.
 */
int cmd_jobs(const struct options *options)
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
	struct jobs_list list = {.ask = CONTROL__JOB_LIST_REQUEST__INIT};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list.ask.limit,
	        .list = "jobs",
	        .page = jobs_page,
	        .at = &list.ask.before,
	        .arg = &list,
	};
	struct pages_table words = {
	        .command = "job list", .option = "--before", .none = "no job", .is = "is recorded"};
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	list.ask.machine = (char *)options->machine;
	list.ask.service = options->n_args ? options->args[0] : "";
	list.ask.before = options->before;
	request.body_case = CONTROL__REQUEST__BODY_JOB_LIST;
	request.job_list = &list.ask;
	words.table = list.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	code = pages_show(options, &pages, &words, cursor);
	if (code == CTL_OK && !options->json) {
		pages_removed(cursor, list.removed, list.removed_us);
	}
	return code;
}
