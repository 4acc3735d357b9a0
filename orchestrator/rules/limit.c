/*
 * How many machines jobs are at work on at a time, by `limits` of a policy: a count, or a percentage of the machines
 * that it matches, of which one always may. The matching policy of the highest priority that has the section decides,
 * and counts the machines that it matches, whoever asked for their jobs. A machine that is at work has its place
 * already, so that a job of it goes on however many others there are.
 *
 * Machines at work are few: they are counted at each question. All machines are walked for a percentage only, and once
 * until the machines or the policies change. Who asks again when a place comes free is not known here (job/engine/gate.c).
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/rules/priv.h"

struct limit_count {
	const struct policy *policy;
	int64_t but; /* a machine that is not counted; 0: none */
	size_t n;
};

void rules_fleet(struct rules *rules, const struct rules_fleet *fleet)
{
	rules->fleet = *fleet;
}

void rules_fleet_changed(struct rules *rules)
{
	memset(rules->n_matched, 0, sizeof(rules->n_matched));
}

bool rules_has_limits(const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_policies; i++) {
		if (policy_has(rules->policies[i], POLICY_LIMITS)) {
			return true;
		}
	}
	return false;
}

static void limit_count(const struct machine_row *row, void *arg)
{
	struct limit_count *count = arg;
	struct decide_subject subject = {row->name, row->groups, row->labels, ""};

	count->n += row->id != count->but && decide_matches(count->policy, &subject);
}

/* How many machines the policy matches. */
static size_t limit_matched(struct rules *rules, const struct policy *policy)
{
	struct limit_count count = {.policy = policy};
	size_t i = 0;

	while (rules->policies[i] != policy) {
		i++;
	}
	if (!rules->n_matched[i]) {
		rules->fleet.each(rules->fleet.arg, true, limit_count, &count);
		rules->n_matched[i] = count.n;
	}
	return rules->n_matched[i];
}

static size_t limit_machines(struct rules *rules, const struct policy *policy)
{
	size_t n = policy_number(policy, POLICY_LIMIT_MACHINES);

	if (policy_is_percent(policy, POLICY_LIMIT_MACHINES)) {
		n = limit_matched(rules, policy) * n / 100;
	}
	return n ? n : 1;
}

void rules_ask_limit(
        struct rules *rules, const struct rules_question *question, struct rules_gate *gate)
{
	struct decide_subject subject = {question->machine->name, question->machine->groups,
	        question->machine->labels, question->service};
	struct limit_count count = {.but = question->machine->id};
	size_t n;

	if (!question->is_job || question->action == _DECIDE_ACTION_N || !rules->fleet.each) {
		return;
	}
	count.policy = decide_by(rules->policies, rules->n_policies, &subject, POLICY_LIMITS);
	if (!count.policy) {
		return;
	}
	n = limit_machines(rules, count.policy);
	rules->fleet.each(rules->fleet.arg, false, limit_count, &count);
	if (count.n >= n) {
		rules_shut(gate, question, RULES_OVERRIDE_WINDOW, DECIDE_NEVER);
		snprintf(gate->why, sizeof(gate->why),
		        "%zu of %zu machines are at work (policy %s)", count.n, n,
		        policy_name(count.policy));
	}
}
