/*
 * Starting a machine, or taking up one that runs.
 *
 * The hazard is a machine that runs while the record does not know it. Started anew it would
 * get another identity, and the one that runs would obey nobody. So whatever makes or starts a
 * machine looks at the socket of that name first, and a machine that is found there can only
 * be taken back.
 */
#include <string.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/plan/plan.h"

#define CONTROL_ATTACH_USEC INT64_C(4000000) /* in which an attached machine must say Hello */
#define CONTROL_FIRST_MACHINE "m1"           /* name of the first, when none is given */

/* Makes the record of a machine: one to be started, one that is attached, one that was lost. */
static struct machine *control_machine_new(struct control_client *client, uint64_t id,
        const char *name, const char *socket, bool found)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine;
	struct failure failure;
	int r;

	if (!found && machines_are_full(machines)) {
		failure_set(&failure, "machines-full", name,
		        "remove one that is not needed (`luctl machine remove`), or raise "
		        "machine.limit in lud's configuration",
		        "there are as many machines as machine.limit allows%s", "");
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FULL, &failure);
		return NULL;
	}
	r = found ? machine_new_found(machines, name, &machine)
	          : machine_new(machines, name, socket, &machine);
	if (r < 0 && db_health(control_db(client)) != DB_WELL) {
		control_refuse_change(client, id);
		return NULL;
	}
	if (r) {
		failure_set(&failure, "record", name, "choose another name",
		        "the machine cannot be recorded: %s", r < 0 ? strerror(-r) : "it exists");
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FAILED, &failure);
		return NULL;
	}
	return machine;
}

/* Whether the record knows the machine as one that may run. */
static bool control_machine_runs(const struct machine *machine)
{
	return machine_row(machine)->attached || (machine_state(machine) != MACHINE_STOPPED &&
	                                                 machine_state(machine) != MACHINE_DOWN);
}

/* The machine to start: one there is, or a new one of this name. */
static struct machine *control_machine_to_start(
        struct control_client *client, uint64_t id, const char *name)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine =
	        *name ? machines_by_name(machines, name) : control_default(client);

	if (!machine && !*name && machines_next(machines, NULL)) {
		return control_machine(client, id, name);
	}
	name = machine ? machine_row(machine)->name : *name ? name : CONTROL_FIRST_MACHINE;
	if (!(machine && control_machine_runs(machine)) && machine_is_served(machines, name)) {
		control_refuse_lost(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, name);
		return NULL;
	}
	return machine ? machine : control_machine_new(client, id, name, NULL, false);
}

/* The machine to take up by a socket: an attached one, or one of ours that was lost. */
static struct machine *control_machine_to_attach(
        struct control_client *client, uint64_t id, const char *name, const char *socket)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine =
	        *name ? machines_by_name(machines, name) : control_default(client);
	const struct machine_row *row = machine ? machine_row(machine) : NULL;
	struct failure failure;
	bool own;

	if (!machine && !*name && machines_next(machines, NULL)) {
		return control_machine(client, id, name);
	}
	name = row ? row->name : *name ? name : CONTROL_FIRST_MACHINE;
	own = machine_owns_socket(machines, name, socket);
	if (!machine) {
		return control_machine_new(client, id, name, socket, own);
	}
	if (row->attached ? !strcmp(row->socket, socket) : own) {
		return machine;
	}
	failure_set(&failure, "other-socket", socket,
	        "give the machine at this socket a name of its own: `luctl machine start NAME "
	        "--attach SOCKET`",
	        "machine %s is reached by another socket: %s", name, row->socket);
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
	return NULL;
}

/* Whether it is still to be known if the machine answers. */
static bool control_is_attaching(const struct machine *machine)
{
	return machine_state(machine) == MACHINE_STARTING ||
	       machine_state(machine) == MACHINE_CONNECTING;
}

/* Looks whether the attached machine has answered. */
static void control_on_attach_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {0, 50000};
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	struct machine *machine = wait->machine;
	struct failure failure;
	uint64_t id = wait->id;

	if (control_is_attaching(machine) && elapsed_usec() < wait->deadline_us) {
		evtimer_add(wait->timer, &pause);
		return;
	}
	control_wait_free(wait);
	if (machine_state(machine) == MACHINE_UP) {
		control_machines_answer(client, id);
		return;
	}
	failure_set(&failure, "no-answer", machine_row(machine)->socket,
	        "check that the machine runs and nobody else is connected to its socket",
	        "the machine does not answer%s%s", *machine_why(machine) ? ": " : "",
	        machine_why(machine));
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
}

