#pragma once
/* The handlers of all requests. */
#include "orchestrator/control/client/client.h"

/*
 * control_on_NAME(), one for each request of the protocol: in the file of its subject. Answers
 * exactly once, or makes a control_wait that will; the request is the caller's and ends with
 * the call.
 */
#define REQUEST(NAME, field, answer, other, machine, effect, role, about, place)                   \
	void control_on_##field(struct control_client *client, const Control__Request *request);
#include "proto/control/requests.gen.def"
#undef REQUEST

/*
 * again.c: answers a request that was carried out before as row has it. False: it made several jobs, and what is missing
 * of them is still to be done: the handler finds those that are there.
 */
bool control_again(struct control_client *client, const Control__Request *request,
        const struct answer_row *row);
