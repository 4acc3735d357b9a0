/*
 * Questions that only the machine can answer, and things that it alone can do: asked on the
 * client's behalf and under its identity, the machine's answer passed on as it is.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/ask/priv.h"

#define CONTROL_ANSWER_USEC UINT64_C(10000000) /* that a machine has for its answer */

/*
 * Hands the machine's answer on as it is: its errors are already in the form of refusals. An
 * answer of any other kind is a machine that does not keep to the protocol.
 */
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

/*
 * Asks the machine on the client's behalf. The answer comes within CONTROL_ANSWER_USEC or is an
 * error; a machine without a session is refused at once. `request` is sent before this returns.
 */
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
	request->identity = client->who.name;
	if (machine_request(machine, request, CONTROL_ANSWER_USEC, control_on_machine_reply, wait) <
	        0) {
		control_wait_free(wait);
		engine_not_up(machine, &failure);
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
		err_forget();
	}
}

/* Frames, accounts and limits as the machine counts them. */
void control_on_resources(struct control_client *client, const Control__Request *request)
{
	Machine__ResourcesRequest resources = MACHINE__RESOURCES_REQUEST__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	ask.body_case = MACHINE__REQUEST__BODY_RESOURCES;
	ask.resources = &resources;
	control_forward(client, request->id, request->resources->machine, &ask);
}

/* Blobs that the machine holds, named by their hashes. */
void control_on_stage_list(struct control_client *client, const Control__Request *request)
{
	Machine__StageList list = MACHINE__STAGE_LIST__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	ask.body_case = MACHINE__REQUEST__BODY_STAGE_LIST;
	ask.stage_list = &list;
	control_forward(client, request->id, request->stage_list->machine, &ask);
}

/*
 * Has the machine drop one blob, or all that nothing names. What an order or a transaction names
 * the machine keeps, and says so; lud does not judge it.
 */
void control_on_stage_drop(struct control_client *client, const Control__Request *request)
{
	Machine__StageDrop drop = MACHINE__STAGE_DROP__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	drop.hash = request->stage_drop->hash;
	ask.body_case = MACHINE__REQUEST__BODY_STAGE_DROP;
	ask.stage_drop = &drop;
	control_forward(client, request->id, request->stage_drop->machine, &ask);
}

/*
 * Passes a time statement on. It carries the signature of root or release and is bound to the
 * machine's boot; lud cannot make one and does not open it.
 */
void control_on_machine_time(struct control_client *client, const Control__Request *request)
{
	Machine__TimeSet set = MACHINE__TIME_SET__INIT;
	Machine__Request ask = MACHINE__REQUEST__INIT;

	set.envelope = request->machine_time->envelope;
	ask.body_case = MACHINE__REQUEST__BODY_TIME_SET;
	ask.time_set = &set;
	control_forward(client, request->id, request->machine_time->machine, &ask);
}