/*
 * Connects to the machine, and answers when it has said Hello or CONTROL_ATTACH_USEC have passed.
 * One of ours that was lost gets its process back first; that of an attached one is its owner's.
 * The machine stays in the list either way: it may answer later.
 */
static void control_attach(struct control_client *client, uint64_t id, struct machine *machine)
{
	static const struct timeval now = {0, 0};
	struct control_wait *wait;
	struct failure failure;
	int r = machine_row(machine)->attached ? machine_connect(machine)
	                                       : machine_take_back(machine);

	if (r < 0) {
		failure_set(&failure, "attach", machine_row(machine)->socket,
		        "check the socket's path", "the machine cannot be attached: %s",
		        strerror(-r));
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FAILED, &failure);
		err_forget();
		return;
	}
	wait = control_wait_new(client, id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	wait->deadline_us = elapsed_usec() + CONTROL_ATTACH_USEC;
	wait->timer = evtimer_new(client->control->base, control_on_attach_look, wait);
	evtimer_add(wait->timer, &now);
}

/* Nothing is looked up under a name that cannot be one: that is refused. */
static bool control_name_is_asked(struct control_client *client, uint64_t id, const char *name)
{
	struct failure failure;

	if (control_name_is_valid(name)) {
		return true;
	}
	failure_set(&failure, "invalid", "name", "use letters, digits, - and _",
	        "a machine cannot be named %s", *name ? name : "with no letter");
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
	return false;
}

/* The machine that is asked for. */
static struct machine *control_machine_asked(
        struct control_client *client, uint64_t id, const Control__MachineStartRequest *start)
{
	const char *name = start->machine;

	if (*name && !control_name_is_asked(client, id, name)) {
		return NULL;
	}
	return start->attach ? control_machine_to_attach(client, id, name, start->socket)
	                     : control_machine_to_start(client, id, name);
}

/*
 * Has the machine an identity, which its boot configuration needs: else draws and records one.
 * What is not recorded must not boot: after lud's end the machine would be nobody's. False: there
 * is none, and the request was refused.
 */
static bool control_ensure_identity(
        struct control_client *client, uint64_t id, struct machine *machine)
{
	struct failure failure;
	int r = machine_ensure_id(machine);

	if (!r) {
		return true;
	}
	log_error("machine %s: %s", machine_row(machine)->name, err_trace());
	err_forget();
	if (db_health(control_db(client)) != DB_WELL) {
		control_refuse_change(client, id);
		return false;
	}
	failure_set(&failure, "no-identity", machine_row(machine)->name,
	        "try again; the log of lud has more",
	        "the machine has no identity yet, and a new one cannot be drawn and recorded: %s",
	        strerror(-r));
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
	return false;
}

/*
 * Starts a machine, or takes one up by its socket; the first one needs no name. Starting is a
 * job, which the answer waits for; attaching is none, and is answered with the list of machines.
 * An attached machine is never started: its process is somebody else's.
 */
void control_on_machine_start(struct control_client *client, const Control__Request *request)
{
	const Control__MachineStartRequest *start = request->machine_start;
	struct machine *machine = control_machine_asked(client, request->id, start);
	struct job_asked asked = control_asked(client, request);
	struct job_order order = job_order_of(JOB_START, machine, "", &asked);

	if (!machine) {
		return;
	}
	if (start->attach || machine_row(machine)->attached) {
		control_attach(client, request->id, machine);
		return;
	}
	if (control_ensure_identity(client, request->id, machine)) {
		control_order(client, request->id, &order, start->detach);
	}
}

/*
 * Makes a machine known, so that it has its groups, labels and policies before it first starts. Where one runs
 * under the name that the record does not know, that one is taken up and no other made.
 */
void control_on_machine_add(struct control_client *client, const Control__Request *request)
{
	const char *name = request->machine_add->machine;
	struct machines *machines = engine_machines(control_engine(client));

	if (!control_name_is_asked(client, request->id, name)) {
		return;
	}
	if (machines_by_name(machines, name) ||
	        control_machine_to_start(client, request->id, name)) {
		engine_rules_changed(control_engine(client));
		control_machines_answer(client, request->id);
	}
}
