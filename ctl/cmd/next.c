/*
 * next: what policies do by themselves and jobs that wait for a time, those first whose time comes first.
 *
 * lud works it out, by the same functions that let it happen: what is shown here is what will be done unless
 * something befalls the machine before. Times are shown as everywhere; a dash is a time that nobody knows, as of
 * what waits for a machine to come back, for a person, or for its turn.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/next.h"

/* The reason stands behind the time that it is a reason for. */
void policies_print(const Control__Status *status)
{
	char time[TEXT_SIZE];

	for (size_t i = 0; i < status->n_policies; i++) {
		const Control__NextItem *item = status->policies[i];

		printf("policy %s: %s%s%s%s%s\n", item->policy, item->what,
		        item->start_us ? ", from " : "",
		        item->start_us ? text_time(item->start_us, time) : "",
		        *item->why ? "; " : "", item->why);
	}
}

/* What has no time comes last, in the order in which lud tells it. */
static void next_print(const Control__Reply *reply)
{
	const Control__NextList *list = reply->next;
	static const struct table_column columns[] = {{"MACHINE", false}, {"ACTION", false},
	        {"BY", false}, {"STARTS", false}, {"WHAT", false}, {"WHY NOT EARLIER", false}};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	if (!list->n_items) {
		table_print(table);
		puts("nothing happens by itself: no policy asks for it, and no job waits for a "
		     "time; `luctl status` shows what a machine does by a standing order");
		return;
	}
	for (size_t i = 0; i < list->n_items; i++) {
		const Control__NextItem *item = list->items[i];
		char starts[TEXT_SIZE];

		table_row(table, (const char *const[]){item->machine, item->action,
		                         *item->policy ? item->policy : "-",
		                         item->start_us ? text_time(item->start_us, starts) : "-",
		                         item->what, *item->why ? item->why : "-"});
	}
	table_print(table);
}

/* Of one machine by its name; without one of all, as many as --limit says. */
int cmd_next(const struct options *options)
{
	Control__NextRequest next = CONTROL__NEXT_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	next.machine = options->n_args ? options->args[0] : "";
	next.limit = (uint32_t)options->limit;
	request.body_case = CONTROL__REQUEST__BODY_NEXT;
	request.next = &next;
	return command_show(options, &request, next_print);
}
