#pragma once
/*
 * Policy files: reading them with their drop-ins, everything that is wrong with them, what they say.
 * policy.def has the keys; decide.h says what follows for a machine at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "host/base/cleanup.h"

struct policy;

/* The keys, by the rows of policy.def; the file itself is the mapping above all. */
enum policy_row {
	POLICY_ROOT,
#define ROW(id, above, key, shape, type, min, max, words, preset, need, acts, sentence) POLICY_##id,
#include "orchestrator/policy/policy.def"
	_POLICY_ROW_N,
	/* Another kind of file, with keys of its own (identities.h). */
	POLICY_IDENTITIES = _POLICY_ROW_N,
#define ROW(id, above, key, shape, type, min, max, words, preset, need, acts, sentence) POLICY_##id,
#include "orchestrator/policy/identities.def"
	_POLICY_ALL_N
};

enum policy_outcome {
	POLICY_E_INVALID = 1, /* the errors say why */
};

/* One thing that is wrong. Line and column count from 1; 0: the file as a whole. */
struct policy_error {
	char *file;
	size_t line, column;
	char *what;
	char *expected; /* what to write instead, or what to do */
};

/* In the order in which they were found; init with {0}. What is beyond the limit is counted only. */
struct policy_errors {
	struct policy_error *list;
	size_t n, n_left_out;
};

void policy_errors_fini(struct policy_errors *errors);

/* The files of a policy, as they were read: its own first, then the drop-ins in their order. Init with {0}. */
#define POLICY_TEXTS_MAX 65u
struct policy_source {
	struct policy_text {
		char *name; /* as errors and origins tell it */
		uint8_t *bytes;
		size_t size;
	} texts[POLICY_TEXTS_MAX];
	size_t n;
};

/*
 * Read a file and the drop-ins beside it (PATH.d/NAME.yaml, by name). POLICY_E_INVALID: *errors got
 * longer, and what could be read is there.
 */
int __must_check policy_source_read(
        const char *path, struct policy_errors *errors, struct policy_source *ret_source);
/* Copies; false: there is no room for another file. */
bool policy_source_add(
        struct policy_source *source, const char *name, const uint8_t *bytes, size_t size);
void policy_source_fini(struct policy_source *source);
/* The error of a file that was not added: there are too many, or its name is none. */
void policy_source_refuse(const char *name, struct policy_errors *errors);

/*
 * Make one policy of its files, and check it. POLICY_E_INVALID: *errors got longer. The caller frees
 * *ret_policy, which keeps nothing of the source.
 */
int __must_check policy_parse(const struct policy_source *source, struct policy_errors *errors,
        struct policy **ret_policy);
/* Both, of a file and its drop-ins. */
int __must_check policy_load(
        const char *path, struct policy_errors *errors, struct policy **ret_policy);
struct policy *policy_free(struct policy *policy);
static inline void policy_freep(struct policy **policy)
{
	*policy = policy_free(*policy);
}

/*
 * What policies must not be to each other: of one name, or of equal priority with other words for a
 * machine that both may match. POLICY_E_INVALID as above.
 */
int __must_check policy_check_together(
        struct policy *const *policies, size_t n, struct policy_errors *errors);

/* What a policy says and lud does not act on: one entry a key, the outermost of each. */
void policy_idle(const struct policy *policy, struct policy_errors *notes);
/* What updates are watched by, health.loads, and is_reported says of that nobody reports it: one entry a name. */
void policy_unreported(const struct policy *policy,
        bool (*is_reported)(const char *metric, void *arg), void *arg, struct policy_errors *notes);
/*
 * What two policies say differently, defaults aside: lines "- KEY: VALUE" of the first and "+ KEY: VALUE"
 * of the second, of which either may be NULL. False: they say the same.
 */
bool policy_diff(const struct policy *before, const struct policy *after, FILE *file);

const char *policy_name(const struct policy *policy);
/* One value of a key that is in no list, its default if it is not given; 0 or NULL without one. */
uint64_t policy_number(const struct policy *policy, enum policy_row row);
const char *policy_text(const struct policy *policy, enum policy_row row);
/* Of a SHARE: it is a percentage. */
bool policy_is_percent(const struct policy *policy, enum policy_row row);
bool policy_has(const struct policy *policy, enum policy_row row);
/*
 * A list of mappings: how many there are, and a value of one of them, its default if it is not given. Of a
 * SHARE also whether it is a percentage.
 */
size_t policy_list_size(const struct policy *policy, enum policy_row list);
uint64_t policy_list_number(
        const struct policy *policy, enum policy_row list, size_t i, enum policy_row row);
bool policy_list_is_percent(
        const struct policy *policy, enum policy_row list, size_t i, enum policy_row row);
const char *policy_list_text(
        const struct policy *policy, enum policy_row list, size_t i, enum policy_row row);

/*
 * The policy as a file that could be read again, with the origin of each value behind it; with
 * defaults those, too, where their mapping counts.
 */
void policy_print(const struct policy *policy, bool defaults, FILE *file);

/* A key for people: "windows.allow[].start". */
/* The longest name of a figure that a service can report (KIT_METRIC_NAME_SIZE of proto/envelope). */
#define POLICY_METRIC_MAX 15u
#define POLICY_PATH_SIZE 64u
const char *policy_row_path(enum policy_row row, char ret_path[POLICY_PATH_SIZE]);
/* What its value is: "duration (us, ms, s, min, h, d)"; what it is for; NULL without a default. */
const char *policy_row_type(enum policy_row row, char ret_type[POLICY_PATH_SIZE]);
const char *policy_row_sentence(enum policy_row row);
const char *policy_row_default(enum policy_row row);
bool policy_row_must(enum policy_row row);
