/*
 * The gates: whether a job may go on now, by what holds and policies say. The same answers are given to a
 * job before each of its steps, to whoever plans one, and to whoever asks why nothing happens.
 *
 *   policies  all that count can be read; else what they would forbid is not known, and windows are shut
 *   hold      nobody holds the machine, the service, or everything
 *   window    a window is open and stays open for the limit of the job, and none denies
 *   limit     jobs are at work on fewer machines than `limits` allows (limit.c)
 *
 * Nothing here waits or remembers; the time is an argument. An override opens its gate, which then says so.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/rules/priv.h"

const char *rules_gate_name(enum rules_gate_id gate)
{
	static const char *const names[_RULES_GATE_N] = {
	        "policies", "hold", "window", "limit", "rollout", "block"};

	return names[gate];
}

/* Shut, unless the job passes it. */
void rules_shut(struct rules_gate *gate, const struct rules_question *question, uint32_t override,
        int64_t next_us)
{
	gate->is_open = (question->overrides & override) != 0;
	gate->next_us = next_us;
}

static void rules_ask_policies(
        const struct rules *rules, const struct rules_question *question, struct rules_gate *gate)
{
	if (rules->broken && question->action != _DECIDE_ACTION_N) {
		rules_shut(gate, question, RULES_OVERRIDE_WINDOW, DECIDE_NEVER);
		snprintf(gate->why, sizeof(gate->why), "a policy cannot be read: %.120s",
		        rules->broken);
	}
}

/* A hold of a service stands in no way of the machine as a whole. */
static bool rules_hold_is_for(const struct hold_row *row, const struct rules_question *question)
{
	return (!row->machine || row->machine == question->machine->id) &&
	       (!*row->service || !strcmp(row->service, question->service));
}

/* The one that lasts longest is told: until then nothing comes of waiting. */
static void rules_ask_hold(const struct rules *rules, const struct rules_question *question,
        int64_t now_us, struct rules_gate *gate)
{
	const struct hold_row *last = NULL;

	for (size_t i = 0; i < rules->n_holds; i++) {
		const struct hold_row *row = &rules->holds[i];

		if (row->ended_us || !rules_hold_is_on(row, now_us) ||
		        !rules_hold_is_for(row, question)) {
			continue;
		}
		if (!last || !row->until_us || (last->until_us && row->until_us > last->until_us)) {
			last = row;
		}
	}
	if (last) {
		rules_shut(gate, question, RULES_OVERRIDE_HOLD,
		        last->until_us ? last->until_us : DECIDE_NEVER);
		gate->since_us = last->created_us;
		snprintf(gate->why, sizeof(gate->why), "%.30s holds %.60s%s%.60s", last->identity,
		        *last->service  ? last->service
		        : last->machine ? question->machine->name
		                        : "everything",
		        *last->reason ? ": " : "", last->reason);
	}
}

/* In the words of policies. */
static struct decide_subject rules_subject(const struct rules_question *question)
{
	return (struct decide_subject){question->machine->name, question->machine->groups,
	        question->machine->labels, question->service};
}

static void rules_ask_window(const struct rules *rules, const struct rules_question *question,
        int64_t now_us, struct rules_gate *gate)
{
	struct decide_subject subject = rules_subject(question);
	struct decision decision;

	if (question->action == _DECIDE_ACTION_N || !rules->n_policies) {
		return;
	}
	decide_windows(rules->policies, rules->n_policies, &subject, question->action,
	        question->limit_us, now_us, &decision);
	if (decision.verdict == DECIDE_DENIED) {
		rules_shut(gate, question, RULES_OVERRIDE_WINDOW, decision.next);
		gate->is_timed = true;
		snprintf(gate->why, sizeof(gate->why), "%s (policy %s)", decision.why,
		        decision.by ? policy_name(decision.by) : "-");
	}
}

void rules_ask(struct rules *rules, const struct rules_question *question, int64_t now_us,
        struct rules_gate ret_gates[_RULES_GATE_N])
{
	for (enum rules_gate_id gate = 0; gate < _RULES_GATE_N; gate++) {
		ret_gates[gate] = (struct rules_gate){.is_open = true, .next_us = now_us};
	}
	rules_ask_policies(rules, question, &ret_gates[RULES_GATE_POLICIES]);
	rules_ask_hold(rules, question, now_us, &ret_gates[RULES_GATE_HOLD]);
	rules_ask_window(rules, question, now_us, &ret_gates[RULES_GATE_WINDOW]);
	rules_ask_limit(rules, question, &ret_gates[RULES_GATE_LIMIT]);
}

size_t rules_closed(const struct rules *rules, const struct rules_question *question,
        const struct decide_span *stretch, struct decide_span *ret_spans, size_t max)
{
	struct decide_subject subject = rules_subject(question);

	return rules->n_policies
	               ? decide_closed(rules->policies, rules->n_policies, &subject,
	                         question->action, question->limit_us, stretch, ret_spans, max)
	               : 0;
}
