#pragma once
/*
 * Lists that come in pages: asks for one after the other, as many as the person wants, and prints
 * them as one answer where JSON is wanted.
 */
#include "ctl/client/client.h"
#include "ctl/cmdline/cmdline.h"

#define PAGES_CURSOR_SIZE 80

struct pages {
	Control__Request *request;
	uint32_t *limit; /* of the request: rows of a page */
	const char *
	        of; /* a field of the answer with one row that has the list; NULL: the answer itself has it */
	const char *list; /* the field that has the rows */
	bool whole;       /* without --limit all pages are wanted; else the first */
	/* Where the next page begins, in the request: one of both is set, by what its cursor is. */
	uint64_t *at;
	char *at_text; /* PAGES_CURSOR_SIZE bytes */
	/*
	 * Takes a page's rows: how many they are, and *cursor where the next one begins; "" behind
	 * the last. `print` is false where JSON is wanted.
	 */
	size_t (*page)(const Control__Reply *reply, bool print, void *arg, char *cursor);
	void *arg;
};

/* How a list is told that is one table. */
struct pages_table {
	const char *command, *option; /* by which the rest is seen */
	const char *none, *is;        /* what is said of no rows, with `of SERVICE` between */
	struct table *table; /* of all pages: columns are as wide as the widest of them needs */
};

/*
 * CTL_OK: all that was wanted came; ret_cursor has where it ended, PAGES_CURSOR_SIZE bytes. Else as
 * command_call().
 */
int pages_call(const struct options *options, const struct pages *pages, char *ret_cursor);
/* The same, and prints the table, or that it has no rows, and how to see the rest. Takes words->table over. */
int pages_show(const struct options *options, const struct pages *pages,
        const struct pages_table *words, char *ret_cursor);
/* How to see the rest, where there is a rest: the words of the command, and the option to go on by. */
void pages_more(
        const struct options *options, const char *command, const char *option, const char *cursor);
/* Behind the last page: that `removed` rows were there and are kept no more, since when. */
void pages_removed(const char *cursor, uint64_t removed, int64_t removed_us);
