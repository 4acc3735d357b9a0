/* Every error of the machine has a remedy of its own row. argv[1]: osd/abi/errors.def. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/job/order/hint.h"

static const char *const rows[] = {
#define REMEDY(error, sentence) #error,
#include "proto/words/remedies.def"
#undef REMEDY
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static size_t count_rows(const char *error)
{
	size_t n = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		n += !strcmp(rows[i], error);
	}
	return n;
}

static void test_every_error(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256], error[32];
	size_t n = 0;

	assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "ERR(%31[A-Z_0-9],", error) != 1) {
			continue;
		}
		n++;
		if (count_rows(error) != 1) {
			fprintf(stderr, "%s has %zu remedies\n", error, count_rows(error));
		}
		assert(count_rows(error) == 1);
	}
	fclose(file);
	/* No row without its error either. */
	assert(n == N_ROWS);
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

int main(int argc, char **argv)
{
	assert(argc == 2);
	test_every_error(argv[1]);
	test_sentences();
	return 0;
}
