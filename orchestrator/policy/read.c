/*
 * Reads a policy file by libyaml's events against the schema. YAML has more than a policy needs:
 * anchors, aliases, tags and several documents are refused, since a reader of the file would have to
 * put together in the head what it says. A value that is wrong is left out and the reading goes on,
 * so that all errors of a file come at once; what is no YAML ends it.
 *
 * The file's size is limited before it is read, nodes and members while it is. Depth is that of the
 * schema: what is deeper is skipped, not kept.
 */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "orchestrator/policy/tree.h"

struct reader {
	const char *path;
	enum policy_row root;
	const char *manual; /* which page has the keys */
	struct policy_errors *errors;
	const uint8_t *bytes; /* of the whole file */
	size_t size;
	yaml_parser_t parser;
	yaml_event_t event; /* the one that is looked at */
	bool has_event;
	bool is_broken; /* no more events come */
	size_t n_nodes;
};

/* Of the event that is looked at; only while there is one. */
static struct tree_place read_place(const struct reader *reader)
{
	const yaml_mark_t *mark = &reader->event.start_mark;

	return (struct tree_place){reader->path, mark->line + 1, mark->column + 1};
}

/* Events own memory of libyaml; each is freed before the next is read. */
static void read_drop(struct reader *reader)
{
	if (reader->has_event) {
		yaml_event_delete(&reader->event);
		reader->has_event = false;
	}
}

/*
 * What libyaml has against the file. For bytes that are no text it gives an offset only; else the line,
 * and often in what it was ("while parsing a flow node").
 */
static void read_not_yaml(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	struct tree_place place = {
	        reader->path, parser->problem_mark.line + 1, parser->problem_mark.column + 1};
	bool is_text = parser->error != YAML_READER_ERROR;

	for (size_t i = 0; !is_text && i < reader->size && i < parser->problem_offset; i++) {
		place.line += reader->bytes[i] == '\n';
		place.column = reader->bytes[i] == '\n' ? 1 : place.column + 1;
	}
	tree_error(reader->errors, &place,
	        is_text ? "quote values that begin with * & ! % @ or `"
	                : "text in UTF-8 without control characters",
	        "not YAML: %s%s%s", parser->context ? parser->context : "",
	        parser->context ? ", " : "", parser->problem ? parser->problem : "unreadable");
}

/* To the next event. False at the end of the file and behind what is not YAML, which is an error. */
static bool read_next(struct reader *reader)
{
	read_drop(reader);
	if (reader->is_broken) {
		return false;
	}
	if (!yaml_parser_parse(&reader->parser, &reader->event)) {
		read_not_yaml(reader);
		reader->is_broken = true;
		return false;
	}
	reader->has_event = true;
	return true;
}

static bool read_is_start(const yaml_event_t *event)
{
	return event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
}

static bool read_is_end(const yaml_event_t *event)
{
	return event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
}

/* Past the value that begins with this event, whatever it is. */
static void read_skip(struct reader *reader)
{
	size_t depth = 0;

	do {
		depth += read_is_start(&reader->event);
		depth -= read_is_end(&reader->event);
	} while (depth && read_next(reader));
}

/* What libyaml calls a tag of a plain scalar without one is NULL. */
static bool read_is_plain(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const yaml_char_t *anchor = NULL, *tag = NULL;
	struct tree_place place = read_place(reader);

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	}
	if (event->type == YAML_ALIAS_EVENT || anchor) {
		tree_error(reader->errors, &place,
		        "write the value out; quote one that begins with * or &",
		        "`%c%s`: anchors and aliases are not allowed", anchor ? '&' : '*',
		        anchor ? anchor : event->data.alias.anchor);
		return false;
	}
	if (tag) {
		tree_error(reader->errors, &place, "the value alone; quote one that begins with !",
		        "`%s`: tags are not allowed", tag);
		return false;
	}
	return true;
}

/* A node for this event; NULL when there are too many, which ends the reading. */
static struct tree_node *read_node(struct reader *reader, enum policy_row row, bool is_list)
{
	struct tree_place place = read_place(reader);

