/*
 * The list of machines, which of them is meant by default, and taking one off the list. A removed
 * machine keeps its row and its name in the record, because its history refers to them.
 */
#include <string.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

struct control_machines control_machines_view(
        struct control_client *client, struct pool *pool, uint32_t limit, const char *after)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct control_page page = control_page(limit, CONTROL_PAGE_MAX);
	struct control_machines found = {pool_zero(pool, page.limit * sizeof(*found.list)), 0, ""};
	struct machine *machine = machines_after(machines, after);

	for (; machine && !page.more; machine = machines_next(machines, machine)) {
		Control__Machine *view;

		if (!control_sees(client, machine)) {
			continue;
		}
		view = view_machine(pool, machine);
		if (control_page_takes(&page, &view->base)) {
			found.list[found.n++] = view;
			found.next = view->name;
		}
	}
	found.next = page.more ? found.next : "";
	return found;
}

/* With the record's health, which whoever looks at machines must know, too. */
static void control_machines_page(
        struct control_client *client, uint64_t id, uint32_t limit, const char *after)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__MachineList list = CONTROL__MACHINE_LIST__INIT;
	struct control_machines found;

	pool_init(&pool);
	found = control_machines_view(client, &pool, limit, after);
	list.machines = found.list;
	list.n_machines = found.n;
	list.next = found.next;
	list.record = view_record(&pool, control_engine(client), &client->rights);
	reply.body_case = CONTROL__REPLY__BODY_MACHINES;
	reply.machines = &list;
	control_reply(client, id, &reply);
}

/*
 * Every change of the list answers with its first page, so that a client sees what it has become, not
 * what it asked for.
 */
void control_machines_answer(struct control_client *client, uint64_t id)
{
	control_machines_page(client, id, 0, "");
}

/* All machines, down and silent ones too. Asks none of them, so it is never late. */
void control_on_machine_list(struct control_client *client, const Control__Request *request)
{
	control_machines_page(
	        client, request->id, request->machine_list->limit, request->machine_list->after);
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
	        engine_is_busy(machine)) {
		snprintf(remedy, sizeof(remedy), "stop it first with `luctl machine stop %.31s`",
		        name);
		failure_set(&failure, "busy", name, remedy, "the machine is %s%s",
		        machine_state_name(machine_state(machine)),
		        engine_is_busy(machine) ? " and has open jobs" : "");
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, &failure);
		return;
	}
	if (machine_is_served(engine_machines(control_engine(client)), name)) {
		control_refuse_lost(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, name);
		return;
	}
	control_end_waits(client->control, machine);
	if (!engine_forsake(control_engine(client), machine) || machine_remove(machine) < 0) {
		control_refuse_change(client, request->id);
		return;
	}
	engine_rules_changed(control_engine(client));
	control_machines_answer(client, request->id);
}
