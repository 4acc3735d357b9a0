/*
 * Policy files on the command line of several commands. All of them are read before any error is told:
 * who mends files wants to know everything that is wrong with them.
 */
#include "ctl/cmd/policy_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/base/base.h"
#include "ctl/base/answer.h"
#include "host/text/escape.h"
#include "orchestrator/policy/calendar.h"

void policy_files_fini(struct policy_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		policy_free(files->policies[i]);
		policy_source_fini(&files->sources[i]);
	}
	policy_errors_fini(&files->errors);
}

/* Files say what they like, also to a terminal. */
json_t *policy_json_text(const char *text)
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

int policy_errors_refuse(
        const struct options *options, const struct policy_errors *errors, const char *manual)
{
	size_t n = errors->n + errors->n_left_out;

	if (options->json) {
		answer_add(policy_errors_json(errors));
		return CTL_FAILED;
	}
	for (size_t i = 0; i < errors->n; i++) {
		policy_error_print(&errors->list[i]);
	}
	fprintf(stderr, "luctl: %zu error%s%s; %s has all keys\n", n, n == 1 ? "" : "s",
	        errors->n_left_out ? ", the first of which are above" : "", manual);
	return CTL_FAILED;
}

void policy_errors_print_json(const struct policy_errors *errors)
{
	answer_add(policy_errors_json(errors));
}

/* False: there are too many. */
static bool policy_files_add(struct policy_files *files, const char *path)
{
	struct policy_source *source = &files->sources[files->n];
	struct policy *policy = NULL;
	int r;

	if (files->n == POLICY_FILES_MAX) {
		return false;
	}
	r = policy_source_read(path, &files->errors, source);
	/* What can be read is read, for its errors. */
	if (source->n && policy_parse(source, &files->errors, &policy) != 0) {
		r = POLICY_E_INVALID;
	}
	if (r) {
		policy_source_fini(source);
		policy_free(policy);
		return true;
	}
	files->policies[files->n++] = policy;
	return true;
}

/* Editors leave copies with other endings behind, and hidden ones. */
static int policy_is_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && !strcmp(dot, ".yaml");
}

static int policy_by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int policy_files_dir(struct policy_files *files, const char *dir)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, policy_is_file, policy_by_name);
	bool fits = true;

	if (n <= 0) {
		free(entries);
		return ctl_fail(CTL_FAILED, dir, "name a directory with policies, NAME.yaml", "%s",
		        n ? strerror(errno) : "there is no policy in it");
	}
	for (int i = 0; i < n; i++) {
		_cleanup_(ctl_freep) char *path = ctl_format("%s/%s", dir, entries[i]->d_name);

		fits = fits && policy_files_add(files, path);
		free(entries[i]);
	}
	free(entries);
	return fits ? CTL_OK
	            : ctl_fail(CTL_USAGE, dir, NULL, "at most %d policies at a time",
	                      POLICY_FILES_MAX);
}

int policy_files_read(const struct options *options, struct policy_files *ret_files)
{
	int code = CTL_OK;

	*ret_files = (struct policy_files){0};
	for (int i = 0; code == CTL_OK && i < options->n_args; i++) {
		struct stat file;

		if (stat(options->args[i], &file) == 0 && S_ISDIR(file.st_mode)) {
			code = policy_files_dir(ret_files, options->args[i]);
		} else if (!policy_files_add(ret_files, options->args[i])) {
			code = ctl_fail(CTL_USAGE, options->args[i], NULL,
			        "at most %d policies at a time", POLICY_FILES_MAX);
		}
	}
	if (code == CTL_OK &&
	        (ret_files->errors.n || policy_check_together(ret_files->policies, ret_files->n,
	                                        &ret_files->errors) != 0)) {
		code = policy_errors_refuse(options, &ret_files->errors, "samsara-policy(5)");
	}
	return code;
}

/*
 * Seconds since 1970, or a date and time with or without a zone, which is a calendar expression
 * that elapses once. RFC 3339 in UTC is taken, too.
 */
int policy_read_time(const char *option, const char *text, int64_t *ret_usec)
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
		return ctl_fail(CTL_USAGE, option,
		        "give seconds since 1970, or `2026-03-29 01:30 Europe/Berlin` (UTC without "
		        "a zone)",
		        "`%s` is not one point in time", text);
	}
	return CTL_OK;
}
