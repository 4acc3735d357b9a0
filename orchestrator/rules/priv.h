#pragma once
/* Inside rules: policies with the bytes that they are recorded as. */
#include "orchestrator/rules/rules.h"

struct rules_policy {
	struct policy *policy; /* NULL: it cannot be read */
	char name[72];
	uint8_t digest[64];
	uint8_t *body; /* a packed control.PolicySource */
	size_t size;
};

/* As many as count together. */
struct rules_set {
	struct rules_policy list[RULES_POLICIES_MAX];
	size_t n;
};

/* How many machines a policy matches, where that was asked for. */
struct rules_count {
	bool has_all, has_work;
	size_t n_all, n_work; /* of those at work */
};

struct rules {
	struct db *db;
	struct rules_set set;
	const struct policy *policies[RULES_POLICIES_MAX]; /* of ->set, those that could be read */
	size_t n_policies;
	struct rules_count counts[RULES_POLICIES_MAX]; /* of ->policies; limit.c */
	uint64_t counted;                              /* the fleet's version that they are of */
	struct rules_fleet fleet;
	struct policy_version_row version;
	char *broken;
	struct hold_row holds[RULES_HOLDS_MAX]; /* that were not taken away */
	size_t n_holds;
};

bool rules_hold_is_on(const struct hold_row *row, int64_t now_us);
/* Those of the record. */
int __must_check rules_holds_load(struct rules *rules);

/* gate.c */
void rules_shut(struct rules_gate *gate, const struct rules_question *question, uint32_t override,
        int64_t next_us);
/* limit.c: the gate of `limits`; other policies count */
void rules_limits_anew(struct rules *rules);
void rules_ask_limit(
        struct rules *rules, const struct rules_question *question, struct rules_gate *gate);

void rules_set_fini(struct rules_set *set);
/*
 * Reads a policy from its message and adds it. False: there is no room, or it has an error, which was
 * added; then it is added all the same where `anyhow`, by the name that it was recorded with.
 */
bool rules_set_add(struct rules_set *set, const Control__PolicySource *source, bool anyhow,
        struct policy_errors *errors);
/* What is in the set counts from now on; the set is empty then. broken: what of it cannot be read, or NULL. */
void rules_take(struct rules *rules, struct rules_set *set, char *broken);
/* "FILE:LINE:COLUMN: what" of the first error; the caller frees. */
char *rules_error_text(const struct policy_errors *errors);
