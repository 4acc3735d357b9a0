/*
 * policy.def as data, and names that are nearly those of keys: a mistyped key is told what it was
 * probably meant to be.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/config/quantity.h"
#include "orchestrator/policy/tree.h"

#define MSEC UINT64_C(1000)
#define SEC (1000 * MSEC)
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

#define SCHEMA_WORD_MAX 32u

/* The words of proto/words/access.def, which the build puts into one text. */
#define ROLE(name, number, word, includes, sentence) " " word
static const char schema_roles[] =
#include "proto/words/access.def"
        ;
#define ROLE_WORDS (schema_roles + 1)

const struct tree_key tree_keys[_POLICY_ALL_N] = {
        [POLICY_ROOT] = {.name = "", .type = TREE_MAP, .acts = TREE_ACTS, .sentence = "the file"},
#define ROW(id, above, key, shape, type, min, max, words, preset, need, acts, sentence)            \
	[POLICY_##id] = {POLICY_##above, key, TREE_##shape, TREE_##type, min, max, words, preset,  \
	        TREE_##need, TREE_##acts, sentence},
#include "orchestrator/policy/policy.def"
        [POLICY_IDENTITIES] = {.above = POLICY_IDENTITIES,
                .name = "",
                .type = TREE_MAP,
                .acts = TREE_ACTS,
                .sentence = "the file"},
#define ROW(id, above, key, shape, type, min, max, words, preset, need, acts, sentence)            \
	[POLICY_##id] = {POLICY_##above, key, TREE_##shape, TREE_##type, min, max, words, preset,  \
	        TREE_##need, TREE_##acts, sentence},
#include "orchestrator/policy/identities.def"
};

/* How a scalar of a type is written; quantities also have the units of quantity.h. */
static const char *const schema_types[_TREE_TYPE_N] = {
        [TREE_MAP] = "keys",
        [TREE_NAME] = "name",
        [TREE_TEXT] = "text",
        [TREE_CHOICE] = "one of",
        [TREE_BOOL] = "true or false",
        [TREE_COUNT] = "whole number",
        [TREE_DURATION] = "duration",
        [TREE_SHARE] = "whole number or percentage",
        [TREE_CALENDAR] = "calendar expression",
        [TREE_ZONE] = "time zone",
        [TREE_LABEL] = "KEY=VALUE",
};

bool tree_is_root(enum policy_row row)
{
	return tree_keys[row].above == row;
}

/* From the top; a list is marked behind its name. */
const char *policy_row_path(enum policy_row row, char ret_path[POLICY_PATH_SIZE])
{
	const struct tree_key *key = &tree_keys[row];
	char above[POLICY_PATH_SIZE] = "";

	if (!tree_is_root(row) && !tree_is_root(key->above)) {
		policy_row_path(key->above, above);
	}
	if (snprintf(ret_path, POLICY_PATH_SIZE, "%s%s%s%s", above, *above ? "." : "", key->name,
	            key->shape == TREE_LIST ? "[]" : "") >= (int)POLICY_PATH_SIZE) {
		ret_path[0] = '\0';
	}
	return ret_path;
}

/* Choices are listed with spaces between. */
const char *policy_row_type(enum policy_row row, char ret_type[POLICY_PATH_SIZE])
{
	const struct tree_key *key = &tree_keys[row];
	bool is_choice = key->type == TREE_CHOICE;

	snprintf(ret_type, POLICY_PATH_SIZE, "%s%s%s", schema_types[key->type],
	        is_choice ? ": " : "", is_choice ? key->words : "");
	return ret_type;
}

const char *policy_row_sentence(enum policy_row row)
{
	return tree_keys[row].sentence;
}

const char *policy_row_default(enum policy_row row)
{
	return tree_keys[row].preset;
}

bool policy_row_must(enum policy_row row)
{
	return tree_keys[row].need == TREE_MUST;
}

enum policy_row tree_key_find(enum policy_row above, const char *name)
{
	for (int row = POLICY_ROOT + 1; row < _POLICY_ALL_N; row++) {
		if (tree_keys[row].above == above && !tree_is_root(row) &&
		        !strcmp(tree_keys[row].name, name)) {
			return row;
		}
	}
	return POLICY_ROOT;
}

/*
 * How many letters to insert, drop or change (Levenshtein), row by row. Words longer than any key are
 * far from all of them.
 */
static size_t schema_distance(const char *a, size_t a_len, const char *b)
{
	size_t b_len = strlen(b), costs[SCHEMA_WORD_MAX + 1];

	if (a_len > SCHEMA_WORD_MAX || b_len > SCHEMA_WORD_MAX) {
		return SIZE_MAX;
	}
	for (size_t j = 0; j <= b_len; j++) {
		costs[j] = j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = costs[0];

		costs[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]);
			size_t other = (costs[j] < costs[j - 1] ? costs[j] : costs[j - 1]) + 1;

			corner = costs[j];
			costs[j] = change < other ? change : other;
		}
	}
	return costs[b_len];
}

/* Near: no more than a third of the letters are others, or one. */
static bool schema_is_near(size_t distance, const char *text)
{
	return distance <= (strlen(text) < 6 ? 1 : strlen(text) / 3);
}

/* A key of this mapping; else one of the same name elsewhere says nothing, so that is not looked for. */
enum policy_row tree_key_near(enum policy_row above, const char *name)
{
	enum policy_row nearest = POLICY_ROOT;
	size_t least = SIZE_MAX;

	for (int row = POLICY_ROOT + 1; row < _POLICY_ALL_N; row++) {
		const char *other = tree_keys[row].name;
		size_t distance = schema_distance(other, strlen(other), name);

		if (tree_keys[row].above == above && !tree_is_root(row) && distance < least) {
			least = distance;
			nearest = row;
		}
	}
	return schema_is_near(least, name) ? nearest : POLICY_ROOT;
}

/* Words of a row, not keys. */
bool tree_word_near(const char *words, const char *text, char ret_word[POLICY_PATH_SIZE])
{
	size_t least = SIZE_MAX;

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		size_t distance = schema_distance(at, len, text);

		if (distance < least) {
			least = distance;
			snprintf(ret_word, POLICY_PATH_SIZE, "%.*s", (int)len, at);
		}
		at += len;
	}
	return schema_is_near(least, text);
}
