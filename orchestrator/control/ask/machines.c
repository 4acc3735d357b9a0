/*
 * The list of machines, which of them is meant by default, and taking one off the list. A removed
 * machine keeps its row and its name in the record, because its history refers to them.
 */
#include <string.h>

#include "orchestrator/control/ask/priv.h"

/*
 * The list with the record's health. Every change of the list answers with it, so that a client
 * sees what it has become, not what it asked for.
 */
void control_machines_answer(struct control_client *client, uint64_t id)
{
	_cleanup_(pool_fini) struct pool pool;
	struct machines *machines = engine_machines(control_engine(client));
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__MachineList list = CONTROL__MACHINE_LIST__INIT;
	struct machine *machine = NULL;
	size_t n = 0;

	pool_init(&pool);
	while ((machine = machines_next(machines, machine))) {
		n++;
	}
	list.machines = pool_zero(&pool, n * sizeof(*list.machines));
	while ((machine = machines_next(machines, machine))) {
		list.machines[list.n_machines++] = view_machine(&pool, machine);
	}
	list.record = view_record(&pool, control_engine(client));
	reply.body_case = CONTROL__REPLY__BODY_MACHINES;
	reply.machines = &list;
	control_reply(client, id, &reply);
}

/* All machines, down and silent ones too. Asks none of them, so it is never late. */
void control_on_machine_list(struct control_client *client, const Control__Request *request)
{
	control_machines_answer(client, request->id);
}

/*
 * Makes a machine the one that is meant when none is named. Without a name this makes the default
 * of now, or the only machine there is, the default for good.
 */
void control_on_machine_default(struct control_client *client, const Control__Request *request)
{
	struct machine *machine =
	        control_machine(client, request->id, request->machine_default->machine);

	if (!machine) {
		return;
	}
	if (machine_set_default(machine) < 0) {
		control_refuse_change(client, request->id);
		return;
	}
	control_machines_answer(client, request->id);
}

/*
 * Takes a machine off the list, and its files with it: so only by its name, only when it is
 * stopped or down, without open jobs, and when nothing answers at its socket. A machine of that
 * name that runs unknown to lud would lose the directory under its feet.
 */
void control_on_machine_remove(struct control_client *client, const Control__Request *request)
{
	const char *name = request->machine_remove->machine;
	struct machine *machine;
	struct failure failure;
	char remedy[sizeof(failure.remedy)];

	if (!*name) {
		failure_set(&failure, "which-machine", "machine remove", "name the machine",
		        "a machine is removed by its name only");
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
		return;
	}
	machine = control_machine(client, request->id, name);
	if (!machine) {
		return;
	}
	if ((machine_state(machine) != MACHINE_STOPPED && machine_state(machine) != MACHINE_DOWN) ||
	        engine_is_busy(control_engine(client), machine)) {
		snprintf(remedy, sizeof(remedy), "stop it first with `luctl machine stop %.31s`",
		        name);
		failure_set(&failure, "busy", name, remedy, "the machine is %s%s",
		        machine_state_name(machine_state(machine)),
		        engine_is_busy(control_engine(client), machine) ? " and has open jobs"
		                                                        : "");
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, &failure);
		return;
	}
	if (machine_is_served(engine_machines(control_engine(client)), name)) {
		control_refuse_lost(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, name);
		return;
	}
	control_end_waits(client->control, machine);
	if (machine_remove(machine) < 0) {
		control_refuse_change(client, request->id);
		return;
	}
	control_machines_answer(client, request->id);
}
