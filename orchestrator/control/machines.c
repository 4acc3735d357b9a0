/*
 * Requests about machines: status, list, start, stop, default, removal, time, and questions
 * that are passed on to the machine.
 *
 * The hazard is a machine that runs while the record does not know it. Started anew it would
 * get another identity, and the one that runs would obey nobody. So whatever makes or starts a
 * machine looks at the socket of that name first, and a machine that is found there can only
 * be taken back.
 *
 * Answers that depend on the machine come later, by a control_wait; those that only read are
 * given at once and say that they are old.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/priv.h"

#define CONTROL_ANSWER_USEC UINT64_C(10000000)
#define CONTROL_ATTACH_USEC INT64_C(4000000)
#define CONTROL_FIRST_MACHINE "m1"

static void control_status_answer(
        struct control_client *client, uint64_t id, struct machine *machine, bool stale)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;

	pool_init(&pool);
	reply.body_case = CONTROL__REPLY__BODY_STATUS;
	reply.status = view_status(&pool, control_engine(client), machine, stale);
	control_reply(client, id, &reply);
}

static void control_on_refreshed(int r, void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	struct machine *machine = wait->machine;
	uint64_t id = wait->id;

	control_wait_free(wait);
	control_status_answer(client, id, machine, r < 0);
}

void control_on_status(struct control_client *client, const Control__Request *request)
{
	struct machine *machine = control_machine(client, request->id, request->status->machine);
	struct control_wait *wait;

	if (!machine) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	if (machine_state(machine) == MACHINE_UP &&
	        machine_refresh(machine, control_on_refreshed, wait) == 0) {
		return;
	}
	err_forget();
	control_wait_free(wait);
	control_status_answer(client, request->id, machine, true);
}

static void control_machines_answer(struct control_client *client, uint64_t id)
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

void control_on_machine_list(struct control_client *client, const Control__Request *request)
{
	control_machines_answer(client, request->id);
}

bool control_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') {
			return false;
		}
	}
	return n > 0 && n < 32;
}

void control_refuse_lost(
        struct control_client *client, uint64_t id, Wire__ErrorClass class, const char *name)
{
	_cleanup_(freep) char *path =
	        machine_own_socket(engine_machines(control_engine(client)), name);
	struct failure failure;
	char remedy[sizeof(failure.remedy)];

	snprintf(remedy, sizeof(remedy),
	        "take it back with `luctl machine start %s --attach %s`; then `luctl release add` "
	        "what it runs",
	        name, path);
	failure_set(&failure, "lost-machine", path, remedy,
	        "machine %s runs, and lud's record does not have it so; another one in its place "
	        "would lock it out",
	        name);
	control_refuse(client, id, class, &failure);
}

/* Makes the record of a machine: one to be started, one that is attached, one that was lost. */
static struct machine *control_machine_new(struct control_client *client, uint64_t id,
        const char *name, const char *socket, bool found)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine;
	struct failure failure;
	int r;

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
	        *name ? machines_by_name(machines, name) : machines_default(machines);

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
	        *name ? machines_by_name(machines, name) : machines_default(machines);
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

/* Looks whether the attached machine has answered. */
static void control_on_attach_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {0, 50000};
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	struct machine *machine = wait->machine;
	struct failure failure;
	uint64_t id = wait->id;

	if (machine_state(machine) == MACHINE_CONNECTING && store_now_usec() < wait->deadline_us) {
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
	wait->deadline_us = store_now_usec() + CONTROL_ATTACH_USEC;
	wait->timer = evtimer_new(client->control->base, control_on_attach_look, wait);
	evtimer_add(wait->timer, &now);
}

/* The machine that is asked for. Nothing is looked up under a name that cannot be one. */
static struct machine *control_machine_asked(
        struct control_client *client, uint64_t id, const Control__MachineStartRequest *start)
{
	const char *name = start->machine;
	struct failure failure;

	if (*name && !control_name_is_valid(name)) {
		failure_set(&failure, "invalid", "name", "use letters, digits, - and _",
		        "a machine cannot be named %s", name);
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
		return NULL;
	}
	return start->attach ? control_machine_to_attach(client, id, name, start->socket)
	                     : control_machine_to_start(client, id, name);
}

void control_on_machine_start(struct control_client *client, const Control__Request *request)
{
	const Control__MachineStartRequest *start = request->machine_start;
	struct machine *machine = control_machine_asked(client, request->id, start);
	struct job_order order = {
	        .kind = JOB_START,
	        .machine = machine,
	        .service = "",
	        .release = "",
	        .quiescent = "",
	        .identity = client->identity,
	};
	struct failure failure = {0};
	int64_t job;
	int r;

	if (!machine) {
		return;
	}
	if (start->attach || machine_row(machine)->attached) {
		control_attach(client, request->id, machine);
		return;
	}
	r = machine_ensure_id(machine);
	r = r < 0 ? r : engine_plan(control_engine(client), &order, &job, &failure);
	if (r < 0 && db_health(control_db(client)) != DB_WELL) {
		control_refuse_change(client, request->id);
		return;
	}
	if (r) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		err_forget();
		return;
	}
	control_wait_job(client, request->id, job);
}

static void control_on_stopped(void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	uint64_t id = wait->id;

	control_wait_free(wait);
	control_machines_answer(client, id);
}

