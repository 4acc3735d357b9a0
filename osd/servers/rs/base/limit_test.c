/* Limits of a machine that stood still. */
#undef NDEBUG
#include "osd/servers/rs/base/limit.h"

#include <assert.h>

#define MSEC UINT64_C(1000000)
#define SEC (1000 * MSEC)

static void test_alarm(void)
{
	assert(limit_alarm(SEC, LIMIT_NEVER) == LIMIT_NEVER);
	assert(limit_alarm(SEC, SEC + MSEC) == SEC + MSEC);
	assert(limit_alarm(SEC, SEC - MSEC) == SEC - MSEC);
	assert(limit_alarm(SEC, 3600 * SEC) == SEC + LIMIT_LOOK);
}

static void test_stopped(void)
{
	static const struct {
		nsec_t seen, alarm, now, by;
	} cases[] = {
	        {10 * SEC, 10 * SEC + 500 * MSEC, 10 * SEC + 500 * MSEC, 0}, /* on time */
	        {10 * SEC, 10 * SEC + 500 * MSEC, 10 * SEC + 10 * MSEC, 0},  /* woken before */
	        {10 * SEC, 10 * SEC + 500 * MSEC, 11 * SEC + 500 * MSEC, 0}, /* a busy host */
	        {10 * SEC, 10 * SEC + 500 * MSEC, 11 * SEC + 501 * MSEC, SEC + 501 * MSEC},
	        {10 * SEC, 10 * SEC + 500 * MSEC, 40 * SEC, 30 * SEC},
	        {10 * SEC, 9 * SEC, 40 * SEC, 30 * SEC}, /* an alarm that was due when it was set */
	        {10 * SEC, LIMIT_NEVER, 40 * SEC, 0},    /* no limit ran */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert(limit_stopped(cases[i].seen, cases[i].alarm, cases[i].now) == cases[i].by);
	}
}

/* What was left of a limit when RS looked last is left of it when it looks again. */
static void test_what_is_left(void)
{
	nsec_t seen = 10 * SEC, limit = 12 * SEC, now = 47 * SEC;
	nsec_t by = limit_stopped(seen, limit_alarm(seen, limit), now);

	assert(limit_extend(limit, by) - now == limit - seen);
}

static void test_extend(void)
{
	assert(limit_extend(SEC, 2 * SEC) == 3 * SEC);
	assert(limit_extend(SEC, 0) == SEC);
	assert(limit_extend(LIMIT_NEVER, SEC) == LIMIT_NEVER);
	assert(limit_extend(LIMIT_NEVER - 1, SEC) == LIMIT_NEVER);
}

int main(void)
{
	test_alarm();
	test_stopped();
	test_what_is_left();
	test_extend();
	return 0;
}
