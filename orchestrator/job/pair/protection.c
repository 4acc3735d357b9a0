/*
 * The answer of `luforge entropy`, taken apart. It is text from a worker: only one of the known
 * format, about exactly the release that was asked for and layouts of the recipe that is drawn
 * here, becomes a table; classes have the names that exist, numbers are finite, names of pieces
 * are cut. The table depends on nothing but release and recipe, so it is recorded once.
 */
#include "orchestrator/job/pair/protection.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/work/forge.h"
#include "proto/image/link.h"

static const char *const protection_classes[] = {
        "text", "const", "data", "zero", "heap", "stack", "gate"};

/* The name of a class, as it is written here; NULL: there is no such class. */
static const char *protection_class(const json_t *row, const char *key)
{
	const char *said = json_string_value(json_object_get(row, key));

	for (size_t i = 0; said && i < sizeof(protection_classes) / sizeof(protection_classes[0]);
	        i++) {
		if (!strcmp(said, protection_classes[i])) {
			return protection_classes[i];
		}
	}
	return NULL;
}

/* False: not a number, or one that no measurement gives. */
static bool protection_number(const json_t *row, const char *key, double *ret_value)
{
	const json_t *value = json_object_get(row, key);

	*ret_value = json_number_value(value);
	return json_is_number(value) && isfinite(*ret_value) && fabs(*ret_value) < 1e6;
}

/* As much of a name as a message has room for. */
static char *protection_name(struct pool *pool, const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return pool_format(pool, "%.60s", text ? text : "");
}

/* NULL when the row is not what it should be: then the whole answer is not believed. */
static Control__EntropyRow *protection_row(struct pool *pool, const json_t *said)
{
	const char *given = protection_class(said, "given"), *left = protection_class(said, "left");
	Control__EntropyRow *row = pool_zero(pool, sizeof(*row));
	double below = 0;

	control__entropy_row__init(row);
	if (!given || !left || !protection_number(said, "theory", &row->theory)) {
		return NULL;
	}
	row->given = pool_text(pool, given);
	row->left = pool_text(pool, left);
	row->measured = json_object_get(said, "mean") != NULL;
	if (!row->measured) {
		return row;
	}
	row->bound = json_is_true(json_object_get(said, "bound"));
	row->piece = protection_name(pool, said, "piece");
	row->leak = protection_name(pool, said, "leak");
	if (!protection_number(said, "mean", &row->mean) ||
	        !protection_number(said, "value", &row->worst) ||
	        !protection_number(said, "aim", &row->aim) ||
	        !protection_number(said, "below", &below) || below < 0) {
		return NULL;
	}
	row->below = (uint32_t)below;
	return row;
}

/* Rows of classes, and the two ratios of sizes, which stand behind them. */
static bool protection_rows(struct pool *pool, const json_t *rows, Control__Entropy *table)
{
	size_t n = json_array_size(rows);

	if (!json_is_array(rows) || n < 2 || n > PROTECTION_ROWS_MAX + 2 ||
	        !protection_number(json_array_get(rows, n - 2), "value", &table->payload_ratio) ||
	        !protection_number(json_array_get(rows, n - 1), "value", &table->memory_ratio)) {
		return false;
	}
	table->rows = pool_zero(pool, n * sizeof(*table->rows));
	for (size_t i = 0; i < n - 2; i++) {
		table->rows[i] = protection_row(pool, json_array_get(rows, i));
		if (!table->rows[i]) {
			return false;
		}
		table->n_rows++;
	}
	return true;
}

static bool protection_is_of(const json_t *answer, const struct release_row *release)
{
	const char *id = json_string_value(json_object_get(answer, "release_id"));
	char text[2 * FORGE_RELEASE_SIZE + 1];

	forge_release_text(release->release_id, text);
	return json_integer_value(json_object_get(answer, "format")) == 1 && id &&
	       !strcmp(id, text) &&
	       json_integer_value(json_object_get(answer, "recipe")) == LINK_RECIPE;
}

int protection_read(struct pool *pool, const char *json, const struct release_row *release,
        Control__Entropy **ret_table, struct failure *ret_failure)
{
	json_t *answer = json_loads(json, 0, NULL);
	Control__Entropy *table = pool_zero(pool, sizeof(*table));
	double variants = 0, pieces = 0;
	bool good;

	control__entropy__init(table);
	table->service = pool_text(pool, release->service);
	table->release_id = pool_bytes(pool, release->release_id, sizeof(release->release_id));
	table->counter = (uint32_t)release->counter;
	table->recipe = LINK_RECIPE;
	good = protection_is_of(answer, release) &&
	       protection_number(answer, "variants", &variants) && variants > 0 &&
	       protection_number(answer, "pieces", &pieces) && pieces > 0 &&
	       protection_rows(pool, json_object_get(answer, "rows"), table);
	table->variants = (uint32_t)variants;
	table->pieces = (uint32_t)pieces;
	json_decref(answer);
	if (!good) {
		return err_up(forge_answer_invalid(ret_failure, "entropy", release->path));
	}
	*ret_table = table;
	return 0;
}

int protection_put(struct db *db, int64_t release, const Control__Entropy *table)
{
	return err_up(store_protection_put(db, release, table));
}

int protection_get(struct db *db, struct pool *pool, int64_t release, Control__Entropy **ret_table)
{
	Control__Entropy *table;
	int r = store_protection_get(db, release, &pool->allocator, &table);

	if (r || table->recipe != LINK_RECIPE) {
		return r ? err_up(r) : DB_E_NONE;
	}
	*ret_table = table;
	return 0;
}
