/*
 * What a job has to pass, by its kind. Rules know machines and services, actions and limits; here stands
 * which kind of job is which action for them:
 *
 *   update, prepare               windows of updates
 *   rerandomize                   windows of new layouts
 *   of one that another job asked for   no windows: that one has passed them
 *   set                           those of each of its services, with time for all of them; none once one of them has begun
 *   rollback, restart, move       no windows: the way back and the way out of a known layout are always there
 *   start, shutdown of a machine  nothing: no service is changed
 *
 * What has to pass windows has to pass the limits of a fleet, too.
 *
 * Holds hold all of them but the last. An update and its preparation wait for their ring in a rollout, and while the release
 * that they were asked for is blocked since.
 */
#include "orchestrator/job/engine/engine.h"

#include <inttypes.h>
#include <stdio.h>

#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/set.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/schedule/schedule.h"

/* How long a job waits for what nobody knows the end of. */
#define GATE_HELD_USEC (7 * INT64_C(86400) * 1000000)

static enum decide_action gate_action(enum job_kind kind)
{
	switch (kind) {
	case JOB_UPDATE:
	case JOB_PREPARE:
		return DECIDE_UPDATE;
	case JOB_RERANDOMIZE:
		return DECIDE_RERANDOMIZE;
	case JOB_ROLLBACK:
	case JOB_RESTART:
	case JOB_MOVE:
	case JOB_SET:
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

static uint64_t gate_version(void *arg)
{
	const struct engine *engine = arg;

	return machines_version(engine->machines);
}

static void gate_each(void *arg, bool all, rules_machine_fn fn, void *fn_arg)
{
	struct engine *engine = arg;
	struct machine *machine = NULL;

	if (!all) {
		work_each_machine(engine, fn, fn_arg);
		return;
	}
	while ((machine = machines_next(engine->machines, machine))) {
		if (machine_was_heard(machine)) {
			fn(machine_row(machine), fn_arg);
		}
	}
}

static bool gate_is_at_work(void *arg, int64_t machine)
{
	struct engine *engine = arg;
	const struct machine *at = machines_by_id(engine->machines, machine);

	return at && work_is_on(engine, at);
}

static void gate_freed(struct engine *engine)
{
	if (engine->schedule) {
		schedule_place_free(engine->schedule);
	}
}

void engine_gate_fleet(struct engine *engine)
{
	struct rules_fleet fleet = {gate_version, gate_each, gate_is_at_work, engine};

	rules_fleet(engine->rules, &fleet);
	engine->works.freed = gate_freed;
}

/*
 * Whoever named a release that was blocked had read why; of one that was blocked since the job was asked for nobody knew.
 * It goes on when that is lifted, unless a newer job takes its place first.
 */
static void gate_ask_block(
        const struct engine *engine, const struct job_row *row, struct rules_gate *gate)
{
	struct release_row release;

	if (store_release_by_id(engine->parts.db, row->release, &release) != 0) {
		err_forget();
		return;
	}
	if (release.blocked_us <= row->created_us ||
	        rollouts_bears(engine->rollouts, row->machine, &release)) {
		return;
	}
	gate->is_open = (row->overrides & RULES_OVERRIDE_BLOCK) != 0;
	gate->next_us = DECIDE_NEVER;
	gate->since_us = release.blocked_us;
	snprintf(gate->why, sizeof(gate->why), "release %" PRId64 " was blocked meanwhile: %.110s",
	        release.counter, release.blocked_why);
}

/* How a job is asked about that stands in its set as one of so many; is_free: no windows count any more. */
struct gate_set {
	int64_t n;
	bool is_free;
};

static void gate_ask(const struct engine *engine, const struct machine *machine,
        const struct job_row *row, const struct gate_set *set,
        struct rules_gate ret_gates[_RULES_GATE_N])
{
	int64_t limit_us = row->timeout_ms ? row->timeout_ms * 1000
	                                   : (int64_t)engine->parts.config->update_timeout_usec;
	struct rules_question question = {
	        .machine = machine_row(machine),
	        .service = row->service,
	        .action = set->is_free ? _DECIDE_ACTION_N : gate_action(row->kind),
	        .limit_us = limit_us * set->n,
	        .overrides = gate_is_change(row->kind) ? row->overrides : ~0u,
	        .is_job = true,
	};

	rules_ask(engine->rules, &question, store_now_usec(), ret_gates);
	if (row->kind == JOB_UPDATE && row->release && machine && !set->is_free) {
		struct rules_gate *gate = &ret_gates[RULES_GATE_ROLLOUT];

		rollouts_ask(engine->rollouts, question.machine->id, row->release, gate);
		gate->is_open = gate->is_open || row->overrides & RULES_OVERRIDE_ROLLOUT;
	}
	if (question.action == DECIDE_UPDATE && row->id) {
		gate_ask_block(engine, row, &ret_gates[RULES_GATE_BLOCK]);
	}
}

struct gate_members {
	const struct engine *engine;
	const struct machine *machine;
	struct gate_set set;
	struct rules_gate *gates; /* [_RULES_GATE_N], those of all members so far */
};

/* One of a set; what was asked of the machine is not cut off by a window, nor is what follows it. */
static int gate_count(const struct job_row *row, void *arg)
{
	struct gate_members *all = arg;

	all->set.n++;
	all->set.is_free = all->set.is_free || row->boot_id;
	return 0;
}

/* Of those that are shut the one counts that is shut the longest. */
static int gate_member(const struct job_row *row, void *arg)
{
	struct gate_members *all = arg;
	struct rules_gate gates[_RULES_GATE_N];

	if (row->ended_us) {
		return 0;
	}
	gate_ask(all->engine, all->machine, row, &all->set, gates);
	for (enum rules_gate_id gate = 0; gate < _RULES_GATE_N; gate++) {
		bool is_news =
		        all->gates[gate].is_open || gates[gate].next_us > all->gates[gate].next_us;

		if (!gates[gate].is_open && is_news) {
			all->gates[gate] = gates[gate];
		}
	}
	return 0;
}

void engine_gates(const struct engine *engine, const struct machine *machine,
        const struct job_row *row, struct rules_gate ret_gates[_RULES_GATE_N])
{
	struct gate_members all = {engine, machine, {0, false}, ret_gates};
	struct gate_set alone = {1, row->parent != 0 || row->kind == JOB_SET};

	gate_ask(engine, machine, row, &alone, ret_gates);
	if (row->kind != JOB_SET) {
		return;
	}
	if (store_job_each_child(engine->parts.db, row->id, gate_count, &all) < 0 ||
	        store_job_each_child(engine->parts.db, row->id, gate_member, &all) < 0) {
		err_forget();
	}
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
	int64_t until =
	        is_known ? gate->next_us + (int64_t)engine->parts.config->wait_timeout_usec
	                 : (gate->since_us > row->created_us ? gate->since_us : row->created_us) +
	                           GATE_HELD_USEC;

	*ret_hold = (struct job_hold){
	        .state = gate->is_timed && is_known ? JOB_SCHEDULED : JOB_HELD,
	        .until_us = until > now ? until : now + 1,
	        .look_us = is_known ? gate->next_us : until,
	        .limit = gate->limit,
	};
	snprintf(ret_hold->why, sizeof(ret_hold->why), "%s", gate->why);
}

bool engine_may_go_on(const struct job_row *row, struct job_hold *ret_hold, void *arg)
{
	const struct engine *engine = arg;
	const struct machine *machine = machines_by_id(engine->machines, row->machine);
	struct rules_gate gates[_RULES_GATE_N];
	const struct rules_gate *shut;

	if (row->kind == JOB_SET && (*row->cancel || job_set_has_begun(engine, row->id))) {
		/* It may have to go back, whatever holds it; its jobs are asked about one by one. */
		return true;
	}
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
		(void)standing_look(engine, machine);
		engine_policies_look(engine, machine);
	}
}
