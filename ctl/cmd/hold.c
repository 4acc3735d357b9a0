/*
 * hold, unhold, holds: that nothing is to be changed. A hold is named by what it holds; the words that made it
 * take it away again.
 */
#include "ctl/cmd/cmd.h"

#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/policy_files.h"

/* By its time, by its command, or by a person: how it ends. */
static const char *hold_until(const Control__Hold *hold, char until[TEXT_SIZE])
{
	return hold->until_us          ? text_time(hold->until_us, until)
	       : hold->while_connected ? "its command ends"
	                               : "taken away";
}

/* All that holds now, whoever asked for it; the answer to every change, too. */
static void hold_print(const Control__Reply *reply)
{
	const Control__HoldList *list = reply->holds;
	static const struct table_column columns[] = {{"MACHINE", false}, {"SERVICE", false},
	        {"SINCE", false}, {"UNTIL", false}, {"WHO", false}, {"ROLE", false},
	        {"REASON", false}};
	struct table *table;

	if (!list->n_holds) {
		puts("nothing is held");
		return;
	}
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < list->n_holds; i++) {
		const Control__Hold *hold = list->holds[i];
		char since[TEXT_SIZE], until[TEXT_SIZE];

		table_row(
		        table, (const char *const[]){*hold->machine ? hold->machine : "all",
		                       *hold->service ? hold->service : "all",
		                       text_time(hold->created_us, since), hold_until(hold, until),
		                       hold->identity, hold->role, hold->reason});
	}
	table_print(table);
}

/* Any of the three requests: each is answered with the list as it is then. */
static int hold_call(const struct options *options, Control__Request *request)
{
	if (options->all && *options->machine) {
		return ctl_fail(CTL_USAGE, "--all", NULL,
		        "--all is about all machines; leave --machine out, or --all");
	}
	return command_show(options, request, hold_print);
}

/* Nothing is changed from now on, until the time that is given, or until `unhold`. */
int cmd_hold(const struct options *options)
{
	Control__HoldRequest hold = CONTROL__HOLD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	if (options->until && policy_read_time("--until", options->until, &hold.until_us)) {
		return CTL_USAGE;
	}
	hold.machine = (char *)options->machine;
	hold.all = options->all;
	hold.services = options->args;
	hold.n_services = options->n_args;
	request.body_case = CONTROL__REQUEST__BODY_HOLD;
	request.hold = &hold;
	return hold_call(options, &request);
}

/* By the words of the hold, since people remember what they held and not its number. */
int cmd_unhold(const struct options *options)
{
	Control__UnholdRequest unhold = CONTROL__UNHOLD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	unhold.machine = (char *)options->machine;
	unhold.all = options->all;
	unhold.services = options->args;
	unhold.n_services = options->n_args;
	request.body_case = CONTROL__REQUEST__BODY_UNHOLD;
	request.unhold = &unhold;
	return hold_call(options, &request);
}

int cmd_holds(const struct options *options)
{
	Control__HoldListRequest list = CONTROL__HOLD_LIST_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	request.body_case = CONTROL__REQUEST__BODY_HOLD_LIST;
	request.hold_list = &list;
	return hold_call(options, &request);
}
