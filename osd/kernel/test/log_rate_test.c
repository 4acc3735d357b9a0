/* How much a service may write to the log. */
#undef NDEBUG
#include <assert.h>

#include "osd/kernel/log_rate.h"

#define SEC 1000000000ull

static void test_burst(void)
{
	struct log_rate rate = {0};

	assert(log_rate_take(&rate, 5 * SEC, LOG_BURST));
	assert(!log_rate_take(&rate, 5 * SEC, 1));
	assert(!log_rate_take(&rate, 5 * SEC, 9));
	assert(log_rate_dropped(&rate) == 10);
	assert(log_rate_dropped(&rate) == 0);
}

static void test_rate(void)
{
	struct log_rate rate = {0};
	uint64_t n = 0;

	/* Lines of 100 bytes, ten thousand a second, for twenty seconds. */
	for (nsec_t now = SEC; now < 21 * SEC; now += SEC / 10000) {
		n += log_rate_take(&rate, now, 100) ? 100 : 0;
	}
	assert(n <= LOG_BURST + 20 * LOG_RATE);
	assert(n > LOG_BURST + 20 * LOG_RATE - 200);
	assert(n + log_rate_dropped(&rate) == 20ull * 10000 * 100);
}

/* Looking often loses nothing of the rate to rounding. */
static void test_fractions(void)
{
	struct log_rate rate = {0};
	uint64_t n = 0;

	assert(log_rate_take(&rate, SEC, LOG_BURST));
	for (nsec_t now = SEC; now < 3 * SEC; now += 10007) {
		n += log_rate_take(&rate, now, 1);
	}
	assert(n > 2 * LOG_RATE - 3 && n <= 2 * LOG_RATE);
}

static void test_pause(void)
{
	struct log_rate rate = {0};

	assert(log_rate_take(&rate, SEC, LOG_BURST));
	assert(log_rate_take(&rate, 100 * SEC, LOG_BURST));
	assert(!log_rate_take(&rate, 100 * SEC, 1));
}

static void test_many_dropped(void)
{
	struct log_rate rate = {.n_dropped = UINT32_MAX - 1};

	assert(log_rate_take(&rate, SEC, LOG_BURST));
	assert(!log_rate_take(&rate, SEC, 100));
	assert(log_rate_dropped(&rate) == UINT32_MAX);
}

int main(void)
{
	test_burst();
	test_rate();
	test_fractions();
	test_pause();
	test_many_dropped();
	return 0;
}
