/*
 * A page is a request of its own, by a connection of its own as any request. What the person wants
 * is the number of rows: how many pages that takes is nobody's business but ours and lud's. A lud
 * that gives no rows, or the same cursor again, has nothing more to say.
 */
#include "ctl/client/pages.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"

/* What has the rows: the answer, or the one row of a list in it. */
static json_t *pages_owner(const struct pages *pages, json_t *answer)
{
	return pages->of ? json_array_get(json_object_get(answer, pages->of), 0) : answer;
}

/* Rows join those of the pages before; whatever stands beside them is as in the last page. */
static void pages_join(const struct pages *pages, json_t **all, json_t *page)
{
	json_t *owner = pages_owner(pages, page);
	json_t *rows =
	        *all ? json_incref(json_object_get(pages_owner(pages, *all), pages->list)) : NULL;

	if (rows) {
		json_array_extend(rows, json_object_get(owner, pages->list));
		json_object_set_new(owner, pages->list, rows);
	}
	json_decref(*all);
	*all = page;
}

/* Into the request; behind the last page nobody asks again. */
static void pages_seek(const struct pages *pages, const char *cursor)
{
	if (pages->at) {
		*pages->at = strtoull(cursor, NULL, 10);
	} else {
		snprintf(pages->at_text, PAGES_CURSOR_SIZE, "%s", cursor);
	}
}

/* All pages that are wanted; *ret_n: their rows. */
static int pages_ask(
        const struct options *options, const struct pages *pages, char *ret_cursor, size_t *ret_n)
{
	uint64_t left = options->limit ? options->limit : UINT64_MAX;
	bool on = options->limit || pages->whole;
	char cursor[PAGES_CURSOR_SIZE] = "", last[PAGES_CURSOR_SIZE];
	json_t *all = NULL;
	size_t n;
	int code;

	do {
		_cleanup_(client_closep) struct client *client = NULL;
		const Control__Reply *reply;

		strcpy(last, cursor);
		*cursor = '\0';
		*pages->limit = left < UINT32_MAX ? (uint32_t)left : 0;
		code = command_ask(options, pages->request, NULL, NULL, &client, &reply);
		if (code != CTL_OK) {
			json_decref(all);
			return code;
		}
		n = pages->page(reply, !options->json, pages->arg, cursor);
		left -= n < left ? n : left;
		if (options->json) {
			pages_join(pages, &all, command_json(reply));
		}
		pages_seek(pages, cursor);
		*ret_n += n;
	} while (on && left && n && *cursor && strcmp(cursor, last) != 0);
	if (options->json) {
		answer_add(all);
	}
	snprintf(ret_cursor, PAGES_CURSOR_SIZE, "%s", cursor);
	return CTL_OK;
}

int pages_call(const struct options *options, const struct pages *pages, char *ret_cursor)
{
	size_t n = 0;

	return pages_ask(options, pages, ret_cursor, &n);
}

/* A list without rows is told, so that nobody takes it for an answer that was lost. */
static void pages_none(const struct options *options, const struct pages_table *words)
{
	if (options->before || *options->after) {
		puts("nothing stands behind this cursor");
	} else {
		printf("%s%s%s %s\n", words->none, options->n_args ? " of " : "",
		        options->n_args ? options->args[0] : "", words->is);
	}
}

int pages_show(const struct options *options, const struct pages *pages,
        const struct pages_table *words, char *ret_cursor)
{
	size_t n = 0;
	int code = pages_ask(options, pages, ret_cursor, &n);

	if (code != CTL_OK || options->json || !n) {
		table_free(words->table);
	} else {
		table_print(words->table);
		pages_more(options, words->command, words->option, ret_cursor);
	}
	if (code == CTL_OK && !options->json && !n) {
		pages_none(options, words);
	}
	return code;
}

void pages_more(
        const struct options *options, const char *command, const char *option, const char *cursor)
{
	if (*cursor) {
		printf("more: luctl %s%s%s%s%s %s %s\n", command, options->n_args ? " " : "",
		        options->n_args ? options->args[0] : "", *options->machine ? " -m " : "",
		        options->machine, option, cursor);
	}
}

void pages_removed(const char *cursor, uint64_t removed, int64_t removed_us)
{
	char when[TEXT_SIZE];

	if (!*cursor && removed) {
		printf("older: %" PRIu64 " more were removed by retention, the last at %s\n",
		        removed, text_time(removed_us, when));
	}
}
