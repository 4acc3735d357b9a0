/*
 * Releases that lud has: add, list. A kit is added by its path, which
 * lud's worker reads; it is made absolute here, since lud runs in another directory. Making
 * one is in release_new.c, signing in sign.c, one of them in release_one.c.
 */
#include "ctl/cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/client/pages.h"

/* One release as a row. A kit that is not known to come from anywhere has `-`. */
static void release_list_row(struct table *table, const Control__Release *release)
{
	char counter[TEXT_SIZE], id[TEXT_SIZE], floor[TEXT_SIZE], added[TEXT_SIZE];

	snprintf(counter, TEXT_SIZE, "%u", release->counter);
	snprintf(floor, TEXT_SIZE, "%u", release->floor);
	table_row(table,
	        (const char *const[]){release->service, counter, text_id(&release->release_id, id),
	                floor, release->key_id, text_seconds(release->added, added),
	                *release->source ? release->source : "-",
	                release->blocked ? release->blocked_why : "-",
	                *release->path ? release->path : "removed"});
}

/*
 * Register one kit, by a request of its own, so that errors name it. lud reads the kit and judges
 * it by its own root; nothing of it is looked at here. The first release of the answer is the one
 * that was added: reply.c has seen to it that the list is not empty.
 */
static int release_add_one(const struct options *options, const char *kit)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(ctl_freep) char *path = realpath(kit, NULL);
	Control__ReleaseAddRequest add = CONTROL__RELEASE_ADD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	char id[TEXT_SIZE];
	int code;

	if (!path) {
		return ctl_fail(CTL_NOT_FOUND, kit, "check the path", "%s", strerror(errno));
	}
	add.kit = path;
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_ADD;
	request.release_add = &add;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		const Control__Release *release = reply->releases->releases[0];

		printf("%s: release %u (%s) is registered\n", release->service, release->counter,
		        text_id(&release->release_id, id));
	}
	return code;
}

/*
 * Kits are registered one after the other. The first that is rejected ends the command; those
 * before it stay registered, and were printed.
 */
int cmd_release_add(const struct options *options)
{
	int code = CTL_OK;

	for (int i = 0; code == CTL_OK && i < options->n_args; i++) {
		char request_id[COMMAND_ID_SIZE];
		struct options one = command_one_of(options, i + 1, options->n_args, request_id);

		code = release_add_one(&one, options->args[i]);
	}
	return code;
}

/* The list as far as it has come, and the request for its next page. */
struct release_list {
	Control__ReleaseListRequest ask;
	struct table *table;
};

/* Rows as they come; the cursor is lud\'s, and says where the next page begins. */
static size_t release_list_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__ReleaseList *releases = reply->releases;
	struct release_list *list = arg;

	for (size_t i = 0; print && i < releases->n_releases; i++) {
		release_list_row(list->table, releases->releases[i]);
	}
	if (releases->next) {
		snprintf(cursor, PAGES_CURSOR_SIZE, "%" PRIu64, releases->next);
	}
	return releases->n_releases;
}

/*
 * All releases, or those of one service. Answered from the record: no machine is asked. FLOOR is the
 * lowest release that may run after this one; a blocked release is not chosen by itself, and the
 * column says why it was blocked.
 */
int cmd_release_list(const struct options *options)
{
	static const struct table_column columns[] = {
	        {"SERVICE", false},
	        {"RELEASE", true},
	        {"ID", false},
	        {"FLOOR", true},
	        {"KEY", false},
	        {"ADDED", false},
	        {"SOURCE", false},
	        {"BLOCKED", false},
	        {"KIT", false},
	};
	struct release_list list = {.ask = CONTROL__RELEASE_LIST_REQUEST__INIT};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list.ask.limit,
	        .list = "releases",
	        .whole = true,
	        .page = release_list_page,
	        .at = &list.ask.after,
	        .arg = &list,
	};
	struct pages_table words = {.command = "release list",
	        .option = "--after",
	        .none = "no release",
	        .is = "is registered"};
	char cursor[PAGES_CURSOR_SIZE];

	if (*options->after && text_number(options->after, &list.ask.after) < 0) {
		return ctl_fail(CTL_USAGE, "--after",
		        "give what stands behind --after where a list ended", "`%s` is no number",
		        options->after);
	}
	list.ask.service = options->n_args ? options->args[0] : "";
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_LIST;
	request.release_list = &list.ask;
	words.table = list.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	return pages_show(options, &pages, &words, cursor);
}
