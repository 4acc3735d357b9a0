#pragma once
/*
 * How much a service may write to the log: LOG_RATE bytes a second, and up to LOG_BURST at once
 * after a pause. What is refused is counted until it can be told, and telling it costs the service
 * LOG_NOTE bytes: else lines of a byte each would have many times their bytes written about them.
 */
#include "osd/abi/types.h"

#define LOG_RATE 8192u
#define LOG_BURST 65536u
#define LOG_NOTE 64u

struct log_rate {
	uint32_t n_used;    /* of the burst, at `at` */
	uint32_t n_dropped; /* bytes refused since that was told last */
	nsec_t at;
};

/*
 * May so many bytes be written now, all that goes to the log for them included? Takes them, and
 * what it costs to tell of dropped ones, or counts them as dropped.
 */
bool log_rate_take(struct log_rate *rate, nsec_t now, uint32_t n);
/* What was dropped and not told yet; it counts as told. */
uint32_t log_rate_dropped(struct log_rate *rate);
