/*
 * Status of a machine. One that is up is asked anew, so that the answer is its word of now; of
 * any other, and of one that does not answer in time, the last word is shown and said to be
 * stale.
 */
#include <errno.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/job/engine/engine.h"

/* Answers with what is known, which is the machine's word of now unless stale. */
static void control_status_answer(
        struct control_client *client, uint64_t id, struct machine *machine, bool stale)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;

	pool_init(&pool);
	reply.body_case = CONTROL__REPLY__BODY_STATUS;
	reply.status = view_status(&pool, control_engine(client), &client->rights, machine, stale);
	control_reply(client, id, &reply);
}

/* The machine has answered, or its session ended or ran out of time: then r < 0. */
static void control_on_refreshed(int r, void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	struct machine *machine = wait->machine;
	uint64_t id = wait->id;

	control_wait_free(wait);
	control_status_answer(client, id, machine, r < 0);
}

static void control_on_kept(evutil_socket_t fd, short what, void *arg)
{
	control_on_refreshed(-ETIMEDOUT, arg);
}

static bool control_status_is_kept(
        const struct control_client *client, const struct machine *machine)
{
	return db_late_sec(control_db(client)) && machine_is_held(machine);
}

/*
 * It is not clear which machine is meant, and whoever asks takes all of them then. An empty record
 * beside a machine that runs is a lost record, and no overview of nothing: that is refused by name.
 */
static bool control_status_is_of_all(
        struct control_client *client, const Control__StatusRequest *status)
{
	struct machines *machines = engine_machines(control_engine(client));
	char lost[CONTROL_NAME_SIZE];

	return status->overview && !*status->machine && !control_default(client) &&
	       (machines_next(machines, NULL) || !machines_find_lost(machines, lost, sizeof(lost)));
}

/* The overview, and machines as a list. */
static void control_status_of_all(struct control_client *client, uint64_t id)
{
	_cleanup_(pool_fini) struct pool pool;
	struct engine *engine = control_engine(client);
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__Status status = CONTROL__STATUS__INIT;
	struct control_machines found;

	pool_init(&pool);
	status.overview = view_overview(&pool, engine, &client->rights);
	found = control_machines_view(client, &pool, 0, "");
	status.machines = found.list;
	status.n_machines = found.n;
	status.machines_next = found.next;
	status.record = view_record(&pool, engine, &client->rights);
	reply.body_case = CONTROL__REPLY__BODY_STATUS;
	reply.status = &status;
	control_reply(client, id, &reply);
}

/*
 * One machine's status. Never refused for what the machine is: a machine that is down, silent or
 * about to start has a status too, and that is when somebody looks. Nor is a disk waited for: behind
 * what it keeps from the machine nothing can be asked.
 */
void control_on_status(struct control_client *client, const Control__Request *request)
{
	static const struct timeval soon = {1, 0};
	struct control_wait *wait;
	struct machine *machine;

	if (control_status_is_of_all(client, request->status)) {
		control_status_of_all(client, request->id);
		return;
	}
	machine = control_machine(client, request->id, request->status->machine);
	if (!machine) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	if (machine_state(machine) == MACHINE_UP && !control_status_is_kept(client, machine) &&
	        machine_refresh(machine, control_on_refreshed, wait) == 0) {
		if (machine_is_held(machine)) {
			wait->timer = evtimer_new(client->control->base, control_on_kept, wait);
			evtimer_add(wait->timer, &soon);
		}
		return;
	}
	err_forget();
	control_wait_free(wait);
	control_status_answer(client, request->id, machine, true);
}
