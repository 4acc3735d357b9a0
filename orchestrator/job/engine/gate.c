/*
 * What a job has to pass, by its kind. Rules know machines and services, actions and limits; here stands
 * which kind of job is which action for them:
 *
 *   update, prepare               windows of updates
 *   rerandomize                   windows of new layouts; not of one that another job asked for
 *   rollback, restart, move       no windows: the way back and the way out of a known layout are always there
 *   start, shutdown of a machine  nothing: no service is changed
 *
 * Holds hold all of them but the last.
 */
#include "orchestrator/job/engine/engine.h"

#include <stdio.h>

#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/standing.h"

/* How long a job waits for what nobody knows the end of. */
#define GATE_HELD_USEC (7 * INT64_C(86400) * 1000000)

static enum decide_action gate_action(enum job_kind kind, int64_t parent)
{
	switch (kind) {
	case JOB_UPDATE:
	case JOB_PREPARE:
		return DECIDE_UPDATE;
	case JOB_RERANDOMIZE:
		return parent ? _DECIDE_ACTION_N : DECIDE_RERANDOMIZE;
	case JOB_ROLLBACK:
	case JOB_RESTART:
	case JOB_MOVE:
	case JOB_START:
	case JOB_SHUTDOWN:
	case _JOB_KIND_N:
		break;
	}
	return _DECIDE_ACTION_N;
}

static bool gate_is_change(enum job_kind kind)
{
	return kind != JOB_START && kind != JOB_SHUTDOWN;
}

void engine_gates(const struct engine *engine, const struct machine *machine,
        const struct job_row *row, struct rules_gate ret_gates[_RULES_GATE_N])
{
	struct rules_question question = {
	        .machine = machine_row(machine),
	        .service = row->service,
	        .action = gate_action(row->kind, row->parent),
	        .limit_us = row->timeout_ms ? row->timeout_ms * 1000
	                                    : (int64_t)engine->parts.config->update_timeout_usec,
	        .overrides = gate_is_change(row->kind) ? row->overrides : ~0u,
	};

	rules_ask(engine->rules, &question, store_now_usec(), ret_gates);
}

const struct rules_gate *engine_gate_shut(const struct rules_gate gates[_RULES_GATE_N])
{
	for (enum rules_gate_id gate = 0; gate < _RULES_GATE_N; gate++) {
		if (!gates[gate].is_open) {
			return &gates[gate];
		}
	}
	return NULL;
}

/*
 * It waits until the gate may be open, and then for its turn as any other; where nobody knows when, from the
 * time that it was asked for. What is said does not change from one look to the next, unless its cause does.
 */
static void gate_hold(const struct engine *engine, const struct job_row *row,
        const struct rules_gate *gate, struct job_hold *ret_hold)
{
	int64_t now = store_now_usec();
	bool is_known = gate->next_us != DECIDE_NEVER;
	int64_t until = is_known ? gate->next_us + (int64_t)engine->parts.config->wait_timeout_usec
	                         : row->created_us + GATE_HELD_USEC;

	*ret_hold = (struct job_hold){
	        .state = gate->is_timed && is_known ? JOB_SCHEDULED : JOB_HELD,
	        .until_us = until > now ? until : now + 1,
	        .look_us = is_known ? gate->next_us : until,
	};
	snprintf(ret_hold->why, sizeof(ret_hold->why), "%s", gate->why);
}

bool engine_may_go_on(const struct job_row *row, struct job_hold *ret_hold, void *arg)
{
	const struct engine *engine = arg;
	const struct machine *machine = machines_by_id(engine->machines, row->machine);
	struct rules_gate gates[_RULES_GATE_N];
	const struct rules_gate *shut;

	engine_gates(engine, machine, row, gates);
	shut = engine_gate_shut(gates);
	if (shut) {
		gate_hold(engine, row, shut, ret_hold);
	}
	return !shut;
}

void engine_rules_changed(struct engine *engine)
{
	struct machine *machine = NULL;

	engine_gate_changed(engine);
	while ((machine = machines_next(engine->machines, machine))) {
		standing_look(engine, machine);
	}
}
