#pragma once
/*
 * The policies that count now. They come in versions: each change makes the next one, of all policies
 * that count from then on, with who made it and why. A version never changes, and a change that has an
 * error anywhere changes nothing.
 */
#include "host/base/failure.h"
#include "orchestrator/policy/decide.h"
#include "orchestrator/store/policies.h"
#include "proto/control/control.pb-c.h"

/* How many policies count at a time, and how large their files are together: one answer has them all. */
#define RULES_POLICIES_MAX 64u
#define RULES_BYTES_MAX 57344u

struct rules;

/* Positive outcomes of a change; ret_failure says why. */
enum rules_outcome {
	RULES_E_REFUSED = 48, /* it has an error, and nothing was changed */
	RULES_E_NONE,         /* no such version or policy */
};

/* Who changes them, and why. */
struct rules_asked {
	const struct principal *who;
	const char *reason;
};

struct rules *rules_new(struct db *db);
struct rules *rules_free(struct rules *rules);
/* Reads what the record has. Only its errors are errors: see rules_broken(). */
int __must_check rules_load(struct rules *rules);

/* All that count, in the order in which they were first applied. */
const struct policy *const *rules_policies(const struct rules *rules, size_t *ret_n);
/* The version that counts; id 0: there never was a policy. */
const struct policy_version_row *rules_version(const struct rules *rules);
/* What cannot be read of the version that counts, with its place; NULL: all of it was. */
const char *rules_broken(const struct rules *rules);

/*
 * The changes. 0: it counts now, or counted before; RULES_E_*. Policies that are given take the place of
 * those of the same name.
 */
int __must_check rules_apply(struct rules *rules, Control__PolicySource *const *sources, size_t n,
        const struct rules_asked *asked, struct failure *ret_failure);
int __must_check rules_remove(struct rules *rules, char *const *names, size_t n,
        const struct rules_asked *asked, struct failure *ret_failure);
int __must_check rules_back(struct rules *rules, int64_t version, const struct rules_asked *asked,
        struct failure *ret_failure);
