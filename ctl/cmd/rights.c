/*
 * Rights for whoever signs, makes or compares releases: the lines of host/kit/show.h, always in the
 * same words.
 */
#include "ctl/cmd/rights.h"

#include <stdio.h>
#include <string.h>

void rights_of(const struct kit_manifest *now, const struct kit_manifest *earlier,
        struct rights *ret_rights)
{
	static struct kit_lines before;

	kit_lines_of(now, &ret_rights->lines);
	kit_lines_of(earlier ? earlier : now, &before);
	kit_lines_without(&ret_rights->lines, &before, &ret_rights->added);
	kit_lines_without(&before, &ret_rights->lines, &ret_rights->removed);
}

/* A line of kit_lines is a kind, a space and a value, and lines of one kind follow each other. */
void rights_print(const struct rights *rights)
{
	const struct kit_lines *lines = &rights->lines;
	const char *kind = "";
	size_t kind_len = 0;

	for (size_t i = 0; i < lines->n; i++) {
		size_t len = strcspn(lines->line[i], " ");

		if (len != kind_len || strncmp(lines->line[i], kind, len) != 0) {
			printf("%s    %-13.*s", i ? "\n" : "", (int)len, lines->line[i]);
		}
		printf(" %s", lines->line[i] + len + 1);
		kind = lines->line[i];
		kind_len = len;
	}
	if (lines->n) {
		putchar('\n');
	}
}

void rights_print_changes(const struct rights *rights)
{
	for (size_t i = 0; i < rights->added.n; i++) {
		printf("    + %s\n", rights->added.line[i]);
	}
	for (size_t i = 0; i < rights->removed.n; i++) {
		printf("    - %s\n", rights->removed.line[i]);
	}
}

json_t *rights_json(const struct kit_lines *lines)
{
	json_t *array = json_array();

	for (size_t i = 0; i < lines->n; i++) {
		json_array_append_new(array, json_string(lines->line[i]));
	}
	return array;
}
