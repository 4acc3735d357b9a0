/*
 * For lusign_test only: the file named by LUSIGN_TEST_CLOCK, when there is one,
 * holds the unix time in seconds (decimal), read anew for every request. An
 * offset is written with a sign: "-3600" is an hour ago.
 */
#include "keyring/signer/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t signer_clock_now(void)
{
	const char *path = getenv("LUSIGN_TEST_CLOCK");
	FILE *f = path != NULL ? fopen(path, "re") : NULL;
	uint64_t now = (uint64_t)time(NULL);
	char text[32] = "";

	if (f == NULL) {
		return now;
	}
	if (fgets(text, sizeof(text), f) != NULL) {
		long long value = strtoll(text, NULL, 10);

		now = text[0] == '+' || text[0] == '-' ? now + (uint64_t)value : (uint64_t)value;
	}
	(void)fclose(f);
	return now;
}