/* Plans that the machine ends itself; whoever asks signs with a control key. */
static void control_shutdown(struct control_client *client, uint64_t id, struct machine *machine)
{
	struct job_order order = {
	        .kind = JOB_SHUTDOWN,
	        .machine = machine,
	        .service = "",
	        .release = "",
	        .quiescent = "",
	        .identity = client->identity,
	};
	struct failure failure = {0};
	int64_t job;
	int r = engine_plan(control_engine(client), &order, &job, &failure);

	if (r) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		err_forget();
		return;
	}
	control_wait_job(client, id, job);
}

void control_on_machine_stop(struct control_client *client, const Control__Request *request)
{
	struct machine *machine =
	        control_machine(client, request->id, request->machine_stop->machine);
	struct engine *engine = control_engine(client);
	struct control_wait *wait;
	struct failure failure;
	int r;

	if (!machine) {
		return;
	}
	if (engine_is_busy(engine, machine) && !request->machine_stop->force) {
		failure_set(&failure, "busy", machine_row(machine)->name,
		        "wait for it, or stop the machine with --force",
		        "the machine has open jobs");
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, &failure);
		return;
	}
	if (request->machine_stop->clean && !request->machine_stop->force &&
	        !machine_row(machine)->attached && machine_state(machine) == MACHINE_UP) {
		control_shutdown(client, request->id, machine);
		return;
	}
	engine_abandon(engine, machine, "stopped by request");
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	r = machine_stop(machine, control_on_stopped, wait);
	if (r < 0) {
		control_wait_free(wait);
		failure_set(&failure, "stop", machine_row(machine)->name, "try again",
		        "the machine cannot be stopped: %s", strerror(-r));
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_FAILED, &failure);
		err_forget();
	}
}

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

/* Whoever listens to a machine that goes is answered. */
static void control_end_waits(struct control *control, const struct machine *machine)
{
	struct control_client *client;

	LIST_FOREACH(client, &control->clients, link)
	{
		struct control_wait *wait = LIST_FIRST(&client->waiting);

		while (wait) {
			struct control_wait *next = LIST_NEXT(wait, link);

			if (wait->machine == machine) {
				control_done(client, wait->id, "the machine was removed");
				control_wait_free(wait);
			}
			wait = next;
		}
	}
}

void control_on_machine_remove(struct control_client *client, const Control__Request *request)
{
	const char *name = request->machine_remove->machine;
	struct machine *machine;
	struct failure failure;
	char remedy[80];

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

/* Hands the machine's answer on as it is. */
static void control_on_machine_reply(int r, const Machine__Reply *from, void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	Control__Reply reply = CONTROL__REPLY__INIT;
	struct failure failure;
	uint64_t id = wait->id;

	control_wait_free(wait);
	if (!r && from->body_case == MACHINE__REPLY__BODY_STAGE_STORE) {
		reply.body_case = CONTROL__REPLY__BODY_STAGE;
		reply.stage = from->stage_store;
	} else if (!r && from->body_case == MACHINE__REPLY__BODY_RESOURCES) {
		reply.body_case = CONTROL__REPLY__BODY_RESOURCES;
		reply.resources = from->resources;
	} else if (!r && from->body_case == MACHINE__REPLY__BODY_DONE) {
		control_done(client, id, "");
		return;
	} else if (!r && from->body_case == MACHINE__REPLY__BODY_ERROR) {
		reply.body_case = CONTROL__REPLY__BODY_ERROR;
		reply.error = from->error;
	} else {
		failure_set(&failure, "no-answer", "machine", "try again; see `luctl machine list`",
		        "the machine did not answer: %s", r ? strerror(-r) : "unknown answer");
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
		return;
	}
	control_reply(client, id, &reply);
}

/* Asks the machine on the client's behalf. */
static void control_forward(
        struct control_client *client, uint64_t id, const char *name, Machine__Request *request)
{
	struct machine *machine = control_machine(client, id, name);
	struct control_wait *wait;
	struct failure failure;

	if (!machine) {
		return;
	}
	wait = control_wait_new(client, id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	request->identity = client->identity;
	if (machine_request(machine, request, CONTROL_ANSWER_USEC, control_on_machine_reply, wait) <
	        0) {
		control_wait_free(wait);
		failure_set(&failure, "machine-down", name, "see `luctl machine list`",
		        "the machine is not up");
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
		err_forget();
	}
}

void control_on_resources(struct control_client *client, const Control__Request *request)
{
	Machine__ResourcesRequest resources = MACHINE__RESOURCES_REQUEST__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	ask.body_case = MACHINE__REQUEST__BODY_RESOURCES;
	ask.resources = &resources;
	control_forward(client, request->id, request->resources->machine, &ask);
}

void control_on_stage_list(struct control_client *client, const Control__Request *request)
{
	Machine__StageList list = MACHINE__STAGE_LIST__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	ask.body_case = MACHINE__REQUEST__BODY_STAGE_LIST;
	ask.stage_list = &list;
	control_forward(client, request->id, request->stage_list->machine, &ask);
}

void control_on_stage_drop(struct control_client *client, const Control__Request *request)
{
	Machine__StageDrop drop = MACHINE__STAGE_DROP__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	drop.hash = request->stage_drop->hash;
	ask.body_case = MACHINE__REQUEST__BODY_STAGE_DROP;
	ask.stage_drop = &drop;
	control_forward(client, request->id, request->stage_drop->machine, &ask);
}

void control_on_machine_time(struct control_client *client, const Control__Request *request)
{
	Machine__TimeSet set = MACHINE__TIME_SET__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	set.envelope = request->machine_time->envelope;
	ask.body_case = MACHINE__REQUEST__BODY_TIME_SET;
	ask.time_set = &set;
	control_forward(client, request->id, request->machine_time->machine, &ask);
}
