/*
 * What counts for a machine, or a service of it, out of all policies: a text for people. Each section
 * stands under the policy that decides it, with the windows in which jobs of it start, since windows go
 * with their policy and not with the highest one.
 */
#include "orchestrator/policy/decide.h"
#include "orchestrator/policy/tree.h"

static bool effective_is_section(enum policy_row row)
{
	return tree_keys[row].above == POLICY_ROOT && tree_keys[row].type == TREE_MAP &&
	       row != POLICY_MATCH && row != POLICY_WINDOWS;
}

static void effective_section(const struct policy *by, enum policy_row row, FILE *file)
{
	fprintf(file, "# %s: policy %s, priority %llu\n", tree_keys[row].name, policy_name(by),
	        (unsigned long long)policy_number(by, POLICY_PRIORITY));
	tree_key_print(tree_find(by, row), row, file);
	if (tree_find(by, POLICY_ALLOW) && (row == POLICY_RERANDOMIZE || row == POLICY_UPDATE)) {
		fprintf(file, "# its jobs start only in windows.allow\n");
		tree_key_print(tree_find(by, POLICY_ALLOW), POLICY_ALLOW, file);
	}
}

void decide_print(const struct policy *const *policies, size_t n,
        const struct decide_subject *subject, FILE *file)
{
	for (enum policy_row row = POLICY_ROOT + 1; row < _POLICY_ROW_N; row++) {
		const struct policy *by = NULL;

		if (!effective_is_section(row)) {
			continue;
		}
		by = decide_by(policies, n, subject, row);
		if (by) {
			effective_section(by, row, file);
		} else {
			fprintf(file, "# %s: no policy\n", tree_keys[row].name);
		}
	}
	for (size_t i = 0; i < n; i++) {
		const struct tree_node *deny = tree_find(policies[i], POLICY_DENY);

		if (deny && decide_matches(policies[i], subject)) {
			fprintf(file, "# nothing starts in windows.deny of policy %s\n",
			        policy_name(policies[i]));
			tree_key_print(deny, POLICY_DENY, file);
		}
	}
}
