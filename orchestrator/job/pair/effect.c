/*
 * The answer of `luforge compare`, taken apart. It is text from a worker: it becomes figures of the
 * record only when it is about exactly the release and the payloads that were asked for, has every
 * figure once, and none that cannot be: a part is not more than its whole.
 */
#include "orchestrator/job/pair/effect.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "orchestrator/work/forge.h"

#define EFFECT_COUNT_MAX 1e9
/* Shares are recorded in millionths, and said in percent. */
#define EFFECT_PER_PERCENT 1e4

/* The row of this name; NULL: there is not exactly one. */
static const json_t *effect_find(const json_t *rows, const char *name)
{
	const json_t *found = NULL;
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *said = json_string_value(json_object_get(row, "name"));

		if (said && !strcmp(said, name)) {
			if (found) {
				return NULL;
			}
			found = row;
		}
	}
	return found;
}

static bool effect_number(const json_t *row, const char *key, double most, double *ret_value)
{
	const json_t *value = json_object_get(row, key);

	*ret_value = json_number_value(value);
	return json_is_number(value) && isfinite(*ret_value) && *ret_value >= 0 &&
	       *ret_value <= most;
}

/* So many of so many. */
static bool effect_count(
        const json_t *rows, const char *name, uint64_t *ret_value, uint64_t *ret_of)
{
	const json_t *row = effect_find(rows, name);
	double value, of;

	if (!effect_number(row, "of", EFFECT_COUNT_MAX, &of) ||
	        !effect_number(row, "value", of, &value)) {
		return false;
	}
	*ret_value = (uint64_t)value;
	*ret_of = (uint64_t)of;
	return true;
}

static bool effect_share(const json_t *rows, const char *name, uint64_t *ret_millionths)
{
	double percent;

	if (!effect_number(effect_find(rows, name), "value", 100, &percent)) {
		return false;
	}
	*ret_millionths = (uint64_t)(percent * EFFECT_PER_PERCENT + 0.5);
	return true;
}

static bool effect_rows(const json_t *rows, struct effect_row *row)
{
	return effect_count(rows, "pieces.kept.address", &row->kept_address, &row->pieces) &&
	       effect_count(rows, "pieces.kept.base", &row->kept_base, &row->pieces) &&
	       effect_count(rows, "pieces.kept.before", &row->kept_before, &row->pieces) &&
	       effect_count(rows, "returns.kept.address", &row->returns_address, &row->returns) &&
	       effect_count(rows, "returns.kept.base", &row->returns_base, &row->returns) &&
	       effect_share(rows, "gadgets.known.none", &row->known_none) &&
	       effect_share(rows, "gadgets.known", &row->known_mean) &&
	       effect_share(rows, "gadgets.known.worst", &row->known_worst);
}

static bool effect_is_hash(const json_t *said, const uint8_t hash[FORGE_RELEASE_SIZE])
{
	const char *id = json_string_value(said);
	char text[2 * FORGE_RELEASE_SIZE + 1];

	forge_release_text(hash, text);
	return id && !strcmp(id, text);
}

static bool effect_is_of(const json_t *answer, const struct effect_of *of)
{
	const json_t *payloads = json_object_get(answer, "payloads");

	return json_integer_value(json_object_get(answer, "format")) == 1 &&
	       effect_is_hash(json_object_get(answer, "release_id"), of->release->release_id) &&
	       effect_is_hash(json_array_get(payloads, 0), of->before->payload_hash) &&
	       effect_is_hash(json_array_get(payloads, 1), of->after->payload_hash);
}

int effect_read(const char *json, const struct effect_of *of, struct effect_row *row)
{
	json_t *answer = json_loads(json, 0, NULL);
	struct effect_row read = *row;
	bool good = effect_is_of(answer, of) && effect_rows(json_object_get(answer, "rows"), &read);

	json_decref(answer);
	if (!good) {
		return err_raise(-EBADMSG);
	}
	*row = read;
	return 0;
}
