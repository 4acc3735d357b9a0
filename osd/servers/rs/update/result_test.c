#undef NDEBUG
#include "osd/servers/rs/update/result.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/servers/rs/base/text.h"

static struct rs_result *make(uint64_t epoch, uint64_t number, enum rs_outcome outcome)
{
	struct trust_number n = {epoch, number};
	struct rs_result *result = result_open(n);

	assert(result->transaction == number && result->epoch == epoch && result->outcome == 0);
	result->outcome = outcome;
	assert(result_find(n) == result);
	return result;
}

static bool is_kept(uint64_t epoch, uint64_t number)
{
	return result_find((struct trust_number){epoch, number}) != NULL;
}

/* The last 64 are kept, whatever their numbers; a running one is never driven out. */
static void test_results(void)
{
	struct rs_result *running;

	assert(!is_kept(0, 0) && !is_kept(3, 0));
	running = make(3, 9, RS_OUTCOME_RUNNING);
	for (uint64_t n = 10; n < 10 + 2 * RS_N_RESULTS; n++) {
		(void)make(3, n, RS_OUTCOME_COMMITTED);
	}
	assert(result_find((struct trust_number){3, 9}) == running);
	assert(!is_kept(3, 10 + RS_N_RESULTS) && is_kept(3, 10 + RS_N_RESULTS + 1));
	running->outcome = RS_OUTCOME_COMMITTED;
	(void)make(4, 9, RS_OUTCOME_COMMITTED);
	assert(is_kept(4, 9));
}

/* RS's own drive no order's result out, and are not taken for one. */
static void test_own(void)
{
	(void)make(5, 1, RS_OUTCOME_COMMITTED);
	for (uint64_t n = 1; n <= 4 * RS_N_RESULTS; n++) {
		(void)make(0, n, RS_OUTCOME_PREPARED);
	}
	assert(result_find((struct trust_number){5, 1})->outcome == RS_OUTCOME_COMMITTED);
	assert(is_kept(0, 4 * RS_N_RESULTS) && !is_kept(0, 4 * RS_N_RESULTS - RESULT_N_OWN));
}

static void test_text(void)
{
	char bytes[12];
	struct text text = text_init(bytes, sizeof(bytes));

	text_add_decimal(&text, INT64_MIN);
	assert(strcmp(bytes, "-9223372036") == 0);
	text = text_init(bytes, sizeof(bytes));
	text_add_hex(&text, 0xdeadbeef);
	assert(strcmp(bytes, "0xdeadbeef") == 0);
	text = text_init(bytes, sizeof(bytes));
	text_add_field(&text, "abcdef", 3);
	text_add_decimal(&text, 0);
	assert(strcmp(bytes, "abc0") == 0 && text.len == 4);
	text_add(&text, "longer than the rest");
	assert(strcmp(bytes, "abc0longer ") == 0);
}

int main(void)
{
	test_results();
	test_own();
	test_text();
	return EXIT_SUCCESS;
}
