#pragma once
/*
 * An identities file: who may ask lud for something from elsewhere, and on which machines. It has the rules
 * of policy files: all errors at once, each with its place, and nothing of a file that has one.
 * identities.def has the keys. What the roles allow is not known here (orchestrator/access).
 */
#include "orchestrator/policy/policy.h"

/* A role on the machines of a group. Both texts are the file's. */
struct identity_grant {
	const char *role;  /* a word of proto/words/access.def */
	const char *group; /* NULL: on every machine, and for what is about none */
};

struct identity {
	const char *name; /* "user/alice" */
	const char *description;
	size_t line;
	size_t n_grants;
	struct identity_grant *grants;
};

struct tree_node;

struct identities {
	size_t n;
	struct identity *list; /* as the file has them */
	char *path;
	struct tree_node *root; /* whose texts the entries have */
};

/*
 * Reads a file that nobody but its owner can write. POLICY_E_INVALID: *errors got longer, and there is
 * nothing. The caller frees *ret_identities.
 */
int __must_check identities_load(
        const char *path, struct policy_errors *errors, struct identities **ret_identities);
/* The same, of bytes; name: as errors have it. */
int __must_check identities_parse(const char *name, const uint8_t *bytes, size_t size,
        struct policy_errors *errors, struct identities **ret_identities);
struct identities *identities_free(struct identities *identities);
static inline void identities_freep(struct identities **identities)
{
	*identities = identities_free(*identities);
}
/* NULL: it is not named. */
const struct identity *identities_find(const struct identities *identities, const char *name);
