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
#define ROW(id, above, key, shape, type, min, max, words, preset, need, sentence) POLICY_##id,
#include "orchestrator/policy/policy.def"
	_POLICY_ROW_N
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

/*
 * Read a file and the drop-ins beside it (PATH.d/NAME.yaml, by name), and check it. POLICY_E_INVALID:
 * *errors got longer. The caller frees *ret_policy.
 */
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

const char *policy_name(const struct policy *policy);
/* One value of a key that is in no list, its default if it is not given; 0 or NULL without one. */
uint64_t policy_number(const struct policy *policy, enum policy_row row);
const char *policy_text(const struct policy *policy, enum policy_row row);
bool policy_has(const struct policy *policy, enum policy_row row);

/*
 * The policy as a file that could be read again, with the origin of each value behind it; with
 * defaults those, too, where their mapping counts.
 */
void policy_print(const struct policy *policy, bool defaults, FILE *file);

/* A key for people: "windows.allow[].start". */
#define POLICY_PATH_SIZE 64u
const char *policy_row_path(enum policy_row row, char ret_path[POLICY_PATH_SIZE]);
/* What its value is: "duration (us, ms, s, min, h, d)"; what it is for; NULL without a default. */
const char *policy_row_type(enum policy_row row, char ret_type[POLICY_PATH_SIZE]);
const char *policy_row_sentence(enum policy_row row);
const char *policy_row_default(enum policy_row row);
bool policy_row_must(enum policy_row row);
