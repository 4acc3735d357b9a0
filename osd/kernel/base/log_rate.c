/* A leaking bucket for each service; see log_rate.h. */
#include "osd/kernel/base/log_rate.h"

#define NSEC_SEC 1000000000ull

/*
 * Bytes leak out of the bucket as time passes; the part of a byte that is
 * left over is kept in `at`.
 */
static void log_rate_leak(struct log_rate *rate, nsec_t now)
{
	nsec_t passed = now - rate->at;
	uint64_t n;

	if (rate->n_used == 0 || passed >= LOG_BURST * NSEC_SEC / LOG_RATE) {
		rate->n_used = 0;
		rate->at = now;
		return;
	}
	n = passed * LOG_RATE / NSEC_SEC;
	rate->n_used = n < rate->n_used ? rate->n_used - (uint32_t)n : 0;
	rate->at += n * NSEC_SEC / LOG_RATE;
}

bool log_rate_take(struct log_rate *rate, nsec_t now, uint32_t n)
{
	uint32_t note = rate->n_dropped > 0 ? LOG_NOTE : 0;

	log_rate_leak(rate, now);
	if (rate->n_used + n + note > LOG_BURST) {
		rate->n_dropped =
		        rate->n_dropped > UINT32_MAX - n ? UINT32_MAX : rate->n_dropped + n;
		return false;
	}
	rate->n_used += n + note;
	return true;
}

uint32_t log_rate_dropped(struct log_rate *rate)
{
	uint32_t n = rate->n_dropped;

	rate->n_dropped = 0;
	return n;
}
