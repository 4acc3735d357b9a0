/*
 * The policy commands that ask lud: apply, remove, rollback, show and diff of what counts, history.
 * Files are read and checked here first, since here every error can be told with its place; lud checks
 * them again.
 *
 * What lud does not act on yet is told on stderr, one line each, whenever policies change or are shown.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/client/pages.h"
#include "ctl/cmd/policy_files.h"

/* The policies of an answer, read as lud has read them. */
struct policy_running {
	struct policy *policies[POLICY_FILES_MAX];
	size_t n;
};

static void policy_running_fini(struct policy_running *running)
{
	for (size_t i = 0; i < running->n; i++) {
		policy_free(running->policies[i]);
	}
}

/* One that this host cannot read is left out: lud says what it cannot read, and newer keys are its own. */
static void policy_running_read(const Control__PolicySet *set, struct policy_running *ret_running)
{
	*ret_running = (struct policy_running){0};
	for (size_t i = 0; i < set->n_policies && i < POLICY_FILES_MAX; i++) {
		_cleanup_(policy_source_fini) struct policy_source source = {0};
		struct policy_errors errors = {0};

		for (size_t f = 0; f < set->policies[i]->n_files; f++) {
			const Control__PolicyFile *file = set->policies[i]->files[f];

			(void)policy_source_add(
			        &source, file->name, file->text.data, file->text.len);
		}
		if (policy_parse(&source, &errors, &ret_running->policies[ret_running->n]) == 0) {
			ret_running->n++;
		} else {
			(void)ctl_fail(CTL_FAILED, set->policies[i]->name,
			        "use the luctl of the same version",
			        "this luctl cannot read the policy: %s",
			        errors.n ? errors.list[0].what : "it has no files");
		}
		policy_errors_fini(&errors);
	}
}

static void policy_tell_notes(const Control__PolicySet *set)
{
	for (size_t i = 0; i < set->n_notes; i++) {
		const Control__PolicyNote *note = set->notes[i];

		fprintf(stderr, "%s:%u:%u: %s\n", note->file, note->line, note->column, note->what);
	}
	if (set->n_notes) {
		fputs("luctl: nothing comes of the keys above: see to what they ask for by hand\n",
		        stderr);
	}
	if (*set->broken) {
		(void)ctl_fail(CTL_FAILED, "policies",
		        "mend it and apply it again, or go back: `luctl policy rollback`",
		        "lud cannot read all of them: %s", set->broken);
	}
}

static void policy_print_version(const Control__PolicySet *set)
{
	const Control__PolicyVersion *version = set->version;

	if (!version->version) {
		puts("no policy was ever applied");
	} else {
		printf("version %" PRIu64 ": %u polic%s\n", version->version, version->n_policies,
		        version->n_policies == 1 ? "y" : "ies");
	}
}

/* A change of the policies, answered with what counts then. */
static int policy_change(const struct options *options, Control__Request *request)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	int code = command_call(options, request, NULL, NULL, &client, &reply);

	if (code == CTL_OK && !options->json) {
		policy_print_version(reply->policies);
	}
	if (code == CTL_OK) {
		policy_tell_notes(reply->policies);
	}
	return code;
}

/* The files as messages: what was read is what is sent. */
static Control__PolicySource *policy_pack(const struct policy_source *source)
{
	Control__PolicySource *view = ctl_zero(sizeof(*view));

	control__policy_source__init(view);
	view->files = ctl_zero(source->n * sizeof(*view->files));
	for (size_t i = 0; i < source->n; i++) {
		Control__PolicyFile *file = ctl_zero(sizeof(*file));

		control__policy_file__init(file);
		file->name = source->texts[i].name;
		file->text = (ProtobufCBinaryData){source->texts[i].size, source->texts[i].bytes};
		view->files[view->n_files++] = file;
	}
	return view;
}

static void policy_pack_free(Control__PolicySource *view)
{
	for (size_t i = 0; i < view->n_files; i++) {
		free(view->files[i]);
	}
	free(view->files);
	free(view);
}

int cmd_policy_apply(const struct options *options)
{
	_cleanup_(policy_files_fini) struct policy_files files;
	Control__PolicyApplyRequest apply = CONTROL__POLICY_APPLY_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	Control__PolicySource *sources[POLICY_FILES_MAX];
	int code = policy_files_read(options, &files);

	if (code != CTL_OK) {
		return code;
	}
	for (size_t i = 0; i < files.n; i++) {
		sources[i] = policy_pack(&files.sources[i]);
	}
	apply.policies = sources;
	apply.n_policies = files.n;
	request.body_case = CONTROL__REQUEST__BODY_POLICY_APPLY;
	request.policy_apply = &apply;
	code = policy_change(options, &request);
	for (size_t i = 0; i < files.n; i++) {
		policy_pack_free(sources[i]);
	}
	return code;
}

int cmd_policy_remove(const struct options *options)
{
	Control__PolicyRemoveRequest removal = CONTROL__POLICY_REMOVE_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	removal.names = options->args;
	removal.n_names = options->n_args;
	request.body_case = CONTROL__REQUEST__BODY_POLICY_REMOVE;
	request.policy_remove = &removal;
	return policy_change(options, &request);
}

int cmd_policy_rollback(const struct options *options)
{
	Control__PolicyRollbackRequest rollback = CONTROL__POLICY_ROLLBACK_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	char *end;

	rollback.version = strtoull(options->args[0], &end, 10);
	if (*end || !rollback.version) {
		return ctl_fail(CTL_USAGE, "policy rollback",
		        "`luctl policy history` lists the versions", "`%s` is not a version",
		        options->args[0]);
	}
	request.body_case = CONTROL__REQUEST__BODY_POLICY_ROLLBACK;
	request.policy_rollback = &rollback;
	return policy_change(options, &request);
}

