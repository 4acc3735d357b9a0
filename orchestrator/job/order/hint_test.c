/*
 * The table of errors is whole: every row has a sentence and a remedy, names and values are there
 * once, and what was signed and is not accepted is REFUSED for programs. hint_of() finds each row.
 */
#undef NDEBUG
#include "orchestrator/job/order/hint.h"

#include <assert.h>
#include <string.h>

static const struct error_row {
	const char *name;
	int value;
	const char *class;
	const char *by;
	const char *sentence;
	const char *remedy;
} rows[] = {
#define ERR(name, value, class, by, sentence, remedy) {#name, value, #class, by, sentence, remedy},
#include "proto/words/errors.def"
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void test_row(const struct error_row *row)
{
	assert(row->value < 0 && row->value >= -127);
	assert(*row->by && *row->sentence && *row->remedy);
	assert(strncmp(row->name, "E_V_", 4) != 0 || !strcmp(row->class, "REFUSED"));
	assert(!strcmp(hint_of(row->name), row->remedy));
	for (const struct error_row *other = rows; other < row; other++) {
		assert(strcmp(other->name, row->name) != 0);
		assert(other->value != row->value);
	}
}

static void test_sentences(void)
{
	assert(strstr(hint_of("E_UNSUPPORTED"), "--state"));
	assert(strstr(hint_of("e_unsupported"), "--state"));
	assert(!strstr(hint_of("E_STATE"), "--state"));
	assert(strstr(hint_of("E_STATE"), "luctl status"));
	assert(strstr(hint_of("E_OF_NOBODY"), "luctl log"));
	assert(strstr(hint_of(""), "luctl log"));
}

int main(void)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		test_row(&rows[i]);
	}
	assert(N_ROWS >= 60);
	test_sentences();
	return 0;
}
