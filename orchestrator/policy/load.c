/*
 * A policy from its file and the drop-ins beside it: PATH.d/NAME.yaml in the order of their names
 * (bytes, so that it is the same in every language). A drop-in has the same keys and may leave out
 * any. What it gives replaces what was there: scalars and whole lists; mappings are merged key by key.
 * Each value keeps the place that it came from.
 *
 * Nothing is checked between keys before all is merged.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "orchestrator/policy/tree.h"

#define LOAD_DROP_INS_MAX 64

/* Is it replaced as a whole? */
static bool load_is_one_value(const struct tree_node *node)
{
	return node->is_list || tree_keys[node->row].type != TREE_MAP;
}

/* Move what the drop-in gives into the policy; the drop-in's own nodes are freed or moved. */
static void load_merge(struct tree_node *into, struct tree_node *from, struct policy_errors *errors)
{
	for (size_t i = 0; i < from->n_children; i++) {
		struct tree_node *child = steal(&from->children[i]);
		struct tree_node *there = tree_node_given(into, child->row);

		if (child->row == POLICY_NAME && there && child->text && there->text &&
		        strcmp(child->text, there->text) != 0) {
			tree_error(errors, &child->place, "the name of the policy, or no name",
			        "a drop-in cannot name the policy `%s` otherwise", there->text);
		}
		if (!there) {
			tree_node_add(into, child);
			continue;
		}
		if (load_is_one_value(child) || child->is_invalid || there->is_invalid) {
			struct tree_node old = *there;

			*there = *child;
			*child = old;
		} else {
			load_merge(there, child, errors);
		}
		tree_node_free(child);
	}
	from->n_children = 0;
}

/* Editors leave copies with other endings behind, and hidden ones. */
static int load_is_drop_in(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && !strcmp(dot, ".yaml");
}

static int load_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

bool policy_source_add(
        struct policy_source *source, const char *name, const uint8_t *bytes, size_t size)
{
	struct policy_text *text = &source->texts[source->n];

	if (source->n == POLICY_TEXTS_MAX) {
		return false;
	}
	text->name = text_copy(name);
	text->bytes = mem_zero(size + 1);
	text->size = size;
	if (size) {
		memcpy(text->bytes, bytes, size);
	}
	source->n++;
	return true;
}

void policy_source_refuse(const char *name, struct policy_errors *errors)
{
	struct tree_place place = {name, 0, 0};

	tree_error(errors, &place, "names of one line, and at most 64 drop-ins",
	        "the file cannot belong to a policy");
}

void policy_source_fini(struct policy_source *source)
{
	for (size_t i = 0; i < source->n; i++) {
		free(source->texts[i].name);
		free(source->texts[i].bytes);
	}
	*source = (struct policy_source){0};
}

bool tree_file_read(
        const char *path, struct policy_errors *errors, uint8_t **ret_bytes, size_t *ret_size)
{
	struct tree_place place = {path, 0, 0};
	int r = file_read(path, TREE_FILE_BYTES, ret_bytes, ret_size);

	if (r < 0) {
		err_forget();
		tree_error(errors, &place, "a file of at most 64 KiB that can be read, and no link",
		        "cannot be read: %s", strerror(-r));
	}
	return r >= 0;
}

/* There is room: drop-ins were counted. */
static void load_read(struct policy_source *source, const char *path, struct policy_errors *errors)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t size;

	if (tree_file_read(path, errors, &bytes, &size)) {
		(void)policy_source_add(source, path, bytes, size);
	}
}

/* No directory is no drop-in; one that cannot be read may hide some, and is an error. */
static void load_drop_ins(
        struct policy_source *source, const char *path, struct policy_errors *errors)
{
	_cleanup_(freep) char *dir = text_format("%s.d", path);
	struct tree_place place = {dir, 0, 0};
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, load_is_drop_in, load_compare);

	if (n < 0 && errno != ENOENT) {
		tree_error(errors, &place, "a directory that can be read, or none",
		        "cannot be read: %s", strerror(errno));
	}
	if (n > LOAD_DROP_INS_MAX) {
		tree_error(errors, &place, "at most 64", "there are %d drop-ins", n);
	}
	for (int i = 0; i < n; i++) {
		if (n <= LOAD_DROP_INS_MAX) {
			_cleanup_(freep) char *file = text_format("%s/%s", dir, entries[i]->d_name);

			load_read(source, file, errors);
		}
		free(entries[i]);
	}
	free(entries);
}

int policy_source_read(
        const char *path, struct policy_errors *errors, struct policy_source *ret_source)
{
	size_t n_errors = errors->n + errors->n_left_out;

	*ret_source = (struct policy_source){0};
	load_read(ret_source, path, errors);
	if (ret_source->n) {
		load_drop_ins(ret_source, path, errors);
	}
	return errors->n + errors->n_left_out > n_errors ? POLICY_E_INVALID : 0;
}

/* With errors in the first file the drop-ins are read all the same, for theirs. */
int policy_parse(const struct policy_source *source, struct policy_errors *errors,
        struct policy **ret_policy)
{
	_cleanup_(policy_freep) struct policy *policy = mem_zero(sizeof(*policy));
	size_t n_errors = errors->n + errors->n_left_out;

	policy->files = mem_zero((source->n + 1) * sizeof(*policy->files));
	for (size_t i = 0; i < source->n; i++) {
		const struct policy_text *text = &source->texts[i];
		struct tree_node *root;

		policy->files[policy->n_files] = text_copy(text->name);
		root = tree_text_read(POLICY_ROOT, policy->files[policy->n_files++], text->bytes,
		        text->size, errors);
		if (i == 0) {
			policy->root = root;
		} else {
			if (root && policy->root) {
				load_merge(policy->root, root, errors);
			}
			tree_node_free(root);
		}
	}
	if (!policy->root) {
		return POLICY_E_INVALID;
	}
	tree_check(policy, errors);
	if (errors->n + errors->n_left_out > n_errors) {
		return POLICY_E_INVALID;
	}
	*ret_policy = steal(&policy);
	return 0;
}

int policy_load(const char *path, struct policy_errors *errors, struct policy **ret_policy)
{
	_cleanup_(policy_source_fini) struct policy_source source;
	_cleanup_(policy_freep) struct policy *policy = NULL;
	int r = policy_source_read(path, errors, &source);

	/* What can be read is read, for its errors. */
	if (source.n && policy_parse(&source, errors, &policy) != 0) {
		r = POLICY_E_INVALID;
	}
	if (r == 0) {
		*ret_policy = steal(&policy);
	}
	return r;
}

struct policy *policy_free(struct policy *policy)
{
	if (policy) {
		tree_node_free(policy->root);
		for (size_t i = 0; i < policy->n_files; i++) {
			free(policy->files[i]);
		}
		free(policy->files);
		free(policy);
	}
	return NULL;
}
