#undef NDEBUG
/* Both ends of one block of memory that was used for something else before. */
#include "proto/state/report/report.h"

#include <assert.h>
#include <string.h>

#define SIZE 256

static _Alignas(16) uint8_t block[SIZE + 1]; /* the last byte is not the scratch memory's */
static struct state_result result;
static struct state_report r = {.result = &result};
static uint64_t n_failed;

enum state_code state_fail(
        struct state_report *report, enum state_code code, const char *what, uint64_t value)
{
	assert(code == STATE_E_SCRATCH && value > 0);
	n_failed++;
	return code;
}

static void begin(void)
{
	memset(block, 0xa5, sizeof(block));
	r.scratch = (struct state_scratch){.base = block, .low = 0, .high = SIZE};
	result.scratch_used = 0;
	n_failed = 0;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* What was stacked is popped, and kept memory may come to lie there: each starts as zeros. */
static void test_zeroed(void)
{
	uint8_t *kept, *stacked;

	begin();
	kept = state_keep(&r, 20);
	assert(kept == block && is_zero(kept, 20) && r.scratch.low == 32);
	stacked = state_stack(&r, 20);
	assert(stacked == block + SIZE - 32 && is_zero(stacked, 20));
	memset(stacked, 0xa5, 20);
	r.scratch.high = SIZE;
	stacked = state_stack(&r, 20);
	assert(is_zero(stacked, 20));
	memset(stacked, 0xa5, 20);
	r.scratch.high = SIZE;
	kept = state_keep(&r, SIZE - 32);
	assert(kept == block + 32 && is_zero(kept, SIZE - 32));
	assert(block[SIZE] == 0xa5 && n_failed == 0);
}

/* They meet and do not overlap; what does not fit changes nothing. */
static void test_full(void)
{
	begin();
	assert(state_keep(&r, SIZE / 2) != NULL && state_stack(&r, SIZE / 2 - 15) != NULL);
	assert(r.scratch.low == SIZE / 2 && r.scratch.high == SIZE / 2);
	assert(state_keep(&r, 1) == NULL && state_stack(&r, 1) == NULL && n_failed == 2);
	assert(r.scratch.low == SIZE / 2 && r.scratch.high == SIZE / 2);
	assert(result.scratch_used == SIZE / 2);
}

/* A size that would wrap when it is rounded up. */
static void test_wrap(void)
{
	begin();
	assert(state_keep(&r, UINT64_MAX) == NULL && state_stack(&r, UINT64_MAX - 14) == NULL);
	assert(state_keep(&r, UINT64_MAX - 15) == NULL && state_stack(&r, UINT64_MAX - 15) == NULL);
	assert(r.scratch.low == 0 && r.scratch.high == SIZE && result.scratch_used == 0);
}

int main(void)
{
	test_zeroed();
	test_full();
	test_wrap();
	return 0;
}
