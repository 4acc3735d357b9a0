#pragma once
/* How fast the TSC and the local timer run: see calibrate.c. */
#include <stdbool.h>
#include <stdint.h>

struct calibrate_rates {
	uint64_t tsc_khz, timer_khz; /* neither is 0 */
};

/* Leaves the timer unarmed. False, and *rates unchanged: no measurement of a second and more succeeded. */
bool calibrate(struct calibrate_rates *rates);
