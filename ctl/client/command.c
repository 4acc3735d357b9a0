/*
 * One request of a command, from its options to the answer. An answer that is wanted as JSON is
 * handed on here (ctl/base/answer.h), by its descriptor and as it came: a command that asks lud has no JSON of its own to
 * write. A connection serves one request; a command that needs two answers opens two.
 */
#include "ctl/client/command.h"

#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/json.h"
#include "ctl/client/place.h"
#include "ctl/client/wait.h"
#include "host/text/hex.h"

/* There is one field beside the id: an answer has one kind. */
json_t *command_json(const Control__Reply *reply)
{
	json_t *json = json_of_message(&reply->base);
	json_t *body = NULL, *value;
	const char *name;

	json_object_foreach(json, name, value)
	{
		if (strcmp(name, "id") != 0) {
			body = json_incref(value);
		}
	}
	json_decref(json);
	return body;
}

char *command_keys(const struct options *options)
{
	return options->keys ? ctl_format("%s", options->keys) : place_keys();
}

/* Words with commas between, as a set of bits. */
static int command_override(const char *words, uint32_t *ret_set)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} known[] = {
#define OVERRIDE(name, bit, word, sentence) {word, bit},
#include "proto/words/access.def"
	};
	static const char remedy[] = "give one of these, or several with commas between:"
#define OVERRIDE(name, bit, word, sentence) " " word
#include "proto/words/access.def"
	        ;

	*ret_set = 0;
	while (*words) {
		size_t len = strcspn(words, ","), i = 0;

		while (i < sizeof(known) / sizeof(known[0]) &&
		        (strlen(known[i].word) != len || strncmp(known[i].word, words, len) != 0)) {
			i++;
		}
		if (i == sizeof(known) / sizeof(known[0])) {
			return ctl_fail(CTL_USAGE, "--override", remedy,
			        "`%.*s` is nothing that a job could pass", (int)len, words);
		}
		*ret_set |= known[i].bit;
		words += len + (words[len] == ',');
	}
	return CTL_OK;
}

int command_ask(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply)
{
	uint8_t plan[64];
	uint32_t override;
	int code = CTL_OK;

	if (*options->expect_plan && !hex_read(options->expect_plan, plan, sizeof(plan))) {
		return ctl_fail(CTL_USAGE, "--expect-plan",
		        "give the whole line that `luctl plan` ends with",
		        "the hash of a plan has %zu hexadecimal digits", 2 * sizeof(plan));
	}
	if (*options->expect_plan) {
		request->expect_plan = (ProtobufCBinaryData){sizeof(plan), plan};
	}
	code = command_override(options->override, &override);
	if (code != CTL_OK) {
		return code;
	}
	wait_limit(options->wait_ms ? options->wait_ms : CMDLINE_WAIT_MSEC);
	code = client_open(options->socket, ret_client);
	request->reason = (char *)options->reason;
	request->override = override;
	request->request_id = (char *)options->request_id;
	if (code == CTL_OK) {
		code = client_call(*ret_client, request, news, arg, ret_reply);
	}
	request->expect_plan.len = 0;
	return code;
}

/* One that is too long with its number is refused by lud, which says so. */
struct options command_one_of(
        const struct options *options, int n, int of, char ret_id[COMMAND_ID_SIZE])
{
	struct options one = *options;

	if (of > 1 && *options->request_id) {
		snprintf(ret_id, COMMAND_ID_SIZE, "%.80s.%d", options->request_id, n);
		one.request_id = ret_id;
	}
	return one;
}

int command_call(const struct options *options, Control__Request *request, client_news_fn news,
        void *arg, struct client **ret_client, const Control__Reply **ret_reply)
{
	int code = command_ask(options, request, news, arg, ret_client, ret_reply);
	json_t *json = code == CTL_OK && options->json ? command_json(*ret_reply) : NULL;

	if (json) {
		answer_add(json);
	}
	return code;
}

int command_show(const struct options *options, Control__Request *request, command_print_fn print)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	int code = command_call(options, request, NULL, NULL, &client, &reply);

	if (code == CTL_OK && !options->json) {
		print(reply);
	}
	return code;
}
