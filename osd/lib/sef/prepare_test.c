/*
 * Preparing on the host: which transaction is drained for, who ends that, and that RS is told
 * when it cannot be. The kernel only counts calls.
 */
#undef NDEBUG
#include <assert.h>

#include "osd/lib/sef/hook.h"
#include "osd/lib/sef/priv.h"
#include "osd/lib/sys/sys.h"

static uint64_t n_resumed;

static void resumed(uint64_t reason)
{
	assert(reason == SEF_RESUME_ROLLED_BACK);
	n_resumed++;
}

static uint64_t n_calls __attribute__((used));
static err_t prepare_err;

__attribute__((naked)) static void gate(void)
{
	__asm__("incq n_calls(%rip)\n	xor %eax, %eax\n	ret");
}

static err_t prepare(uint32_t state)
{
	return prepare_err;
}

static const struct sef_callbacks callbacks = {.resumed = resumed, .prepare = prepare};
const struct sef_callbacks *sef_callbacks = &callbacks;

const struct start_info *sef_start(void)
{
	static const struct start_info start = {.supervisor = 1};

	return &start;
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

/* A service that does not want to, or that knows no such state, says so at once. */
static void test_refuse(void)
{
	const struct sef_prepare good = {.transaction = 3, .state = QS_UNREACHABLE};
	const struct sef_prepare none = {.transaction = 0, .state = QS_UNREACHABLE};
	const struct sef_prepare unknown = {.transaction = 3, .state = QS_CUSTOM};

	n_calls = 0;
	prepare_err = E_BUSY;
	sef_prepare_begin(&good);
	assert(!sef_prepare_is_open() && n_calls == 1);
	prepare_err = E_OK;
	sef_prepare_begin(&none);
	assert(!sef_prepare_is_open() && n_calls == 2);
	sef_prepare_begin(&unknown);
	assert(!sef_prepare_is_open() && n_calls == 3);
	sef_prepare_begin(&good);
	assert(sef_prepare_is_open() && n_calls == 3);
	sef_prepare_cancel(3);
}

int main(void)
{
	sys_gate = (vaddr_t)gate;
	test_cancel();
	test_refuse();
	return 0;
}
