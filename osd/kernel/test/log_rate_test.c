/* How much a service may write to the log. */
#undef NDEBUG
#include <assert.h>

#include "osd/kernel/base/log_rate.h"

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

/* A line, and the note about those before it that were dropped; the bytes that are written. */
static uint64_t line(struct log_rate *rate, nsec_t now, uint32_t n, uint64_t *dropped)
{
	uint32_t told;

	if (!log_rate_take(rate, now, n)) {
		return 0;
	}
	told = log_rate_dropped(rate);
	*dropped += told;
	return n + (told > 0 ? LOG_NOTE : 0);
}

/* Lines of n bytes, ten thousand a second, for twenty seconds. */
static void flood(uint32_t n)
{
	struct log_rate rate = {0};
	uint64_t written = 0, dropped = 0, said = 0;

	for (nsec_t now = SEC; now < 21 * SEC; now += SEC / 10000) {
		uint64_t was = written;

		written += line(&rate, now, n, &dropped);
		said += written > was ? n : 0;
	}
	dropped += log_rate_dropped(&rate);
	assert(written <= LOG_BURST + 20 * LOG_RATE);
	assert(written > LOG_BURST + 20 * LOG_RATE - 400);
	assert(said + dropped == UINT64_C(200000) * n);
}

static void test_rate(void)
{
	flood(100);
	flood(5);
}

/* Looking often loses nothing of the rate to rounding. */
static void test_fractions(void)
{
	struct log_rate rate = {0};
	uint64_t n = 0, dropped = 0;

	assert(log_rate_take(&rate, SEC, LOG_BURST));
	for (nsec_t now = SEC; now < 3 * SEC; now += 10007) {
		n += line(&rate, now, 1, &dropped);
	}
	assert(n > 2 * LOG_RATE - LOG_NOTE - 3 && n <= 2 * LOG_RATE);
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

	assert(log_rate_take(&rate, SEC, LOG_BURST - LOG_NOTE));
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
