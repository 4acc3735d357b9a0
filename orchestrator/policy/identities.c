/*
 * An identities file from its tree. Roles and groups are multiplied out, so that whoever looks for a
 * right goes through one list. A file is used as a whole or not at all: half of one could give a right
 * that the other half was to take back.
 */
#include "orchestrator/policy/identities.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "orchestrator/policy/tree.h"

#define IDENTITY_PREFIX "user/"

/* As certificates have it: a small letter or a digit, then also . _ and -. */
static bool identities_is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *rest = name + strlen(IDENTITY_PREFIX);

	return !strncmp(name, IDENTITY_PREFIX, strlen(IDENTITY_PREFIX)) && *rest &&
	       !strchr("._-", *rest) && rest[strspn(rest, letters)] == '\0';
}

/* Members of two lists with the same text, which are the same thing said twice. */
static void identities_check_twice(
        const struct tree_node *list, enum policy_row row, struct policy_errors *errors)
{
	for (size_t i = 0; list && i < list->n_children; i++) {
		const struct tree_node *node =
		        row ? tree_node_child(list->children[i], row) : list->children[i];

		for (size_t j = 0; node && j < i; j++) {
			const struct tree_node *other =
			        row ? tree_node_child(list->children[j], row) : list->children[j];

			if (other && !strcmp(node->text, other->text)) {
				tree_error(errors, &node->place, "each once",
				        "`%s` is given twice, first in line %zu", node->text,
				        other->place.line);
				break;
			}
		}
	}
}

/* A role that is nowhere, or on groups and everywhere, is not what somebody meant. */
static void identities_check_where(const struct tree_node *role, struct policy_errors *errors)
{
	const struct tree_node *groups = tree_node_given(role, POLICY_IDENTITY_GROUPS);
	bool has_groups = groups && (groups->n_children || groups->is_invalid);
	bool is_all = tree_number(role, POLICY_IDENTITY_EVERYTHING) != 0;

	if (has_groups == is_all) {
		tree_error(errors, &role->place,
		        "groups: [NAME], or everything: true for every machine",
		        has_groups ? "the role is given on groups and on everything"
		                   : "the role is given on no group");
	}
	if (groups && !groups->is_invalid) {
		identities_check_twice(groups, POLICY_ROOT, errors);
	}
}

static void identities_check_one(const struct tree_node *identity, struct policy_errors *errors)
{
	const struct tree_node *name = tree_node_child(identity, POLICY_IDENTITY_NAME);
	const struct tree_node *roles = tree_node_child(identity, POLICY_IDENTITY_ROLES);

	if (name && !identities_is_name(name->text)) {
		tree_error(errors, &name->place,
		        "user/NAME: a small letter or a digit, then also . _ and -",
		        "identities[].name: `%s` is not the name of a user's certificate",
		        name->text);
	}
	for (size_t i = 0; roles && i < roles->n_children; i++) {
		identities_check_where(roles->children[i], errors);
	}
}

/* What must hold between the keys. */
static void identities_check(const struct tree_node *root, struct policy_errors *errors)
{
	const struct tree_node *list = tree_node_child(root, POLICY_IDENTITY);

	tree_check_required(root, errors);
	for (size_t i = 0; list && i < list->n_children; i++) {
		identities_check_one(list->children[i], errors);
	}
	identities_check_twice(list, POLICY_IDENTITY_NAME, errors);
}

static size_t identities_n_grants(const struct tree_node *roles)
{
	size_t n = 0;

	for (size_t i = 0; i < roles->n_children; i++) {
		const struct tree_node *groups =
		        tree_node_child(roles->children[i], POLICY_IDENTITY_GROUPS);

		n += groups && groups->n_children ? groups->n_children : 1;
	}
	return n;
}

static void identities_fill(struct identity *identity, const struct tree_node *node)
{
	const struct tree_node *roles = tree_node_child(node, POLICY_IDENTITY_ROLES);
	const struct tree_node *words = tree_node_child(node, POLICY_IDENTITY_DESCRIPTION);

	identity->name = tree_node_child(node, POLICY_IDENTITY_NAME)->text;
	identity->description = words ? words->text : "";
	identity->line = node->place.line;
	identity->grants = mem_zero((identities_n_grants(roles) + 1) * sizeof(*identity->grants));
	for (size_t i = 0; i < roles->n_children; i++) {
		const struct tree_node *role = roles->children[i];
		const struct tree_node *groups = tree_node_child(role, POLICY_IDENTITY_GROUPS);
		const char *word = tree_node_child(role, POLICY_IDENTITY_ROLE)->text;

		for (size_t j = 0; groups && j < groups->n_children; j++) {
			identity->grants[identity->n_grants++] =
			        (struct identity_grant){word, groups->children[j]->text};
		}
		if (!groups || !groups->n_children) {
			identity->grants[identity->n_grants++] =
			        (struct identity_grant){word, NULL};
		}
	}
}

int identities_parse(const char *name, const uint8_t *bytes, size_t size,
        struct policy_errors *errors, struct identities **ret_identities)
{
	_cleanup_(identities_freep) struct identities *identities = mem_zero(sizeof(*identities));
	size_t n_errors = errors->n + errors->n_left_out;
	const struct tree_node *list;

	identities->path = text_copy(name);
	identities->root = tree_text_read(POLICY_IDENTITIES, identities->path, bytes, size, errors);
	if (identities->root) {
		identities_check(identities->root, errors);
	}
	if (!identities->root || errors->n + errors->n_left_out > n_errors) {
		return POLICY_E_INVALID;
	}
	list = tree_node_child(identities->root, POLICY_IDENTITY);
	identities->list = mem_zero((list->n_children + 1) * sizeof(*identities->list));
	for (size_t i = 0; i < list->n_children; i++) {
		identities_fill(&identities->list[identities->n++], list->children[i]);
	}
	*ret_identities = steal(&identities);
	return 0;
}

/* Whoever can write the file can become anybody; a link is refused by file_read(). */
static bool identities_is_safe(const char *path, struct policy_errors *errors)
{
	struct tree_place place = {path, 0, 0};
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_mode & 022) {
		tree_error(
		        errors, &place, "chmod go-w", "others than its owner can write the file");
		return false;
	}
	return true;
}

int identities_load(
        const char *path, struct policy_errors *errors, struct identities **ret_identities)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t size;

	if (!tree_file_read(path, errors, &bytes, &size) || !identities_is_safe(path, errors)) {
		return POLICY_E_INVALID;
	}
	return identities_parse(path, bytes, size, errors, ret_identities);
}

struct identities *identities_free(struct identities *identities)
{
	if (identities) {
		for (size_t i = 0; i < identities->n; i++) {
			free(identities->list[i].grants);
		}
		free(identities->list);
		tree_node_free(identities->root);
		free(identities->path);
		free(identities);
	}
	return NULL;
}

const struct identity *identities_find(const struct identities *identities, const char *name)
{
	for (size_t i = 0; i < identities->n; i++) {
		if (!strcmp(identities->list[i].name, name)) {
			return &identities->list[i];
		}
	}
	return NULL;
}
