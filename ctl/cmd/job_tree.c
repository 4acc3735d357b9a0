/*
 * The job that asked for this one stands above it, with those that it asked for and its steps below: an update of
 * several services, or a move of a whole machine, is read from the top down. Steps have the time at which they began and how
 * long they took; so do jobs, whose time includes what they waited.
 */
#include "ctl/cmd/job_tree.h"

#include <inttypes.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/job/job.h"

/* A dash: it is not over. */
static const char *job_tree_took(int64_t from_us, int64_t until_us, char ret_text[TEXT_SIZE])
{
	return until_us > from_us
	               ? text_nsec((uint64_t)text_between(from_us, until_us) * 1000, ret_text)
	       : until_us ? "0 us"
	                  : "-";
}

/*
 * A job as a row: what it does to what, its state, when it was asked for, and how long it took or has not taken yet. Why it
 * ended so stands above the tree, for the one that was asked about.
 */
static void job_tree_job(struct table *table, unsigned int depth, const Control__Job *job)
{
	char what[96], since[TEXT_SIZE], took[TEXT_SIZE];

	snprintf(what, sizeof(what), "job %" PRIu64 ": %s%s%s", job->id, job_kind_text(job->kind),
	        *job->service ? " " : "", job->service);
	table_at(table, depth,
	        (const char *const[]){what, job_state_text(job->state),
	                text_time(job->created_us, since),
	                job_tree_took(job->created_us, job->ended_us, took), ""});
}

/* A step as a row; one that is done again, after a restart of lud or for the next service, has a row each time. */
static void job_tree_step(struct table *table, unsigned int depth, const Control__JobStep *step)
{
	char since[TEXT_SIZE], took[TEXT_SIZE];

	table_at(table, depth,
	        (const char *const[]){step->name, step->state, text_time(step->started_us, since),
	                job_tree_took(step->started_us, step->ended_us, took), step->detail});
}

/*
 * The newest job up to its number is it, or the record keeps it no more. Nothing of it is an answer of the command: with
 * --json there is no tree, since the job that it answers with names its parent and has its steps and children.
 */
static int job_tree_parent(
        const struct options *options, const Control__Job *job, struct table *table)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobListRequest list = CONTROL__JOB_LIST_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	char what[64];
	int code;

	list.machine = job->machine;
	list.before = job->parent + 1;
	list.limit = 1;
	request.body_case = CONTROL__REQUEST__BODY_JOB_LIST;
	request.job_list = &list;
	code = command_ask(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && reply->jobs->n_jobs && reply->jobs->jobs[0]->id == job->parent) {
		job_tree_job(table, 0, reply->jobs->jobs[0]);
	} else if (code == CTL_OK) {
		snprintf(what, sizeof(what), "job %" PRIu64, job->parent);
		table_at(table, 0, (const char *const[]){what, "", "", "", "removed by retention"});
	}
	return code;
}

/* As they were asked for, oldest first. */
static void job_tree_child(struct table *table, unsigned int depth, const Control__JobChild *child)
{
	Control__Job job = CONTROL__JOB__INIT;

	job.id = child->job;
	job.kind = child->kind;
	job.state = child->state;
	job.service = child->service;
	job.created_us = child->created_us;
	job.ended_us = child->ended_us;
	job_tree_job(table, depth, &job);
}

/* The children come last, as they were asked for while the steps went on. */
int job_tree_print(const struct options *options, const Control__Job *job)
{
	static const struct table_column columns[] = {{"JOB", false}, {"STATE", false},
	        {"BEGAN", false}, {"TOOK", true}, {"DETAIL", false}};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	unsigned int depth = 0;
	int code = CTL_OK;

	table_tree(table);
	if (job->parent) {
		code = job_tree_parent(options, job, table);
		depth = code == CTL_OK;
	}
	job_tree_job(table, depth, job);
	for (size_t i = 0; i < job->n_steps; i++) {
		job_tree_step(table, depth + 1, job->steps[i]);
	}
	for (size_t i = 0; i < job->n_children; i++) {
		job_tree_child(table, depth + 1, job->children[i]);
	}
	table_print(table);
	return code;
}
