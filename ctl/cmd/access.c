/*
 * Who may ask lud from elsewhere, by an identities file: read here with the library that lud uses, so that it can be
 * checked where it is written, before lud has it.
 */
#include "ctl/cmd/cmd.h"

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/cmd/policy_files.h"
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
