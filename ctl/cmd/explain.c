/*
 * explain: what is in the way of a job, or of changes of a machine, gate by gate, as lud asks them itself.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/job/job.h"

/* Whether every gate of a change is open, from the first one on. */
static const char *explain_change(const Control__Explanation *explanation, size_t first)
{
	const Control__ExplainGate *const *gates =
	        (const Control__ExplainGate *const *)explanation->gates;

	for (size_t i = first; i < explanation->n_gates; i++) {
		if (!strcmp(gates[i]->change, gates[first]->change) && !gates[i]->open) {
			return "shut";
		}
	}
	return "open";
}

/*
 * Of a job that is over: what became of it, where, by what, and what helps. It has no gates before it any more, so that
 * is all there is to say.
 */
static void explain_over(const Control__Job *job)
{
	printf("it is over, and %s", job_state_text(job->state));
	if (job->cause) {
		printf(": %s, step %s: %s", job->cause->component, job->cause->step,
		        job->cause->message);
	}
	printf("%s%s\n`luctl job show %" PRIu64 "` shows its steps\n", *job->hint ? "; " : "",
	        job->hint, job->id);
}

/*
 * Something of a set is there, which its deadline takes back: what waits for its soak runs as well as what was confirmed,
 * and other jobs have no children.
 */
static bool explain_goes_back(const Control__Job *job)
{
	for (size_t i = 0; i < job->n_children; i++) {
		Control__JobState state = job->children[i]->state;

		if (state == CONTROL__JOB_STATE__JOB_STATE_SOAKING ||
		        state == CONTROL__JOB_STATE__JOB_STATE_CONFIRMED ||
		        state == CONTROL__JOB_STATE__JOB_STATE_COMMITTED) {
			return true;
		}
	}
	return false;
}

/* What keeps an open job, by its gates or by a person, and until when. */
static void explain_wait(const Control__Job *job)
{
	char wait[JOB_WAIT_SIZE];

	if (*job->waits_for) {
		printf("%s: %s%s\n", job_state_text(job->state), job_wait_text(job, wait),
		        explain_goes_back(job) ? "; then what is done of it goes back" : "");
	}
}

/*
 * A tree: the changes, and below each its gates in the order in which they are come to. A gate that is open and says
 * something was passed by an override.
 */
static void explain_print(const Control__Reply *reply)
{
	const Control__Explanation *explanation = reply->explanation;
	static const struct table_column columns[] = {
	        {"GATE", false}, {"STATE", false}, {"OPENS", false}, {"WHY", false}};
	const Control__Job *job = explanation->job;
	struct table *table;

	if (job) {
		printf("job %" PRIu64 ": %s%s%s on %s\n", job->id, job_kind_text(job->kind),
		        *job->service ? " " : "", job->service, job->machine);
	} else {
		printf("%s%s%s\n", explanation->machine, *explanation->service ? ", service " : "",
		        explanation->service);
	}
	if (job && !explanation->n_gates) {
		explain_over(job);
		return;
	}
	if (job) {
		explain_wait(job);
	}
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	table_tree(table);
	for (size_t i = 0; i < explanation->n_gates; i++) {
		const Control__ExplainGate *gate = explanation->gates[i];
		char next[TEXT_SIZE];

		if (!i || strcmp(gate->change, explanation->gates[i - 1]->change) != 0) {
			table_row(table, (const char *const[]){gate->change,
			                         explain_change(explanation, i), "", ""});
		}
		table_at(table, 1,
		        (const char *const[]){gate->gate,
		                !gate->open  ? "shut"
		                : *gate->why ? "passed"
		                             : "open",
		                gate->open      ? "-"
		                : gate->next_us ? text_time(gate->next_us, next)
		                                : "nobody knows",
		                gate->why});
	}
	table_print(table);
}

/* Of a job by its number; else of what could be asked for on the machine. */
int cmd_explain(const struct options *options)
{
	Control__ExplainRequest explain = CONTROL__EXPLAIN_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	explain.machine = (char *)options->machine;
	if (options->n_args && text_number(options->args[0], &explain.job) < 0) {
		if (*options->machine && strcmp(options->machine, options->args[0]) != 0) {
			return ctl_fail(CTL_USAGE, "explain", "name it once",
			        "`%s` and `%s` are two machines", options->args[0],
			        options->machine);
		}
		explain.machine = options->args[0];
	}
	explain.service = (char *)options->service;
	request.body_case = CONTROL__REQUEST__BODY_EXPLAIN;
	request.explain = &explain;
	return command_show(options, &request, explain_print);
}
