/*
 * A policy as YAML that can be read again. Values are quoted, so that no reader takes one for another
 * type; behind each stands where it came from. Defaults stand where their mapping counts.
 */
#include <string.h>

#include "orchestrator/policy/tree.h"

struct print {
	FILE *file;
	bool defaults;
	bool origins;
};

/* Scalars have no control characters, which value.c sees to. */
static void print_quoted(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') {
			fputc('\\', file);
		}
		fputc(*text, file);
	}
	fputc('"', file);
}

/* A file may be called anything: no character of its name ends the comment that it stands in. */
static void print_file(FILE *file, const char *name)
{
	for (; *name; name++) {
		fputc((unsigned char)*name < ' ' || *name == '\x7f' ? '?' : *name, file);
	}
}

/* The end of a line; place NULL: a default. */
static void print_end(const struct print *print, const struct tree_place *place)
{
	if (print->origins && place) {
		fputs(" # ", print->file);
		print_file(print->file, place->file);
		fprintf(print->file, ":%zu", place->line);
	} else if (print->origins) {
		fputs(" # default", print->file);
	}
	fputc('\n', print->file);
}

static void print_map(const struct print *print, const struct tree_node *map, enum policy_row row,
        unsigned int indent);

/* A list: scalars in one line, mappings each behind a dash, indented below it. */
static void print_list(const struct print *print, const struct tree_node *list, unsigned int indent)
{
	if (tree_keys[list->row].type == TREE_MAP && list->n_children) {
		print_end(print, &list->place);
		for (size_t i = 0; i < list->n_children; i++) {
			fprintf(print->file, "%*s-\n", (int)indent, "");
			print_map(print, list->children[i], list->row, indent + 2);
		}
		return;
	}
	fputs(" [", print->file);
	for (size_t i = 0; i < list->n_children; i++) {
		fputs(i ? ", " : "", print->file);
		print_quoted(print->file, list->children[i]->text);
	}
	fputc(']', print->file);
	print_end(print, &list->place);
}

/* One key; node NULL: it is not given, and only a default may stand there. */
static void print_key(const struct print *print, const struct tree_node *node, enum policy_row row,
        unsigned int indent)
{
	const struct tree_key *key = &tree_keys[row];
	bool counts = node || (print->defaults && (key->preset || key->need == TREE_ALWAYS));

	if (!counts) {
		return;
	}
	fprintf(print->file, "%*s%s:", (int)indent, "", key->name);
	if (node && node->is_list) {
		print_list(print, node, indent);
	} else if (key->type == TREE_MAP) {
		/* A mapping without keys would be read as an empty value. */
		fputs(node && !node->n_children && !print->defaults ? " {}\n" : "\n", print->file);
		print_map(print, node, row, indent + 2);
	} else {
		fputc(' ', print->file);
		print_quoted(print->file, node ? node->text : key->preset);
		print_end(print, node ? &node->place : NULL);
	}
}

/* All keys of a mapping in the order of policy.def; map NULL: their defaults. */
static void print_map(const struct print *print, const struct tree_node *map, enum policy_row row,
        unsigned int indent)
{
	for (int below = POLICY_ROOT + 1; below < _POLICY_ROW_N; below++) {
		if (tree_keys[below].above == row) {
			print_key(print, tree_node_child(map, below), below, indent);
		}
	}
}

void policy_print(const struct policy *policy, bool defaults, FILE *file)
{
	struct print print = {file, defaults, true};

	print_map(&print, policy->root, POLICY_ROOT, 0);
}

void tree_key_print(const struct tree_node *node, enum policy_row row, FILE *file)
{
	struct print print = {file, true, true};

	print_key(&print, node, row, 0);
}

void tree_node_print(const struct tree_node *node, bool defaults, FILE *file)
{
	struct print print = {file, defaults, false};

	print_key(&print, node, node->row, 0);
}
