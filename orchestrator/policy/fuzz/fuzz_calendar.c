/*
 * Calendar expressions, any text. What is refused has a place within the text and a cause. What is
 * accepted goes on: instants rise, each is one at which the expression elapses (the search from just
 * before it finds it again), and none is left out between two (from the middle the same one is found).
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/policy/calendar.h"

#define TEXT_MAX 600

static void check(bool ok)
{
	if (!ok) {
		abort();
	}
}

static void check_instants(const struct calendar *calendar, const struct zone *zone, int64_t after)
{
	int64_t next, again;

	for (int i = 0; i < 4 && calendar_next(calendar, zone, after, &next); i++) {
		check(next > after);
		check(calendar_next(calendar, zone, next - 1, &again) && again == next);
		check(calendar_next(calendar, zone, after + (next - after) / 2, &again));
		check(again == next || after + (next - after) / 2 == next);
		after = next;
	}
}

/* The first two bytes are the instant from which instants are looked for, in steps of ten hours. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(calendar_freep) struct calendar *calendar = NULL;
	static struct zone *zones[2];
	struct calendar_fault fault = {SIZE_MAX, NULL};
	char text[TEXT_MAX];

	if (!zones[0]) {
		check(zone_open("UTC", &zones[0]) == 0 &&
		        zone_open("Europe/Berlin", &zones[1]) == 0);
	}
	if (size < 2 || size >= sizeof(text)) {
		return 0;
	}
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	if (calendar_parse(text, &calendar, &fault) != 0) {
		check(fault.at <= strlen(text) && fault.cause);
		return 0;
	}
	for (int i = 0; i < 2; i++) {
		check_instants(
		        calendar, zones[i], (data[0] + 256 * data[1]) * INT64_C(36000000000));
	}
	return 0;
}
