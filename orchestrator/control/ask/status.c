/*
 * Status of a machine. One that is up is asked anew, so that the answer is its word of now; of
 * any other, and of one that does not answer in time, the last word is shown and said to be
 * stale.
 */
#include "orchestrator/control/ask/priv.h"

/* Answers with what is known, which is the machine's word of now unless stale. */
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

/*
 * One machine's status. Never refused for what the machine is: a machine that is down, silent or
 * about to start has a status too, and that is when somebody looks.
 */
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
