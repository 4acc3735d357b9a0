/*
 * Identities files, any bytes. What is refused has errors with a file, a cause and what was expected, and gives nothing. What
 * is accepted names each user once, and each role on a group or on everything.
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/policy/identities.h"

static void check(bool ok)
{
	if (!ok) {
		abort();
	}
}

static void check_one(const struct identities *identities, const struct identity *identity)
{
	check(!strncmp(identity->name, "user/", 5) && identity->name[5] &&
	        strlen(identity->name) < 64);
	check(identities_find(identities, identity->name) == identity && identity->line);
	for (size_t i = 0; i < identity->n_grants; i++) {
		check(*identity->grants[i].role);
		check(!identity->grants[i].group || *identity->grants[i].group);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_errors errors = {0};
	struct identities *identities = NULL;

	check((identities_parse("file", data, size, &errors, &identities) == 0) == (errors.n == 0));
	check((identities != NULL) == (errors.n == 0));
	for (size_t i = 0; i < errors.n; i++) {
		check(*errors.list[i].file && *errors.list[i].what && *errors.list[i].expected);
	}
	for (size_t i = 0; identities && i < identities->n; i++) {
		check_one(identities, &identities->list[i]);
	}
	identities_free(identities);
	policy_errors_fini(&errors);
	return 0;
}
