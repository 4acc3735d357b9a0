#pragma once
/*
 * Inside policy: a policy as a tree of values, the keys of policy.def as data, and errors. The tree
 * has one node for each mapping, list and scalar that a file gives; defaults are not in it.
 */
#include "orchestrator/policy/calendar.h"
#include "orchestrator/policy/policy.h"

#define TREE_NODES_MAX 4096u
#define TREE_ERRORS_MAX 100u
#define TREE_FILE_BYTES 65536u
#define TREE_LIST_MAX 256u
#define TREE_TEXT_MAX 1024u

enum tree_type {
	TREE_MAP,
	TREE_NAME,
	TREE_TEXT,
	TREE_CHOICE,
	TREE_BOOL,
	TREE_COUNT,
	TREE_DURATION,
	TREE_SHARE,
	TREE_CALENDAR,
	TREE_ZONE,
	TREE_LABEL,
	_TREE_TYPE_N
};

enum tree_shape { TREE_ONE, TREE_LIST, _TREE_SHAPE_N };
enum tree_need { TREE_MAY, TREE_MUST, TREE_ALWAYS, _TREE_NEED_N };
enum tree_acts { TREE_IDLE, TREE_ACTS, _TREE_ACTS_N };

/* A row of policy.def, or of identities.def. */
struct tree_key {
	enum policy_row above;
	const char *name;
	enum tree_shape shape;
	enum tree_type type;
	uint64_t min, max;
	const char *words; /* with spaces between */
	const char *preset;
	enum tree_need need;
	enum tree_acts acts;
	const char *sentence;
};

extern const struct tree_key tree_keys[_POLICY_ALL_N];

/* Where a value stands. The file's name belongs to the policy. */
struct tree_place {
	const char *file;
	size_t line, column;
};

/* Children: keys of a mapping or members of a list. A scalar has its text and what it means. */
struct tree_node {
	enum policy_row row;
	bool is_list;
	bool is_invalid; /* there was an error; nothing but its place counts */
	struct tree_place place;
	char *text;
	size_t text_column; /* of its first byte, where the file has it as it is; else 0 */
	uint64_t number;    /* COUNT, DURATION (usec), SHARE, BOOL; CHOICE: which word */
	bool is_percent;
	struct calendar *calendar;
	struct zone *zone;
	struct tree_node **children;
	size_t n_children;
};

struct policy {
	struct tree_node *root;
	char **files; /* that places point into */
	size_t n_files;
};

struct tree_node *tree_node_new(enum policy_row row, bool is_list, struct tree_place place);
struct tree_node *tree_node_free(struct tree_node *node);
static inline void tree_node_freep(struct tree_node **node)
{
	*node = tree_node_free(*node);
}
/* The child is the node's from now on. */
void tree_node_add(struct tree_node *node, struct tree_node *child);
/* The child with this key; NULL: there is none. What is invalid is given, but is no value. */
struct tree_node *tree_node_given(const struct tree_node *node, enum policy_row row);
struct tree_node *tree_node_child(const struct tree_node *node, enum policy_row row);
/* A key that is in no list, anywhere in the policy; NULL: it is not given. */
struct tree_node *tree_find(const struct policy *policy, enum policy_row row);
/* The number that a key of this mapping means, or its default. */
uint64_t tree_number(const struct tree_node *map, enum policy_row row);

/* The mapping of a whole file. */
bool tree_is_root(enum policy_row row);
/* The key of a mapping by its name, or POLICY_ROOT; and the one whose name is nearest, if it is near. */
enum policy_row tree_key_find(enum policy_row above, const char *name);
enum policy_row tree_key_near(enum policy_row above, const char *name);
/* The nearest of words with spaces between, copied to ret_word; false: none is near. */
bool tree_word_near(const char *words, const char *text, char ret_word[POLICY_PATH_SIZE]);

/* 1 to 64 letters, digits and . _ - : / [ ]; KEY=VALUE, both of them names. */
bool tree_is_name(const char *text);
bool tree_is_label(const char *text);
/* Read a scalar's text by its type; false: an error was added. */
bool tree_value_read(struct tree_node *node, struct policy_errors *errors);
/* A file as bytes, which the caller frees; false: an error was added. */
bool tree_file_read(
        const char *path, struct policy_errors *errors, uint8_t **ret_bytes, size_t *ret_size);
/*
 * A whole file of the kind whose root this is, into a tree, whose places have this name and not a copy;
 * NULL when nothing of it could be used. Errors are added.
 */
struct tree_node *tree_text_read(enum policy_row root, const char *name, const uint8_t *bytes,
        size_t size, struct policy_errors *errors);
/* An error for each key that must be there and is not. */
void tree_check_required(const struct tree_node *node, struct policy_errors *errors);
/* What must hold in a policy between keys; errors are added. */
void tree_check(const struct policy *policy, struct policy_errors *errors);
/* As policy_print(), of one node without origins; or of a key with them, where node may be NULL. */
void tree_node_print(const struct tree_node *node, bool defaults, FILE *file);
void tree_key_print(const struct tree_node *node, enum policy_row row, FILE *file);

void tree_error(struct policy_errors *errors, const struct tree_place *place, const char *expected,
        const char *format, ...) __attribute__((format(printf, 4, 5)));
