/*
 * Preparing on the host: which transaction is drained for, and who ends
 * that. No kernel is called.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include "osd/lib/sef/hook.h"
#include "osd/lib/sef/priv.h"

static uint64_t n_resumed;

static void resumed(uint64_t reason)
{
	assert(reason == SEF_RESUME_ROLLED_BACK);
	n_resumed++;
}

static const struct sef_callbacks callbacks = {.resumed = resumed};
const struct sef_callbacks *sef_callbacks = &callbacks;

/* What prepare.c asks only to tell RS, which this test never comes to. */
const struct start_info *sef_start(void)
{
	abort();
}

/* A cancel that comes late is of a transaction that is over. */
static void test_cancel(void)
{
	const struct sef_prepare first = {.transaction = 1, .state = QS_UNREACHABLE};
	const struct sef_prepare second = {.transaction = 2, .state = QS_UNREACHABLE};

	sef_prepare_cancel(0);
	assert(!sef_prepare_is_open() && n_resumed == 0);
	sef_prepare_begin(&first);
	sef_prepare_cancel(1);
	assert(!sef_prepare_is_open() && n_resumed == 1);
	sef_prepare_begin(&second);
	sef_prepare_cancel(1);
	sef_prepare_cancel(0);
	assert(sef_prepare_is_open() && n_resumed == 1);
	sef_prepare_point();
	assert(sef_prepare_is_open());
	sef_prepare_cancel(2);
	assert(!sef_prepare_is_open() && n_resumed == 2);
}

int main(void)
{
	test_cancel();
	return 0;
}