	if (++reader->n_nodes > TREE_NODES_MAX) {
		tree_error(reader->errors, &place, "fewer values, or several files",
		        "the file has more than %u values", TREE_NODES_MAX);
		reader->is_broken = true;
		return NULL;
	}
	return tree_node_new(row, is_list, place);
}

static struct tree_node *read_value(struct reader *reader, enum policy_row row, bool is_list);

/* The row of the key that is looked at, or POLICY_ROOT after an error. */
static enum policy_row read_key(struct reader *reader, const struct tree_node *map)
{
	struct tree_place place = read_place(reader);
	const char *name = (const char *)reader->event.data.scalar.value;
	char path[POLICY_PATH_SIZE], near_path[POLICY_PATH_SIZE];
	enum policy_row row, near;

	if (!read_is_plain(reader)) {
		return POLICY_ROOT;
	}
	if (reader->event.type != YAML_SCALAR_EVENT) {
		tree_error(reader->errors, &place, "a name", "a key is not a mapping or a list");
		return POLICY_ROOT;
	}
	row = tree_key_find(map->row, name);
	if (row == POLICY_ROOT) {
		_cleanup_(freep) char *expected = NULL;

		near = tree_key_near(map->row, name);
		expected = near == POLICY_ROOT
		                   ? text_format("a key of %s(5)", reader->manual)
		                   : text_format("did you mean `%s` (%s)?", tree_keys[near].name,
		                             policy_row_path(near, near_path));
		tree_error(reader->errors, &place, expected, "unknown key `%.40s` in %s", name,
		        tree_is_root(map->row) ? "the file" : policy_row_path(map->row, path));
		return POLICY_ROOT;
	}
	if (tree_node_given(map, row)) {
		tree_error(reader->errors, &place, "each key once", "`%s` is given twice",
		        policy_row_path(row, path));
		return POLICY_ROOT;
	}
	return row;
}

/* The keys of a mapping whose start is looked at, up to its end. */
static void read_map(struct reader *reader, struct tree_node *map)
{
	while (read_next(reader) && reader->event.type != YAML_MAPPING_END_EVENT) {
		enum policy_row row = read_key(reader, map);
		struct tree_node *child;

		read_skip(reader);
		if (!read_next(reader)) {
			return;
		}
		if (row == POLICY_ROOT) {
			read_skip(reader);
			continue;
		}
		child = read_value(reader, row, tree_keys[row].shape == TREE_LIST);
		if (child) {
			tree_node_add(map, child);
		}
	}
}

/* The members of a list whose start is looked at, up to its end. */
static void read_list(struct reader *reader, struct tree_node *list)
{
	while (read_next(reader) && reader->event.type != YAML_SEQUENCE_END_EVENT) {
		struct tree_node *member = NULL;

		if (list->n_children == TREE_LIST_MAX) {
			struct tree_place place = read_place(reader);

			tree_error(reader->errors, &place, "a shorter list",
			        "the list has more than %u members", TREE_LIST_MAX);
			reader->is_broken = true;
			return;
		}
		member = read_value(reader, list->row, false);
		if (member && !member->is_invalid) {
			tree_node_add(list, member);
		} else {
			list->is_invalid = true;
			tree_node_free(member);
		}
	}
}

/* Is the event of the kind that the row wants? Else an error, and the value is skipped. */
static bool read_is_expected(struct reader *reader, enum policy_row row, bool is_list)
{
	bool is_map = !is_list && tree_keys[row].type == TREE_MAP;
	yaml_event_type_t wanted = is_list  ? YAML_SEQUENCE_START_EVENT
	                           : is_map ? YAML_MAPPING_START_EVENT
	                                    : YAML_SCALAR_EVENT;
	struct tree_place place = read_place(reader);
	char path[POLICY_PATH_SIZE], type[POLICY_PATH_SIZE];

	if (!read_is_plain(reader)) {
		read_skip(reader);
		return false;
	}
	if (reader->event.type == wanted) {
		return true;
	}
	tree_error(reader->errors, &place,
	        is_list  ? "a list: [A, B], or one `- A` a line"
	        : is_map ? "keys with values below it"
	                 : policy_row_type(row, type),
	        "%s: not %s", tree_is_root(row) ? "the file" : policy_row_path(row, path),
	        is_list  ? "a list"
	        : is_map ? "a mapping"
	                 : "one value");
	read_skip(reader);
	return false;
}

