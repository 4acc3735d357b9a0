/*
 * The policy commands, all offline: files are read here, with the library that lud uses, and nothing
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

#include "ctl/base/json.h"
#include "ctl/base/table.h"
#include "host/text/escape.h"
#include "orchestrator/policy/calendar.h"
#include "orchestrator/policy/decide.h"

#define POLICY_TIME_SIZE 40u
#define POLICY_USEC INT64_C(1000000)
/* No command takes more files (commands.def). */
#define POLICY_FILES_MAX 64

/* The files of a command line, read. */
struct policy_files {
	struct policy *policies[POLICY_FILES_MAX];
	size_t n;
	struct policy_errors errors;
};

static void policy_files_fini(struct policy_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		policy_free(files->policies[i]);
	}
	policy_errors_fini(&files->errors);
}

/* Files say what they like, also to a terminal. */
static json_t *policy_json_text(const char *text)
{
	char *utf8 = text_utf8_new(text);
	json_t *json = json_string(utf8);

	free(utf8);
	return json;
}

static void policy_error_print(const struct policy_error *error)
{
	char *file = text_escape_new(error->file);
	char *what = text_escape_new(error->what);
	char *expected = text_escape_new(error->expected);

	fprintf(stderr, "%s:", file);
	if (error->line) {
		fprintf(stderr, "%zu:%zu:", error->line, error->column);
	}
	fprintf(stderr, " %s\n    expected: %s\n", what, expected);
	free(file);
	free(what);
	free(expected);
}

static json_t *policy_errors_json(const struct policy_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->n; i++) {
		const struct policy_error *error = &errors->list[i];

		json_array_append_new(
		        list, json_pack("{s:o, s:I, s:I, s:o, s:o}", "file",
		                      policy_json_text(error->file), "line",
		                      (json_int_t)error->line, "column", (json_int_t)error->column,
		                      "what", policy_json_text(error->what), "expected",
		                      policy_json_text(error->expected)));
	}
	return json_pack("{s:b, s:o, s:I}", "valid", errors->n == 0, "errors", list, "left_out",
	        (json_int_t)errors->n_left_out);
}

/* CTL_FAILED after all errors were told. */
static int policy_refuse(const struct options *options, const struct policy_errors *errors)
{
	size_t n = errors->n + errors->n_left_out;

	if (options->json) {
		json_print(policy_errors_json(errors));
		return CTL_FAILED;
	}
	for (size_t i = 0; i < errors->n; i++) {
		policy_error_print(&errors->list[i]);
	}
	fprintf(stderr, "luctl: %zu error%s%s; samsara-policy(5) has all keys\n", n,
	        n == 1 ? "" : "s", errors->n_left_out ? ", the first of which are above" : "");
	return CTL_FAILED;
}

/* Read all files, and compare them when each by itself is valid. */
static int policy_files_read(const struct options *options, struct policy_files *ret_files)
{
	*ret_files = (struct policy_files){0};
	for (int i = 0; i < options->n_args; i++) {
		if (policy_load(options->args[i], &ret_files->errors,
		            &ret_files->policies[ret_files->n]) == 0) {
			ret_files->n++;
		}
	}
	if (ret_files->errors.n ||
	        policy_check_together(ret_files->policies, ret_files->n, &ret_files->errors) != 0) {
		return policy_refuse(options, &ret_files->errors);
	}
	return CTL_OK;
}

int cmd_policy_check(const struct options *options)
{
	_cleanup_(policy_files_fini) struct policy_files files;
	int code = policy_files_read(options, &files);

	if (code == CTL_OK && options->json) {
		json_print(policy_errors_json(&files.errors));
	} else if (code == CTL_OK) {
		for (size_t i = 0; i < files.n; i++) {
			printf("%s: policy %s is valid\n", options->args[i],
			        policy_name(files.policies[i]));
		}
	}
	return code;
}

/* With --json each policy is one string of YAML: it is for people and for files. */
int cmd_policy_show(const struct options *options)
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
		json_print(json_pack("{s:o}", "policies", list));
	}
	return code;
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
	json_print(json_pack("{s:o}", "keys", list));
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

/*
 * --at: seconds since 1970, or a date and time with or without a zone, which is a calendar expression
 * that elapses once. RFC 3339 in UTC is taken, too.
 */
static int policy_read_at(const char *text, int64_t *ret_usec)
{
	_cleanup_(calendar_freep) struct calendar *calendar = NULL;
	_cleanup_(zone_freep) struct zone *utc = NULL;
	_cleanup_(ctl_freep) char *copy = ctl_format("%s UTC", text);
	size_t len = strlen(text);
	struct calendar_fault fault;
	int64_t again;

	if (len && len < 12 && strspn(text, "0123456789") == len) {
		*ret_usec = strtoll(text, NULL, 10) * POLICY_USEC;
		return CTL_OK;
	}
	if (len == 20 && text[10] == 'T' && text[19] == 'Z') {
		copy[10] = ' ';
		memcpy(copy + 19, " UTC", 5);
	} else {
		copy[len] = '\0';
	}
	if (zone_open("UTC", &utc) != 0 || calendar_parse(copy, &calendar, &fault) != 0 ||
	        !calendar_next(calendar, utc, -1, ret_usec) ||
	        calendar_next(calendar, utc, *ret_usec, &again)) {
		return ctl_fail(CTL_USAGE, "--at",
		        "give seconds since 1970, or `2026-03-29 01:30 Europe/Berlin` (UTC without "
		        "a zone)",
		        "`%s` is not one point in time", text);
	}
	return CTL_OK;
}

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

static void policy_decision_row(
        struct table *table, enum decide_action action, const struct decision *d)
{
	char until[POLICY_TIME_SIZE], next[POLICY_TIME_SIZE];

	table_row(table, (const char *const[]){decide_action_name(action),
	                         decide_verdict_name(d->verdict), d->by ? policy_name(d->by) : "-",
	                         policy_time(d->until, until), policy_time(d->next, next), d->why});
}

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
		code = policy_read_at(options->at, &at);
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
		json_print(json_pack("{s:s, s:o, s:o}", "machine", options->machine, "at",
		        policy_instant_json(at), "answers", list));
	} else {
		table_print(table);
	}
	return CTL_OK;
}
