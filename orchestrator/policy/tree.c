/*
 * The tree of a policy, and errors about places in it. A list has nodes of its own row as members, so
 * the row of a node is always the key that it was written under.
 */
#include "orchestrator/policy/tree.h"

#include <stdarg.h>
#include <string.h>

#include "host/base/file.h"

struct tree_node *tree_node_new(enum policy_row row, bool is_list, struct tree_place place)
{
	struct tree_node *node = mem_zero(sizeof(*node));

	node->row = row;
	node->is_list = is_list;
	node->place = place;
	return node;
}

/* Depth is that of the schema. */
struct tree_node *tree_node_free(struct tree_node *node)
{
	if (!node) {
		return NULL;
	}
	for (size_t i = 0; i < node->n_children; i++) {
		tree_node_free(node->children[i]);
	}
	free(node->children);
	calendar_free(node->calendar);
	zone_free(node->zone);
	free(node->text);
	free(node);
	return NULL;
}

/* Grows by doubling: n is a power of two where it is full. */
void tree_node_add(struct tree_node *node, struct tree_node *child)
{
	size_t n = node->n_children;

	if ((n & (n - 1)) == 0) {
		struct tree_node **grown = mem_zero((n ? 2 * n : 1) * sizeof(*grown));

		if (n) {
			memcpy(grown, node->children, n * sizeof(*grown));
		}
		free(node->children);
		node->children = grown;
	}
	node->children[node->n_children++] = child;
}

struct tree_node *tree_node_given(const struct tree_node *node, enum policy_row row)
{
	for (size_t i = 0; node && i < node->n_children; i++) {
		if (node->children[i]->row == row) {
			return node->children[i];
		}
	}
	return NULL;
}

struct tree_node *tree_node_child(const struct tree_node *node, enum policy_row row)
{
	struct tree_node *child = tree_node_given(node, row);

	return child && !child->is_invalid ? child : NULL;
}

struct tree_node *tree_find(const struct policy *policy, enum policy_row row)
{
	if (row == POLICY_ROOT) {
		return policy->root;
	}
	return tree_node_child(tree_find(policy, tree_keys[row].above), row);
}

/* What a default means; policy.def's are valid, which policy_test.c checks. */
static uint64_t tree_preset(enum policy_row row)
{
	_cleanup_(tree_node_freep) struct tree_node *node =
	        tree_node_new(row, false, (struct tree_place){"", 0, 0});
	struct policy_errors errors = {0};

	if (!tree_keys[row].preset) {
		return 0;
	}
	node->text = text_copy(tree_keys[row].preset);
	(void)tree_value_read(node, &errors);
	policy_errors_fini(&errors);
	return node->number;
}

uint64_t tree_number(const struct tree_node *map, enum policy_row row)
{
	const struct tree_node *node = tree_node_child(map, row);

	return node ? node->number : tree_preset(row);
}

uint64_t policy_number(const struct policy *policy, enum policy_row row)
{
	return tree_number(tree_find(policy, tree_keys[row].above), row);
}

const char *policy_text(const struct policy *policy, enum policy_row row)
{
	const struct tree_node *node = tree_find(policy, row);

	return node ? node->text : tree_keys[row].preset;
}

bool policy_is_percent(const struct policy *policy, enum policy_row row)
{
	const struct tree_node *node = tree_find(policy, row);

	return node && node->is_percent;
}

bool policy_has(const struct policy *policy, enum policy_row row)
{
	return tree_find(policy, row) != NULL;
}

size_t policy_list_size(const struct policy *policy, enum policy_row list)
{
	const struct tree_node *node = tree_find(policy, list);

	return node ? node->n_children : 0;
}

uint64_t policy_list_number(
        const struct policy *policy, enum policy_row list, size_t i, enum policy_row row)
{
	return tree_number(tree_find(policy, list)->children[i], row);
}

bool policy_list_is_percent(
        const struct policy *policy, enum policy_row list, size_t i, enum policy_row row)
{
	const struct tree_node *node = tree_node_child(tree_find(policy, list)->children[i], row);

	return node && node->is_percent;
}

const char *policy_list_text(
        const struct policy *policy, enum policy_row list, size_t i, enum policy_row row)
{
	const struct tree_node *node = tree_node_child(tree_find(policy, list)->children[i], row);

	return node ? node->text : tree_keys[row].preset;
}

const char *policy_name(const struct policy *policy)
{
	return policy_text(policy, POLICY_NAME);
}

/* Memory of the list is taken once, for as many as there can be. */
void tree_error(struct policy_errors *errors, const struct tree_place *place, const char *expected,
        const char *format, ...)
{
	struct policy_error *error;
	va_list args;

	if (errors->n == TREE_ERRORS_MAX) {
		errors->n_left_out++;
		return;
	}
	if (!errors->list) {
		errors->list = mem_zero(TREE_ERRORS_MAX * sizeof(*errors->list));
	}
	error = &errors->list[errors->n++];
	error->file = text_copy(place->file);
	error->line = place->line;
	error->column = place->column;
	error->expected = text_copy(expected);
	va_start(args, format);
	if (vasprintf(&error->what, format, args) < 0) {
		abort();
	}
	va_end(args);
}

void policy_errors_fini(struct policy_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		free(errors->list[i].file);
		free(errors->list[i].what);
		free(errors->list[i].expected);
	}
	free(errors->list);
	*errors = (struct policy_errors){0};
}
