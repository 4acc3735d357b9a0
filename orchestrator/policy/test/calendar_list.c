/*
 * Reads lines "UNIX COUNT EXPRESSION" and prints for each the next COUNT instants after UNIX (seconds,
 * cut off) at which the expression elapses in UTC, or "invalid". calendar_compare.py asks it and
 * systemd the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/policy/calendar.h"

static void list(const char *expression, int64_t after, int count)
{
	_cleanup_(calendar_freep) struct calendar *calendar = NULL;
	_cleanup_(zone_freep) struct zone *utc = NULL;
	struct calendar_fault fault;

	if (zone_open("UTC", &utc) != 0 || calendar_parse(expression, &calendar, &fault) != 0) {
		puts("invalid");
		return;
	}
	after *= 1000000;
	for (int i = 0; i < count && calendar_next(calendar, utc, after, &after); i++) {
		printf("%s%" PRId64, i ? " " : "", after / 1000000);
	}
	putchar('\n');
}

int main(void)
{
	char line[1024];
	int64_t after;
	int count, at;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		at = 0;
		if (sscanf(line, "%" SCNd64 " %d%n", &after, &count, &at) != 2 || line[at] != ' ') {
			return 1;
		}
		list(line + at + 1, after, count);
	}
	return 0;
}
