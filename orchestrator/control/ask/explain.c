/*
 * Why nothing happens: every gate of a job, or of what could be asked for on a machine, one by one, by the
 * function that a job is let through by.
 */
#include <inttypes.h>
#include <string.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

/* The most gates: of each change that can be asked for, the machine and those of the rules. */
#define EXPLAIN_CHANGES 3u
#define EXPLAIN_MAX (EXPLAIN_CHANGES * (1 + _RULES_GATE_N))

/* A time is told only of a gate that is shut and will open by itself. */
static void explain_gate(struct pool *pool, Control__Explanation *to, const char *change,
        const char *name, const struct rules_gate *gate)
{
	Control__ExplainGate *view = pool_zero(pool, sizeof(*view));

	control__explain_gate__init(view);
	view->change = (char *)change;
	view->gate = (char *)name;
	view->open = gate->is_open;
	view->why = pool_text(pool, gate->why);
	view->next_us = gate->is_open || gate->next_us == DECIDE_NEVER ? 0 : gate->next_us;
	to->gates[to->n_gates++] = view;
}

/* A machine that cannot be asked lets nothing happen, whatever rules say. */
static void explain_machine(
        struct pool *pool, Control__Explanation *to, const char *change, struct machine *machine)
{
	struct rules_gate gate = {
	        .is_open = machine_state(machine) == MACHINE_UP, .next_us = DECIDE_NEVER};
	struct failure failure;

	if (!gate.is_open) {
		engine_not_up(machine, &failure);
		snprintf(gate.why, sizeof(gate.why), "%.150s", failure.cause);
	}
	explain_gate(pool, to, change, "machine", &gate);
}

/* All gates of one change, the machine first. */
static void explain_row(struct pool *pool, const struct engine *engine, Control__Explanation *to,
        struct machine *machine, const struct job_row *row)
{
	struct rules_gate gates[_RULES_GATE_N];

	explain_machine(pool, to, job_kind_name(row->kind), machine);
	engine_gates(engine, machine, row, gates);
	for (enum rules_gate_id id = 0; id < _RULES_GATE_N; id++) {
		explain_gate(pool, to, job_kind_name(row->kind), rules_gate_name(id), &gates[id]);
	}
}

/* What could be asked for, in the words of whoever would ask. */
static void explain_changes(struct pool *pool, const struct engine *engine,
        Control__Explanation *to, struct machine *machine, const char *service)
{
	static const enum job_kind kinds[EXPLAIN_CHANGES] = {
	        JOB_UPDATE, JOB_RERANDOMIZE, JOB_ROLLBACK};

	for (size_t i = 0; i < EXPLAIN_CHANGES; i++) {
		struct job_row row = {.kind = kinds[i]};

		snprintf(row.service, sizeof(row.service), "%s", service);
		explain_row(pool, engine, to, machine, &row);
	}
}

/* The machine of a job; NULL: there is no such job, or its machine is gone; it was refused. */
static struct machine *explain_job(
        struct control_client *client, uint64_t id, uint64_t job, struct job_row *ret_row)
{
	struct failure failure;
	struct machine *machine = NULL;
	int r = store_job_find(control_db(client), (int64_t)job, ret_row);

	if (r < 0) {
		control_refuse_record(client, id);
		return NULL;
	}
	if (!r) {
		machine = machines_by_id(engine_machines(control_engine(client)), ret_row->machine);
	}
	if (r) {
		control_refuse_job(client, id, job);
	} else if (!machine) {
		failure_set(&failure, "no-machine", "lud",
		        "`luctl job show` still says what became of it",
		        "the machine of job %" PRIu64 " was removed", job);
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	}
	return machine;
}

/*
 * Of a service of the default machine where a machine's name is to stand: a common slip. Both names are of letters that
 * no shell reads, so the remedy can be run as it is printed. True: it was refused.
 */
static bool explain_refuse_service(struct control_client *client, uint64_t id, const char *name)
{
	struct machines *machines = engine_machines(control_engine(client));
	const struct machine *machine = control_default(client);
	struct service_row service;
	struct failure failure;
	char remedy[sizeof(failure.remedy)];
	int r;

	if (!*name || machines_by_name(machines, name) || !machine) {
		return false;
	}
	r = store_service_find(control_db(client), machine_row(machine)->id, name, &service);
	/* A record that cannot be read is told of by the answer that follows. */
	err_forget();
	if (r) {
		return false;
	}
	snprintf(remedy, sizeof(remedy), "`luctl explain --service %s`", service.name);
	failure_set(&failure, "no-machine", name, remedy,
	        "this is a service, and there is no machine of this name");
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	return true;
}

/* The machine that changes are asked about, which has the service, where one is named; NULL: it was refused. */
static struct machine *explain_machine_of(
        struct control_client *client, uint64_t id, const Control__ExplainRequest *ask)
{
	struct machine *machine = explain_refuse_service(client, id, ask->machine)
	                                  ? NULL
	                                  : control_machine(client, id, ask->machine);

	return machine && (!*ask->service || control_service_is_known(client, id,
	                                             machine_row(machine)->id, ask->service))
	               ? machine
	               : NULL;
}

/* A job that is over has no gates before it: how it ended is all there is to say. */
void control_on_explain(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__ExplainRequest *ask = request->explain;
	struct engine *engine = control_engine(client);
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__Explanation view = CONTROL__EXPLANATION__INIT;
	struct job_row row;
	struct machine *machine = ask->job ? explain_job(client, request->id, ask->job, &row)
	                                   : explain_machine_of(client, request->id, ask);

	pool_init(&pool);
	if (!machine) {
		return;
	}
	view.machine = pool_text(&pool, machine_row(machine)->name);
	view.service = pool_text(&pool, ask->job ? row.service : ask->service);
	view.gates = pool_zero(&pool, EXPLAIN_MAX * sizeof(*view.gates));
	if (!ask->job) {
		explain_changes(&pool, engine, &view, machine, ask->service);
	} else if (view_job(&pool, engine, ask->job, true, &view.job) != 0) {
		control_refuse_record(client, request->id);
		return;
	} else if (!row.ended_us) {
		explain_row(&pool, engine, &view, machine, &row);
	}
	reply.body_case = CONTROL__REPLY__BODY_EXPLANATION;
	reply.explanation = &view;
	control_reply(client, request->id, &reply);
}
