/*
 * One request of a command, from its options to the answer. An answer that is wanted as JSON is
 * printed here, by its descriptor and as it came: a command that asks lud has no JSON of its own to
 * write. A connection serves one request; a command that needs two answers opens two.
 */
#include "ctl/client/command.h"

#include <string.h>

#include "ctl/base/json.h"
#include "ctl/client/place.h"
#include "host/text/hex.h"

/* The body of an answer, without its envelope. */
static void command_print_json(const Control__Reply *reply)
{
	json_t *json = json_of_message(&reply->base);
	const char *name;
	json_t *value;

	json_object_foreach(json, name, value)
	{
		if (strcmp(name, "id") != 0) {
			json_print(json_incref(value));
		}
	}
	json_decref(json);
}

char *command_keys(const struct options *options)
{
	return options->keys ? ctl_format("%s", options->keys) : place_keys();
}

int command_call(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply)
{
	uint8_t plan[64];
	int code = CTL_OK;

	if (*options->expect_plan && !hex_read(options->expect_plan, plan, sizeof(plan))) {
		return ctl_fail(CTL_USAGE, "--expect-plan",
		        "give the whole line that `luctl plan` ends with",
		        "the hash of a plan has %zu hexadecimal digits", 2 * sizeof(plan));
	}
	if (*options->expect_plan) {
		request->expect_plan = (ProtobufCBinaryData){sizeof(plan), plan};
	}
	code = client_open(options->socket, ret_client);
	request->reason = (char *)options->reason;
	request->request_id = (char *)options->request_id;
	if (code == CTL_OK) {
		code = client_call(*ret_client, request, news, arg, ret_reply);
	}
	request->expect_plan.len = 0;
	if (code == CTL_OK && options->json) {
		command_print_json(*ret_reply);
	}
	return code;
}
