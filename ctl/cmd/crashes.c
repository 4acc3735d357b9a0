/*
 * crashes: what befell services by itself. The record has it whether somebody watched or not, and whether the machine is
 * there or not; what became of each stands beside it.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/pages.h"

/* The list as far as it has come, and the request for its next page. */
struct crashes_list {
	Control__CrashListRequest ask;
	struct table *table;
	size_t n;
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
	list->n += crashes->n_crashes;
	if (crashes->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, crashes->next);
	}
	return crashes->n_crashes;
}

/* Puts it into the request; behind the last page nobody asks again. */
static void crashes_seek(const char *cursor, void *arg)
{
	struct crashes_list *list = arg;

	list->ask.before = strtoull(cursor, NULL, 10);
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
	        .seek = crashes_seek,
	        .arg = &list,
	};
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	list.ask.machine = (char *)options->machine;
	list.ask.service = options->n_args ? options->args[0] : "";
	list.ask.before = options->before;
	request.body_case = CONTROL__REQUEST__BODY_CRASH_LIST;
	request.crash_list = &list.ask;
	/* One table for all pages: columns are as wide as the widest of them needs. */
	list.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	code = pages_call(options, &pages, cursor);
	if (code == CTL_OK && !options->json && list.n) {
		table_print(list.table);
		pages_more(options, "crashes", "--before", cursor);
	} else {
		table_free(list.table);
	}
	if (code == CTL_OK && !options->json && !list.n) {
		printf("no crash is recorded%s%s\n", options->n_args ? " of " : "",
		        options->n_args ? options->args[0] : "");
	}
	return code;
}