/*
 * The column of the first byte of a scalar's text, if each byte of it stands in the file as it is:
 * then it takes as many columns there as it has bytes, quotes aside. Else 0.
 */
static size_t read_text_column(const yaml_event_t *event)
{
	const yaml_mark_t *start = &event->start_mark, *end = &event->end_mark;
	bool is_quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
	                 event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	size_t columns = event->data.scalar.length + (is_quoted ? 2 : 0);

	return start->line == end->line && start->column + columns == end->column
	               ? start->column + 1 + is_quoted
	               : 0;
}

/* A scalar with a NUL inside would be cut there. */
static bool read_scalar(struct reader *reader, struct tree_node *node)
{
	const char *value = (const char *)reader->event.data.scalar.value;

	if (strlen(value) != reader->event.data.scalar.length) {
		tree_error(reader->errors, &node->place, "text", "the value has a zero byte");
		return false;
	}
	node->text = text_copy(value);
	node->text_column = read_text_column(&reader->event);
	return tree_value_read(node, reader->errors);
}

/* The value whose first event is looked at, up to its last one. NULL: there are too many. */
static struct tree_node *read_value(struct reader *reader, enum policy_row row, bool is_list)
{
	struct tree_node *node = read_node(reader, row, is_list);

	if (!node) {
		return NULL;
	}
	if (!read_is_expected(reader, row, is_list)) {
		node->is_invalid = true;
	} else if (is_list) {
		read_list(reader, node);
	} else if (tree_keys[row].type == TREE_MAP) {
		read_map(reader, node);
	} else {
		node->is_invalid = !read_scalar(reader, node);
	}
	return node;
}

/* One document with one mapping. */
static struct tree_node *read_stream(struct reader *reader)
{
	_cleanup_(tree_node_freep) struct tree_node *root = NULL;
	struct tree_place place = {reader->path, 0, 0};
	size_t n_documents = 0;

	while (read_next(reader) && reader->event.type != YAML_STREAM_END_EVENT) {
		if (reader->event.type != YAML_DOCUMENT_START_EVENT) {
			continue;
		}
		place = read_place(reader);
		if (++n_documents > 1) {
			tree_error(reader->errors, &place, "one document a file",
			        "a second document begins");
			return NULL;
		}
		if (read_next(reader)) {
			root = read_value(reader, reader->root, false);
		}
	}
	if (n_documents == 0 && !reader->is_broken) {
		tree_error(reader->errors, &place,
		        reader->root == POLICY_ROOT ? "a policy: kind, name, match"
		                                    : "kind and identities",
		        "the file is empty");
	}
	return root && !root->is_invalid && !reader->is_broken ? steal(&root) : NULL;
}

struct tree_node *tree_text_read(enum policy_row row, const char *name, const uint8_t *bytes,
        size_t size, struct policy_errors *errors)
{
	struct reader reader = {.path = name,
	        .root = row,
	        .manual = row == POLICY_ROOT ? "samsara-policy" : "samsara-identities",
	        .errors = errors,
	        .bytes = bytes,
	        .size = size};
	struct tree_place place = {name, 0, 0};
	struct tree_node *root;

	if (size > TREE_FILE_BYTES) {
		tree_error(errors, &place, "a file of at most 64 KiB", "the file is too large");
		return NULL;
	}
	if (!yaml_parser_initialize(&reader.parser)) {
		abort();
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, bytes, size);
	root = read_stream(&reader);
	read_drop(&reader);
	yaml_parser_delete(&reader.parser);
	return root;
}
