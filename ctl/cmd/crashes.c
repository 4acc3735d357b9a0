/*
 * crashes: what befell services by itself. The record has it whether somebody watched or not, and whether the machine is
 * there or not; what became of each stands beside it.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/pages.h"

/* The list as far as it has come, and the request for its next page. */
struct crashes_list {
	Control__CrashListRequest ask;
	struct table *table;
};

/* GEN is what lud knew it to run; AFTER is how long it was gone, as the machine's clock says. */
static void crashes_row(struct table *table, const Control__Crash *crash)
{
	char when[TEXT_SIZE], generation[TEXT_SIZE] = "-", back[TEXT_SIZE] = "not known";

	if (crash->generation) {
		text_generation(crash->generation, crash->made, generation);
	}
	if (crash->back_ns) {
		text_nsec(crash->back_ns, back);
	}
	table_row(table,
	        (const char *const[]){text_time(crash->at_us, when), crash->service, generation,
	                crash->gave_up ? "stays down" : "crashed", crash->gave_up ? "-" : back,
	                *crash->message ? crash->message : crash->code});
}

/* Rows as they come; the cursor is lud's, and says where the next page begins. */
static size_t crashes_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__CrashList *crashes = reply->crashes;
	struct crashes_list *list = arg;

	for (size_t i = 0; print && i < crashes->n_crashes; i++) {
		crashes_row(list->table, crashes->crashes[i]);
	}
	if (crashes->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, crashes->next);
	}
	return crashes->n_crashes;
}

/* Newest first, of one service or of all. */
int cmd_crashes(const struct options *options)
{
	static const struct table_column columns[] = {
	        {"TIME", false},
	        {"SERVICE", false},
	        {"GEN", true},
	        {"WHAT", false},
	        {"BACK AFTER", true},
	        {"CAUSE", false},
	};
	struct crashes_list list = {.ask = CONTROL__CRASH_LIST_REQUEST__INIT};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list.ask.limit,
	        .list = "crashes",
	        .page = crashes_page,
	        .at = &list.ask.before,
	        .arg = &list,
	};
	struct pages_table words = {.command = "crashes",
	        .option = "--before",
	        .none = "no crash",
	        .is = "is recorded"};
	char cursor[PAGES_CURSOR_SIZE];

	list.ask.machine = (char *)options->machine;
	list.ask.service = options->n_args ? options->args[0] : "";
	list.ask.before = options->before;
	request.body_case = CONTROL__REQUEST__BODY_CRASH_LIST;
	request.crash_list = &list.ask;
	words.table = list.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	return pages_show(options, &pages, &words, cursor);
}