/* What counts, as lud tells it; for a machine with --effective. */
static int policy_ask(const struct options *options, struct client **ret_client,
        const Control__PolicySet **ret_set)
{
	Control__PolicyShowRequest show = CONTROL__POLICY_SHOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	show.machine = (char *)options->machine;
	show.service = (char *)options->service;
	show.effective = options->effective;
	request.body_case = CONTROL__REQUEST__BODY_POLICY_SHOW;
	request.policy_show = &show;
	code = command_call(options, &request, NULL, NULL, ret_client, &reply);
	if (code == CTL_OK) {
		*ret_set = reply->policies;
	}
	return code;
}

int policy_show_running(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(policy_running_fini) struct policy_running running = {0};
	const Control__PolicySet *set;
	int code = policy_ask(options, &client, &set);

	if (code != CTL_OK) {
		return code;
	}
	policy_tell_notes(set);
	if (options->json) {
		return CTL_OK;
	}
	if (options->effective) {
		fputs(set->text, stdout);
		return CTL_OK;
	}
	policy_running_read(set, &running);
	printf("# ");
	policy_print_version(set);
	for (size_t i = 0; i < running.n; i++) {
		printf("---\n");
		policy_print(running.policies[i], false, stdout);
	}
	return CTL_OK;
}

/* By its name; NULL: there is none. */
static const struct policy *policy_named(
        struct policy *const *policies, size_t n, const struct policy *like)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(policy_name(policies[i]), policy_name(like))) {
			return policies[i];
		}
	}
	return NULL;
}

/* Each policy that differs, under a heading; whether any does. */
static bool policy_diff_all(
        const struct policy_running *running, const struct policy_files *files, FILE *to)
{
	bool any = false;

	for (size_t i = 0; i < files->n; i++) {
		const struct policy *before =
		        policy_named(running->policies, running->n, files->policies[i]);
		_cleanup_(ctl_freep) char *text = NULL;
		size_t size;
		FILE *lines = open_memstream(&text, &size);

		if (lines && policy_diff(before, files->policies[i], lines)) {
			any = true;
		}
		if (lines && fclose(lines) == 0 && size) {
			fprintf(to, "policy %s%s\n%s", policy_name(files->policies[i]),
			        before ? "" : ", which does not count yet", text);
		}
	}
	return any;
}

/* 0 and nothing to read: applying the files would change nothing. */
int cmd_policy_diff(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(policy_files_fini) struct policy_files files;
	_cleanup_(policy_running_fini) struct policy_running running = {0};
	_cleanup_(ctl_freep) char *text = NULL;
	struct options plain = *options;
	const Control__PolicySet *set;
	size_t size;
	FILE *to;
	bool differ;
	int code = policy_files_read(options, &files);

	plain.json = false;
	if (code == CTL_OK) {
		code = policy_ask(&plain, &client, &set);
	}
	if (code != CTL_OK) {
		return code;
	}
	policy_running_read(set, &running);
	to = open_memstream(&text, &size);
	if (!to) {
		return ctl_fail(CTL_FAILED, "", NULL, "out of memory");
	}
	differ = policy_diff_all(&running, &files, to);
	(void)fclose(to);
	if (options->json) {
		answer_add(json_pack("{s:b, s:I, s:s}", "differs", differ, "version",
		        (json_int_t)set->version->version, "diff", text));
	} else {
		fputs(text, stdout);
	}
	return CTL_OK;
}

/* The list as far as it has come, and the request for its next page. */
struct policy_versions {
	Control__PolicyHistoryRequest ask;
	struct table *table;
};

/* Rows as they come; the cursor is lud\'s, and says where the next page begins. */
static size_t policy_versions_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__PolicyHistory *history = reply->policy_history;
	struct policy_versions *list = arg;

	for (size_t i = 0; print && i < history->n_versions; i++) {
		const Control__PolicyVersion *at = history->versions[i];
		char version[TEXT_SIZE], n[TEXT_SIZE], time[TEXT_SIZE];

		snprintf(version, TEXT_SIZE, "%" PRIu64, at->version);
		snprintf(n, TEXT_SIZE, "%u", at->n_policies);
		table_row(
		        list->table, (const char *const[]){version, text_time(at->created_us, time),
		                             n, at->change, at->identity, at->role, at->reason});
	}
	if (history->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, history->next);
	}
	return history->n_versions;
}

/* Newest first, as the history of generations. */
int cmd_policy_history(const struct options *options)
{
	static const struct table_column columns[] = {{"VERSION", true}, {"TIME", false},
	        {"POLICIES", true}, {"CHANGE", false}, {"WHO", false}, {"ROLE", false},
	        {"REASON", false}};
	struct policy_versions list = {.ask = CONTROL__POLICY_HISTORY_REQUEST__INIT};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list.ask.limit,
	        .list = "versions",
	        .page = policy_versions_page,
	        .at = &list.ask.before,
	        .arg = &list,
	};
	struct pages_table words = {.command = "policy history",
	        .option = "--before",
	        .none = "no policy",
	        .is = "was ever applied"};
	char cursor[PAGES_CURSOR_SIZE];

	list.ask.before = options->before;
	request.body_case = CONTROL__REQUEST__BODY_POLICY_HISTORY;
	request.policy_history = &list.ask;
	words.table = list.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	return pages_show(options, &pages, &words, cursor);
}
