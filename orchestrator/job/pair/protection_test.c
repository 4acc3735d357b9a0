/* Tables of luforge: one that is believed, and each way in which one is not. */
#undef NDEBUG
#include "orchestrator/job/pair/protection.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/work/forge.h"

#define MEASURED                                                                                   \
	"{\"given\": \"text\", \"left\": \"data\", \"theory\": 27, \"value\": 25.5, \"mean\": "    \
	"26, "                                                                                     \
	"\"aim\": 24, \"below\": 2, \"bound\": true, \"piece\": \"p\", \"leak\": \"q\"}"
#define THEORY "{\"given\": \"gate\", \"left\": \"heap\", \"theory\": 35.0, \"value\": 35.0}"
#define RATIOS ", {\"value\": 1.5}, {\"value\": 1.25}"
#define HEAD "\"format\": 1, \"recipe\": 3, \"variants\": 8192, \"pieces\": 7, "

static int read_table(struct pool *pool, const char *head, const char *rows, bool is_other,
        Control__Entropy **ret_table)
{
	struct release_row release = {.service = "ds", .counter = 4, .path = "/kits/ds"};
	char id[2 * FORGE_RELEASE_SIZE + 1];
	struct failure failure = {0};
	_cleanup_(freep) char *json = NULL;
	int r;

	memset(release.release_id, 0xab, sizeof(release.release_id));
	forge_release_text(release.release_id, id);
	id[0] = is_other ? '0' : id[0];
	json = text_format("{%s\"release_id\": \"%s\", \"rows\": [%s]}", head, id, rows);
	r = protection_read(pool, json, &release, ret_table, &failure);
	assert((r < 0) == (*failure.cause != '\0'));
	err_forget();
	return r;
}

static void test_good(struct pool *pool)
{
	Control__Entropy *table;

	assert(read_table(pool, HEAD, MEASURED ", " THEORY RATIOS, false, &table) == 0);
	assert(table->n_rows == 2 && table->counter == 4 && !strcmp(table->service, "ds"));
	assert(table->variants == 8192 && table->pieces == 7 && table->recipe == 3);
	assert(table->payload_ratio == 1.5 && table->memory_ratio == 1.25);
	assert(table->rows[0]->measured && table->rows[0]->worst == 25.5);
	assert(table->rows[0]->mean == 26 && table->rows[0]->aim == 24 && table->rows[0]->bound);
	assert(table->rows[0]->below == 2 && table->rows[0]->theory == 27);
	assert(!strcmp(table->rows[0]->piece, "p") && !strcmp(table->rows[0]->leak, "q"));
	assert(!table->rows[1]->measured && table->rows[1]->theory == 35);
	assert(!strcmp(table->rows[1]->given, "gate") && !strcmp(table->rows[1]->left, "heap"));
}

static void test_bad(struct pool *pool)
{
	static const struct {
		const char *head, *rows;
	} cases[] = {
	        {"\"format\": 2, \"recipe\": 3, \"variants\": 1, \"pieces\": 1, ", THEORY RATIOS},
	        {"\"format\": 1, \"recipe\": 2, \"variants\": 1, \"pieces\": 1, ", THEORY RATIOS},
	        {"\"format\": 1, \"recipe\": 3, \"variants\": 0, \"pieces\": 1, ", THEORY RATIOS},
	        {"\"format\": 1, \"recipe\": 3, \"variants\": 1, ", THEORY RATIOS},
	        {HEAD, THEORY},
	        {HEAD, "1" RATIOS},
	        {HEAD, "{\"given\": \"text\", \"left\": \"code\", \"theory\": 1}" RATIOS},
	        {HEAD, "{\"given\": \"\", \"left\": \"text\", \"theory\": 1}" RATIOS},
	        {HEAD, "{\"given\": \"text\", \"left\": \"text\", \"theory\": \"1\"}" RATIOS},
	        {HEAD, "{\"given\": \"text\", \"left\": \"text\", \"theory\": 1e300}" RATIOS},
	        {HEAD, "{\"given\": \"text\", \"left\": \"text\", \"theory\": 1, \"mean\": "
	               "1}" RATIOS},
	};
	_cleanup_(freep) char *many = text_format("%s", THEORY);
	Control__Entropy *table = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert(read_table(pool, cases[i].head, cases[i].rows, false, &table) == -EBADMSG);
	}
	assert(read_table(pool, HEAD, THEORY RATIOS, true, &table) == -EBADMSG);
	for (unsigned int i = 0; i < PROTECTION_ROWS_MAX; i++) {
		char *more = text_format("%s, " THEORY, many);

		free(many);
		many = more;
	}
	{
		_cleanup_(freep) char *all = text_format("%s" RATIOS, many);

		assert(read_table(pool, HEAD, all, false, &table) == -EBADMSG);
	}
	assert(!table);
}

int main(void)
{
	struct pool pool;

	pool_init(&pool);
	test_good(&pool);
	test_bad(&pool);
	pool_fini(&pool);
	return 0;
}
