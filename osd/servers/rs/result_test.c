#undef NDEBUG
#include "osd/servers/rs/result.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/servers/rs/text.h"

static struct rs_result *accept(uint64_t id)
{
	struct rs_result *result = NULL;

	assert(result_open(id, &result) == E_OK);
	assert(result->transaction == id && result->outcome == 0);
	result->outcome = RS_OUTCOME_COMMITTED;
	return result_accept(result);
}

/* Accepted ids are found, ids that do not rise are unknown for good, the last 64 are kept. */
static void test_results(void)
{
	struct rs_result *result = NULL;

	assert(result_find(0) == NULL);
	assert(result_open(0, &result) == E_NOTFOUND && result == NULL);
	for (uint64_t id = 10; id < 10 + 2 * RS_N_RESULTS; id++) {
		result = accept(id);
		assert(result_find(id) == result && result_find_accepted(id) == result);
		assert(result_open(id, &result) == E_NOTFOUND);
		assert(result_open(id - 1, &result) == E_NOTFOUND);
	}
	assert(result_find(10 + RS_N_RESULTS - 1) == NULL);
	assert(result_find(10 + RS_N_RESULTS)->outcome == RS_OUTCOME_COMMITTED);
	(void)accept(1000);
	assert(result_find(10 + RS_N_RESULTS) == NULL);
	assert(result_open(999, &result) == E_NOTFOUND && result_find(999) == NULL);
}

/* Refused ones use no ids up, drive no accepted result out, and may be tried again. */
static void test_refused(void)
{
	struct rs_result *accepted = accept(2000);
	struct rs_result *result = NULL;

	for (uint64_t id = UINT64_MAX; id > UINT64_MAX - 4 * RS_N_RESULTS; id--) {
		assert(result_open(id, &result) == E_OK);
		result->outcome = RS_OUTCOME_REFUSED;
		assert(result_find(id) == result && result_find_accepted(id) == NULL);
	}
	assert(result_find(2000) == accepted);
	assert(result_find(UINT64_MAX) == NULL);
	assert(result_open(result->transaction, &result) == E_OK && result->outcome == 0);
	(void)accept(2001);
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
	test_refused();
	test_text();
	return EXIT_SUCCESS;
}
