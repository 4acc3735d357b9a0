/*
 * How long something took or may take is never told by the time of day: who waits longest, or
 * for how long still, must not change when somebody sets the clock.
 */
#include "host/base/elapsed.h"

#include <time.h>

int64_t elapsed_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}
