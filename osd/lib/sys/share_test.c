/* Shares of time: how much work gets through, and how soon after a flood. */
#undef NDEBUG
#include "osd/lib/sys/share.h"

#include <assert.h>

#define MSEC UINT64_C(1000000)
#define SEC (1000 * MSEC)

static const struct share_limit quarter = {.parts = 4, .burst = 500 * MSEC};

/* Work pieces for so long, as fast as they are let in; returns the time spent working. */
static nsec_t flood(struct share *share, nsec_t *now, nsec_t piece, nsec_t duration)
{
	nsec_t end = *now + duration, worked = 0;

	while (*now < end) {
		nsec_t begun = *now;

		if (share_wait(share, &quarter, begun) > 0) {
			*now += MSEC / 10; /* refused at once */
			continue;
		}
		*now += piece;
		share_charge(share, &quarter, begun, *now);
		worked += piece;
	}
	return worked;
}

static void test_rate(void)
{
	struct share share = {0};
	nsec_t now = 100 * SEC, first = flood(&share, &now, 2 * MSEC, 10 * SEC);
	nsec_t later = flood(&share, &now, 2 * MSEC, 10 * SEC);

	assert(first >= 2900 * MSEC && first <= 3100 * MSEC); /* the burst, and a quarter */
	assert(later >= 2400 * MSEC && later <= 2600 * MSEC);
}

static void test_wait(void)
{
	struct share share = {0};
	nsec_t now = SEC, wait;

	assert(share_wait(&share, &quarter, now) == 0);
	(void)flood(&share, &now, 2 * MSEC, 5 * SEC);
	share_charge(&share, &quarter, now, now + 10 * MSEC);
	now += 10 * MSEC;
	wait = share_wait(&share, &quarter, now);
	assert(wait > 0 && wait <= 50 * MSEC);
	assert(share_wait(&share, &quarter, now + wait - 1) == 1);
	assert(share_wait(&share, &quarter, now + wait) == 0);
}

/* A pause gives back the burst, and no more. */
static void test_pause(void)
{
	struct share share = {0};
	nsec_t now = SEC;

	(void)flood(&share, &now, MSEC, 5 * SEC);
	now += 3600 * SEC;
	assert(flood(&share, &now, MSEC, SEC) <= 760 * MSEC);
}

/* A machine that stood still owes nothing for that. */
static void test_stop(void)
{
	struct share share = {0};

	share_charge(&share, &quarter, SEC, 3600 * SEC);
	assert(share_wait(&share, &quarter, 3600 * SEC) == 0);
	share_charge(&share, &quarter, 3600 * SEC, 7200 * SEC);
	assert(share_wait(&share, &quarter, 3600 * SEC + SHARE_MOST) == 0);
}

int main(void)
{
	test_rate();
	test_wait();
	test_pause();
	test_stop();
	return 0;
}
