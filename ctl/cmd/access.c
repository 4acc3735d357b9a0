/*
 * Who may ask lud for what. `check` reads an identities file with the library that lud uses, so that it can be checked
 * where it is written, before lud has it; `list` asks lud who may do what as it counts now, users of its host included.
 */
#include "ctl/cmd/cmd.h"

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/pages.h"
#include "ctl/cmd/policy_files.h"
#include "host/base/file.h"
#include "orchestrator/policy/identities.h"

/* One entry for each name, in the order of the file; a role on everything has no group. */
static json_t *access_json(const struct identities *identities)
{
	json_t *list = json_array();

	for (size_t i = 0; i < identities->n; i++) {
		const struct identity *identity = &identities->list[i];
		json_t *roles = json_array();

		for (size_t j = 0; j < identity->n_grants; j++) {
			json_array_append_new(
			        roles, json_pack("{s:s, s:s?}", "role", identity->grants[j].role,
			                       "group", identity->grants[j].group));
		}
		json_array_append_new(
		        list, json_pack("{s:s, s:o, s:o}", "name", identity->name, "description",
		                      policy_json_text(identity->description), "roles", roles));
	}
	return list;
}

/* A row for each role on each group; one without any may do nothing, and is shown. */
static void access_table(const struct identities *identities)
{
	static const struct table_column columns[] = {
	        {"NAME", false}, {"ROLE", false}, {"ON", false}, {"DESCRIPTION", false}};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < identities->n; i++) {
		const struct identity *identity = &identities->list[i];

		for (size_t j = 0; j < identity->n_grants; j++) {
			const struct identity_grant *grant = &identity->grants[j];

			table_row(table, (const char *const[]){identity->name, grant->role,
			                         grant->group ? grant->group : "everything",
			                         identity->description});
		}
		if (!identity->n_grants) {
			table_row(table, (const char *const[]){
			                         identity->name, "-", "-", identity->description});
		}
	}
	table_print(table);
}

/*
 * Of a file with errors nothing is shown but these: lud takes nothing of it either, and half of a list would be read as
 * the whole one. Groups are names here: which machines are in them is known by lud alone.
 */
int cmd_access_check(const struct options *options)
{
	_cleanup_(policy_errors_fini) struct policy_errors errors = {0};
	_cleanup_(identities_freep) struct identities *identities = NULL;

	if (identities_load(options->args[0], &errors, &identities) != 0) {
		return policy_errors_refuse(options, &errors, "samsara-identities(5)");
	}
	if (options->json) {
		answer_add(json_pack("{s:b, s:[], s:i, s:o}", "valid", 1, "errors", "left_out", 0,
		        "identities", access_json(identities)));
	} else {
		access_table(identities);
	}
	return CTL_OK;
}

/* The list as far as it has come, the request for its next page, and what was said of the file. */
struct access_rows {
	Control__AccessListRequest ask;
	struct table *table;
	char after[PAGES_CURSOR_SIZE];
	char *file; /* owned; NULL: nothing was said */
};

/* As `check` shows it: a row for each role on each group. */
static void access_row(struct table *table, const Control__AccessEntry *entry)
{
	for (size_t i = 0; i < entry->n_roles; i++) {
		const Control__AccessGrant *grant = entry->roles[i];

		table_row(table, (const char *const[]){entry->name, grant->role,
		                         *grant->group ? grant->group : "everything", entry->source,
		                         entry->description});
	}
	if (!entry->n_roles) {
		table_row(table, (const char *const[]){
		                         entry->name, "-", "-", entry->source, entry->description});
	}
}

/* What the next reload would come to, where that is not what counts. */
static char *access_file_now(const Control__AccessList *list)
{
	if (*list->wrong) {
		return text_format(
		        "as it is now it cannot be used: %s; %s\n", list->wrong, list->remedy);
	}
	return text_copy(list->changed ? "it says something else by now: `systemctl reload lud` "
	                                 "has it read\n"
	                               : "");
}

/* From which file, and since when. */
static char *access_file(const Control__AccessList *list)
{
	_cleanup_(freep) char *now = access_file_now(list);
	char read[TEXT_SIZE];

	if (!*list->file) {
		return text_copy("nobody asks from elsewhere: lud does not listen for it\n");
	}
	if (!list->read_us) {
		return text_format("identities: %s, none of which counts\n%s", list->file, now);
	}
	return text_format(
	        "identities: %s, read at %s\n%s", list->file, text_time(list->read_us, read), now);
}

/* Rows as they come; the cursor is lud's, and says where the next page begins. */
static size_t access_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__AccessList *list = reply->access;
	struct access_rows *rows = arg;

	for (size_t i = 0; print && i < list->n_entries; i++) {
		access_row(rows->table, list->entries[i]);
	}
	free(rows->file);
	rows->file = print ? access_file(list) : NULL;
	snprintf(cursor, PAGES_CURSOR_SIZE, "%s", list->next);
	return list->n_entries;
}

/* In pages, as other lists: a host may have some hundred entries. */
int cmd_access_list(const struct options *options)
{
	static const struct table_column columns[] = {{"NAME", false}, {"ROLE", false},
	        {"ON", false}, {"BY", false}, {"DESCRIPTION", false}};
	struct access_rows rows = {.ask = CONTROL__ACCESS_LIST_REQUEST__INIT};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &rows.ask.limit,
	        .list = "entries",
	        .whole = true,
	        .page = access_page,
	        .at_text = rows.after,
	        .arg = &rows,
	};
	struct pages_table words = {
	        .command = "access list", .option = "--after", .none = "nobody", .is = "may ask"};
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	snprintf(rows.after, sizeof(rows.after), "%s", options->after);
	rows.ask.after = rows.after;
	request.body_case = CONTROL__REQUEST__BODY_ACCESS_LIST;
	request.access_list = &rows.ask;
	words.table = rows.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	code = pages_show(options, &pages, &words, cursor);
	fputs(code == CTL_OK && rows.file ? rows.file : "", stdout);
	free(rows.file);
	return code;
}
