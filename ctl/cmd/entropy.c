/*
 * entropy: what the layouts of the running services still hide after one pointer has leaked, as
 * lud had it measured. One table for each service: what leaked, what is looked for, theory beside
 * measurement, and the piece that is worst off.
 */
#include <stdio.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/cmd.h"

/* What the machine draws has no measurement; of the worst, ">": so many layouts show no more. */
static void entropy_row(struct table *table, const Control__EntropyRow *row)
{
	char theory[TEXT_SIZE], mean[TEXT_SIZE] = "-", worst[TEXT_SIZE] = "-";
	char aim[TEXT_SIZE] = "-", below[TEXT_SIZE] = "-", where[3 * TEXT_SIZE] = "";

	snprintf(theory, TEXT_SIZE, "%.1f", row->theory);
	if (row->measured) {
		snprintf(mean, TEXT_SIZE, "%.1f", row->mean);
		snprintf(worst, TEXT_SIZE, "%s%.1f", row->bound ? ">" : "", row->worst);
		snprintf(aim, TEXT_SIZE, "%.0f", row->aim);
		snprintf(below, TEXT_SIZE, "%u", row->below);
		snprintf(where, sizeof(where), "%s, given %s", row->piece, row->leak);
	}
	table_row(table, (const char *const[]){
	                         row->given, row->left, theory, mean, worst, aim, below, where});
}

static void entropy_print(const Control__Entropy *entropy)
{
	static const struct table_column columns[] = {
	        {"GIVEN", false},
	        {"LEFT", false},
	        {"THEORY", true},
	        {"MEAN", true},
	        {"WORST", true},
	        {"AIM", true},
	        {"BELOW", true},
	        {"WORST PIECE", false},
	};
	struct table *table;
	char id[TEXT_SIZE];

	if (*entropy->text) {
		printf("%s: %s\n", entropy->service, entropy->text);
		return;
	}
	printf("%s: release %u %s, recipe %u, %u layouts of %u pieces; bits left after one pointer "
	       "has leaked\n",
	        entropy->service, entropy->counter, text_id(&entropy->release_id, id),
	        entropy->recipe, entropy->variants, entropy->pieces);
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < entropy->n_rows; i++) {
		entropy_row(table, entropy->rows[i]);
	}
	table_print(table);
	printf("size to a linking without pads: payload %.2f, memory %.2f\n",
	        entropy->payload_ratio, entropy->memory_ratio);
}

int cmd_entropy(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__EntropyRequest entropy = CONTROL__ENTROPY_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	entropy.machine = (char *)options->machine;
	entropy.service = options->n_args ? options->args[0] : "";
	request.body_case = CONTROL__REQUEST__BODY_ENTROPY;
	request.entropy = &entropy;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code != CTL_OK || options->json) {
		return code;
	}
	if (reply->entropy->stale) {
		puts("the machine does not answer: of what it ran when it was last heard");
	}
	for (size_t i = 0; i < reply->entropy->n_services; i++) {
		printf("%s", i ? "\n" : "");
		entropy_print(reply->entropy->services[i]);
	}
	return code;
}
