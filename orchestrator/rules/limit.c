/*
 * How many machines jobs are at work on at a time, by `limits` of a policy: a count, or a percentage of the machines
 * that it matches and that were ever heard, of which one always may. The matching policy of the highest priority that has the section decides,
 * and counts the machines that it matches, whoever asked for their jobs. A machine that is at work has its place
 * already, so that a job of it goes on however many others there are.
 *
 * Nobody walks machines to answer: what each policy matches, and what is at work of that, are two counts, which move when a
 * machine begins to be worked on or is left alone, and are made anew when policies or machines are others. Who asks again when a
 * place comes free is not known here (job/core/place.c).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/rules/priv.h"

struct limit_count {
	const struct policy *policy;
	size_t n;
};

void rules_fleet(struct rules *rules, const struct rules_fleet *fleet)
{
	rules->fleet = *fleet;
}

void rules_limits_anew(struct rules *rules)
{
	memset(rules->counts, 0, sizeof(rules->counts));
}

static bool limit_matches(const struct policy *policy, const struct machine_row *row)
{
	struct decide_subject subject = {row->name, row->groups, row->labels, ""};

	return decide_matches(policy, &subject);
}

void rules_at_work(struct rules *rules, const struct machine_row *row, bool begins)
{
	for (size_t i = 0; i < rules->n_policies; i++) {
		struct rules_count *count = &rules->counts[i];

		if (count->has_work && limit_matches(rules->policies[i], row)) {
			count->n_work += begins ? 1 : -1;
		}
	}
}

static void limit_count(const struct machine_row *row, void *arg)
{
	struct limit_count *count = arg;

	count->n += limit_matches(count->policy, row);
}

static size_t limit_walk(const struct rules *rules, const struct policy *policy, bool all)
{
	struct limit_count count = {.policy = policy};

	rules->fleet.each(rules->fleet.arg, all, limit_count, &count);
	return count.n;
}

/* What is known of the machines that a policy matches, as the fleet is now. */
static struct rules_count *limit_counts(struct rules *rules, const struct policy *policy)
{
	uint64_t version = rules->fleet.version(rules->fleet.arg);
	size_t i = 0;

	if (rules->counted != version) {
		rules->counted = version;
		rules_limits_anew(rules);
	}
	while (rules->policies[i] != policy) {
		i++;
	}
	return &rules->counts[i];
}

static size_t limit_machines(struct rules *rules, const struct policy *policy)
{
	size_t n = policy_number(policy, POLICY_LIMIT_MACHINES);
	struct rules_count *count = limit_counts(rules, policy);

	if (!policy_is_percent(policy, POLICY_LIMIT_MACHINES)) {
		return n ? n : 1;
	}
	if (!count->has_all) {
		count->has_all = true;
		count->n_all = limit_walk(rules, policy, true);
	}
	n = count->n_all * n / 100;
	return n ? n : 1;
}

/* But for this machine, which keeps its place. */
static size_t limit_others(
        struct rules *rules, const struct policy *policy, const struct machine_row *row)
{
	bool is_at_work = rules->fleet.is_at_work(rules->fleet.arg, row->id);
	struct rules_count *count = limit_counts(rules, policy);

	if (!count->has_work) {
		count->has_work = true;
		count->n_work = limit_walk(rules, policy, false);
	}
	return count->n_work - (is_at_work && limit_matches(policy, row));
}

void rules_limits_check(const struct rules *rules)
{
	if (rules->counted != rules->fleet.version(rules->fleet.arg)) {
		return;
	}
	for (size_t i = 0; i < rules->n_policies; i++) {
		const struct rules_count *count = &rules->counts[i];

		assert(!count->has_all ||
		        count->n_all == limit_walk(rules, rules->policies[i], true));
		assert(!count->has_work ||
		        count->n_work == limit_walk(rules, rules->policies[i], false));
	}
}

void rules_ask_limit(
        struct rules *rules, const struct rules_question *question, struct rules_gate *gate)
{
	struct decide_subject subject = {question->machine->name, question->machine->groups,
	        question->machine->labels, question->service};
	const struct policy *policy;
	size_t n, n_work;

	if (!question->is_job || question->action == _DECIDE_ACTION_N || !rules->fleet.each) {
		return;
	}
	policy = decide_by(rules->policies, rules->n_policies, &subject, POLICY_LIMITS);
	if (!policy) {
		return;
	}
	n = limit_machines(rules, policy);
	n_work = limit_others(rules, policy, question->machine);
	if (n_work >= n) {
		rules_shut(gate, question, RULES_OVERRIDE_WINDOW, DECIDE_NEVER);
		gate->limit = gate->is_open ? NULL : policy_name(policy);
		snprintf(gate->why, sizeof(gate->why),
		        "%zu of %zu machines are at work (policy %s)", n_work, n,
		        policy_name(policy));
	}
}
