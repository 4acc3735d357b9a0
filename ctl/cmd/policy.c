/*
 * The policy commands that are offline: files are read here, with the library that lud uses, and nothing
 * is asked of lud. check says everything that is wrong with some files and between them; test says what
 * they would allow on a machine at a time; show prints a policy with its drop-ins; schema lists the
 * keys.
 *
 * Without --json errors go to stderr, one line each in the form of compilers, FILE:LINE:COLUMN. With
 * it they are part of the answer.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/cmd/policy_files.h"
#include "orchestrator/policy/calendar.h"
#include "orchestrator/policy/decide.h"

#define POLICY_TIME_SIZE 40u

int cmd_policy_check(const struct options *options)
{
	_cleanup_(policy_files_fini) struct policy_files files;
	int code = policy_files_read(options, &files);

	if (code == CTL_OK && options->json) {
		policy_errors_print_json(&files.errors);
	} else if (code == CTL_OK) {
		for (size_t i = 0; i < files.n; i++) {
			printf("%s: policy %s is valid\n", files.sources[i].texts[0].name,
			        policy_name(files.policies[i]));
		}
	}
	return code;
}

/* With --json each policy is one string of YAML: it is for people and for files. */
static int policy_show_files(const struct options *options)
{
	_cleanup_(policy_files_fini) struct policy_files files;
	int code = policy_files_read(options, &files);
	json_t *list = code == CTL_OK && options->json ? json_array() : NULL;

	for (size_t i = 0; code == CTL_OK && i < files.n; i++) {
		_cleanup_(ctl_freep) char *text = NULL;
		_cleanup_(ctl_freep) char *clean = NULL;
		size_t size;
		FILE *stream = open_memstream(&text, &size);

		if (!stream) {
			return ctl_fail(CTL_FAILED, "", NULL, "out of memory");
		}
		policy_print(files.policies[i], options->effective, stream);
		(void)fclose(stream);
		if (list) {
			json_array_append_new(list,
			        json_pack("{s:s, s:o}", "name", policy_name(files.policies[i]),
			                "policy", policy_json_text(text)));
		} else {
			printf("%s%s", i ? "---\n" : "", text);
		}
	}
	if (list) {
		answer_add(json_pack("{s:o}", "policies", list));
	}
	return code;
}

/* Of files, or of what counts in lud. */
int cmd_policy_show(const struct options *options)
{
	if (*options->service && !options->effective) {
		return ctl_fail(CTL_USAGE, "--service",
		        "with --effective it is shown what counts for one service",
		        "policies are shown as they are, and not for a service");
	}
	return options->n_args ? policy_show_files(options) : policy_show_running(options);
}

static void policy_schema_json(void)
{
	json_t *list = json_array();
	char path[POLICY_PATH_SIZE], type[POLICY_PATH_SIZE];

	for (enum policy_row row = POLICY_ROOT + 1; row < _POLICY_ROW_N; row++) {
		json_array_append_new(list,
		        json_pack("{s:s, s:s, s:b, s:s?, s:s}", "key", policy_row_path(row, path),
		                "type", policy_row_type(row, type), "required",
		                policy_row_must(row), "default", policy_row_default(row), "what",
		                policy_row_sentence(row)));
	}
	answer_add(json_pack("{s:o}", "keys", list));
}

int cmd_policy_schema(const struct options *options)
{
	static const struct table_column columns[] = {
	        {"KEY", false}, {"VALUE", false}, {"DEFAULT", false}, {"WHAT", false}};
	char path[POLICY_PATH_SIZE], type[POLICY_PATH_SIZE];
	struct table *table;

	if (options->json) {
		policy_schema_json();
		return CTL_OK;
	}
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (enum policy_row row = POLICY_ROOT + 1; row < _POLICY_ROW_N; row++) {
		const char *preset = policy_row_default(row);

		table_row(table, (const char *const[]){policy_row_path(row, path),
		                         policy_row_type(row, type),
		                         preset                 ? preset
		                         : policy_row_must(row) ? "(required)"
		                                                : "-",
		                         policy_row_sentence(row)});
	}
	table_print(table);
	return CTL_OK;
}

/* "2026-03-29 01:00:00 UTC"; `never` where there is no such instant. */
static const char *policy_time(int64_t usec, char ret_text[POLICY_TIME_SIZE])
{
	time_t seconds = (time_t)(usec / POLICY_USEC);
	struct tm tm;

	if (usec == DECIDE_NEVER || !gmtime_r(&seconds, &tm) ||
	        !strftime(ret_text, POLICY_TIME_SIZE, "%Y-%m-%d %H:%M:%S UTC", &tm)) {
		snprintf(ret_text, POLICY_TIME_SIZE, "never");
	}
	return ret_text;
}

/* Seconds since 1970; null where there is no such instant, since no number would say that. */
static json_t *policy_instant_json(int64_t usec)
{
	return usec == DECIDE_NEVER ? json_null() : json_integer(usec / POLICY_USEC);
}

static json_t *policy_decision_json(enum decide_action action, const struct decision *d)
{
	const char *by = d->by ? policy_name(d->by) : NULL;

	return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o}", "action", decide_action_name(action),
	        "verdict", decide_verdict_name(d->verdict), "policy", by, "why", d->why, "until",
	        policy_instant_json(d->until), "next", policy_instant_json(d->next));
}

/* The same for people: times in UTC, as policies without a zone have them. */
static void policy_decision_row(
        struct table *table, enum decide_action action, const struct decision *d)
{
	char until[POLICY_TIME_SIZE], next[POLICY_TIME_SIZE];

	table_row(table, (const char *const[]){decide_action_name(action),
	                         decide_verdict_name(d->verdict), d->by ? policy_name(d->by) : "-",
	                         policy_time(d->until, until), policy_time(d->next, next), d->why});
}

/*
 * Asks the policies of files, and nobody else: no machine has to exist, and the time may be any. Whatever the answer is, the
 * question was answered, so the exit code is 0.
 */
int cmd_policy_test(const struct options *options)
{
	static const struct table_column columns[] = {{"ACTION", false}, {"ANSWER", false},
	        {"POLICY", false}, {"UNTIL", false}, {"NEXT START", false}, {"WHY", false}};
	struct decide_subject subject = {
	        options->machine, options->group, options->label, options->service};
	_cleanup_(policy_files_fini) struct policy_files files;
	int64_t at = (int64_t)time(NULL) * POLICY_USEC;
	int code = policy_files_read(options, &files);
	struct table *table = NULL;
	json_t *list = NULL;

	if (code == CTL_OK && !*options->machine) {
		code = ctl_fail(CTL_USAGE, "--machine", "name a machine: --machine NAME",
		        "policies are about machines, and none is named");
	}
	if (code == CTL_OK && options->at) {
		code = policy_read_time("--at", options->at, &at);
	}
	if (code != CTL_OK) {
		return code;
	}
	list = options->json ? json_array() : NULL;
	table = list ? NULL : table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (enum decide_action action = 0; action < _DECIDE_ACTION_N; action++) {
		struct decision decision;

		decide((const struct policy *const *)files.policies, files.n, &subject, action, at,
		        &decision);
		if (list) {
			json_array_append_new(list, policy_decision_json(action, &decision));
		} else {
			policy_decision_row(table, action, &decision);
		}
	}
	if (list) {
		answer_add(json_pack("{s:s, s:o, s:o}", "machine", options->machine, "at",
		        policy_instant_json(at), "answers", list));
	} else {
		table_print(table);
	}
	return CTL_OK;
}
