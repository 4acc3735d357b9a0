/*
 * Policies beside each other. For each section (rerandomize, update, ...) the matching policy of the
 * highest priority that has it decides. Two of equal priority that may match one machine and say
 * different things leave that open, which is an error here rather than a surprise at night.
 *
 * Whether two can match one machine is decided by their words alone: names and labels can exclude each
 * other; groups cannot, since a machine may be in several.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/policy/tree.h"

/* `*` has every name. */
static bool together_has(const struct tree_node *list, const char *text)
{
	for (size_t i = 0; i < list->n_children; i++) {
		if (!strcmp(list->children[i]->text, text) ||
		        !strcmp(list->children[i]->text, "*")) {
			return true;
		}
	}
	return false;
}

/* May one name be in both lists? A list that is not given, or empty, has all names. */
static bool together_names(const struct policy *a, const struct policy *b, enum policy_row row)
{
	const struct tree_node *x = tree_find(a, row), *y = tree_find(b, row);

	if (!x || !y || !x->n_children || !y->n_children || together_has(x, "*")) {
		return true;
	}
	for (size_t i = 0; i < y->n_children; i++) {
		if (!strcmp(y->children[i]->text, "*") || together_has(x, y->children[i]->text)) {
			return true;
		}
	}
	return false;
}

/* A machine has one value for a label. */
static bool together_labels(const struct policy *a, const struct policy *b)
{
	const struct tree_node *x = tree_find(a, POLICY_MATCH_LABELS);
	const struct tree_node *y = tree_find(b, POLICY_MATCH_LABELS);

	for (size_t i = 0; x && i < x->n_children; i++) {
		for (size_t j = 0; y && j < y->n_children; j++) {
			const char *one = x->children[i]->text, *other = y->children[j]->text;
			size_t key = strcspn(one, "=") + 1;

			if (!strncmp(one, other, key) && strcmp(one, other) != 0) {
				return false;
			}
		}
	}
	return true;
}

/* What a section says, with its defaults; the caller frees. */
static char *together_words(const struct tree_node *section)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		abort();
	}
	if (section) {
		tree_node_print(section, true, file);
	}
	(void)fclose(file);
	return text;
}

/* The same words with the same defaults say the same, wherever they stand. */
static bool together_differ(const struct policy *a, const struct policy *b, enum policy_row row)
{
	_cleanup_(freep) char *x = together_words(tree_find(a, row));
	_cleanup_(freep) char *y = together_words(tree_find(b, row));

	return strcmp(x, y) != 0;
}

/* The error stands at the later policy's section. Jobs of a section start in its policy's windows. */
static void together_section(const struct policy *a, const struct policy *b, enum policy_row row,
        struct policy_errors *errors)
{
	const struct tree_node *x = tree_find(a, row), *y = tree_find(b, row);

	if (!x || !y || (!together_differ(a, b, row) && !together_differ(a, b, POLICY_ALLOW))) {
		return;
	}
	tree_error(errors, &y->place,
	        "another priority for one of them, or labels that exclude each other",
	        "%s contradicts policy `%s` (%s:%zu): both may match one machine, with equal "
	        "priority",
	        tree_keys[row].name, policy_name(a), x->place.file, x->place.line);
}

static void together_pair(
        const struct policy *a, const struct policy *b, struct policy_errors *errors)
{
	static const enum policy_row sections[] = {POLICY_RERANDOMIZE, POLICY_UPDATE, POLICY_LIMITS,
	        POLICY_ROLLOUT, POLICY_HEALTH, POLICY_ROLLBACK};

	if (!strcmp(policy_name(a), policy_name(b))) {
		tree_error(errors, &tree_find(b, POLICY_NAME)->place, "a name of its own",
		        "`%s` is also the name of the policy in %s", policy_name(b),
		        tree_find(a, POLICY_NAME)->place.file);
	}
	if (policy_number(a, POLICY_PRIORITY) != policy_number(b, POLICY_PRIORITY) ||
	        !together_names(a, b, POLICY_MATCH_MACHINES) ||
	        !together_names(a, b, POLICY_MATCH_SERVICES) || !together_labels(a, b)) {
		return;
	}
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		together_section(a, b, sections[i], errors);
	}
}

int policy_check_together(struct policy *const *policies, size_t n, struct policy_errors *errors)
{
	size_t before = errors->n + errors->n_left_out;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			together_pair(policies[i], policies[j], errors);
		}
	}
	return errors->n + errors->n_left_out > before ? POLICY_E_INVALID : 0;
}
