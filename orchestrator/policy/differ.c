/*
 * Policies compared, and what of one has no effect. A policy is flattened into lines that say the whole
 * path of a value, "windows.allow[0].start: Sun 01:00": then two policies differ in the lines that only
 * one has, whatever the order of their keys.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/policy/tree.h"

/* Below a path, which ends with the name of the node. */
static void differ_flatten(const struct tree_node *node, const char *path, FILE *file)
{
	if (node->text) {
		fprintf(file, "%s: %s\n", path, node->text);
		return;
	}
	if (!node->n_children) {
		fprintf(file, "%s: %s\n", path, node->is_list ? "[]" : "{}");
	}
	for (size_t i = 0; i < node->n_children; i++) {
		const struct tree_node *child = node->children[i];
		_cleanup_(freep) char *below =
		        node->is_list ? text_format("%s[%zu]", path, i)
		                      : text_format("%s%s%s", path, *path ? "." : "",
		                                tree_keys[child->row].name);

		differ_flatten(child, below, file);
	}
}

/* The caller frees. */
static char *differ_text(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		abort();
	}
	if (policy) {
		differ_flatten(policy->root, "", file);
	}
	(void)fclose(file);
	return text;
}

/* Is there a line that is exactly this one? */
static bool differ_has(const char *text, const char *line, size_t len)
{
	for (; *text; text += strcspn(text, "\n") + 1) {
		if (strcspn(text, "\n") == len && !strncmp(text, line, len)) {
			return true;
		}
	}
	return false;
}

/* The lines of a text that the other has not, each behind a sign; whether there are any. */
static bool differ_lines(const char *text, const char *other, char sign, FILE *file)
{
	bool any = false;

	for (; *text; text += strcspn(text, "\n") + 1) {
		size_t len = strcspn(text, "\n");

		if (!differ_has(other, text, len)) {
			fprintf(file, "%c %.*s\n", sign, (int)len, text);
			any = true;
		}
	}
	return any;
}

bool policy_diff(const struct policy *before, const struct policy *after, FILE *file)
{
	_cleanup_(freep) char *a = differ_text(before);
	_cleanup_(freep) char *b = differ_text(after);
	bool less = differ_lines(a, b, '-', file);
	bool more = differ_lines(b, a, '+', file);

	return less || more;
}

/* Words of lists that act, which nothing comes of: the word; why, and what does instead; what may stay. */
static const struct {
	enum policy_row row;
	const char *word, *why, *remedy;
} differ_words[] = {
        {POLICY_TRIGGERS, "probing",
                "no machine reports that it is probed; `crash` acts on a probe that fails",
                "the others do what they say"},
};

/* Keys of which more is to be said than that they do nothing. */
static const struct {
	enum policy_row row;
	const char *why, *remedy;
} differ_keys[] = {
        {POLICY_CONSENT,
                ": an order that loses state is signed with a control key, and lud has none; who "
                "has "
                "one consents by `luctl update SERVICE --accept-loss`",
                "consent by hand, where the control key is"},
};

static void differ_idle_word(const struct tree_node *node, struct policy_errors *notes)
{
	char path[POLICY_PATH_SIZE];

	for (size_t i = 0; node->text && i < sizeof(differ_words) / sizeof(differ_words[0]); i++) {
		if (node->row == differ_words[i].row && !strcmp(node->text, differ_words[i].word)) {
			tree_error(notes, &node->place, differ_words[i].remedy,
			        "lud does not act on `%s` in %s yet: %s", node->text,
			        policy_row_path(node->row, path), differ_words[i].why);
		}
	}
}

/* What stands below a key without effect has none either, and is not told again. */
static void differ_idle(const struct tree_node *node, struct policy_errors *notes)
{
	const char *why = " yet", *remedy = "nothing comes of it: see to it by hand meanwhile";
	char path[POLICY_PATH_SIZE];

	for (size_t i = 0; i < sizeof(differ_keys) / sizeof(differ_keys[0]); i++) {
		if (differ_keys[i].row == node->row) {
			why = differ_keys[i].why;
			remedy = differ_keys[i].remedy;
		}
	}
	if (tree_keys[node->row].acts == TREE_IDLE) {
		tree_error(notes, &node->place, remedy, "lud does not act on %s%s",
		        policy_row_path(node->row, path), why);
		return;
	}
	differ_idle_word(node, notes);
	for (size_t i = 0; i < node->n_children; i++) {
		differ_idle(node->children[i], notes);
	}
}

void policy_idle(const struct policy *policy, struct policy_errors *notes)
{
	differ_idle(policy->root, notes);
}

static void differ_unreported(const struct tree_node *node,
        bool (*is_reported)(const char *metric, void *arg), void *arg, struct policy_errors *notes)
{
	if (node->row == POLICY_LOAD_METRIC && node->text && !is_reported(node->text, arg)) {
		tree_error(notes, &node->place,
		        "name a figure that its services report, or leave it out",
		        "no machine that is up reports the figure `%s`: an update that is watched "
		        "by it is "
		        "never found healthy, and fails when health.healthy is over",
		        node->text);
	}
	for (size_t i = 0; i < node->n_children; i++) {
		differ_unreported(node->children[i], is_reported, arg, notes);
	}
}

void policy_unreported(const struct policy *policy,
        bool (*is_reported)(const char *metric, void *arg), void *arg, struct policy_errors *notes)
{
	differ_unreported(policy->root, is_reported, arg, notes);
}
