/* Figures of luforge: those that are believed, and each way in which some are not. */
#undef NDEBUG
#include "orchestrator/job/pair/effect.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/work/forge.h"

#define COUNT(name, value, of) "{\"name\": \"" name "\", \"value\": " value ", \"of\": " of "}"
#define SHARE(name, value) "{\"name\": \"" name "\", \"value\": " value "}"
#define KEPT(address) COUNT("pieces.kept.address", address, "40")
#define PIECES COUNT("pieces.kept.base", "2", "40") ", " COUNT("pieces.kept.before", "3.0", "40")
#define RETURNS COUNT("returns.kept.address", "4", "50") ", " COUNT("returns.kept.base", "5", "50")
#define NONE SHARE("gadgets.known.none", "0.0")
#define WORST SHARE("gadgets.known.worst", "12.5")
#define MEAN SHARE("gadgets.known", "0.393063")
#define ALL KEPT("1") ", " PIECES ", " RETURNS ", " NONE ", " MEAN ", " WORST

static const struct release_row release = {.release_id = {1}};
static const struct variant_row before = {.payload_hash = {2}}, after = {.payload_hash = {3}};

/* In place of a hash, for what is not it. */
static void hash_text(const uint8_t hash[64], bool is_other, char ret_text[129])
{
	forge_release_text(hash, ret_text);
	ret_text[128 - 1] = is_other ? 'f' : ret_text[128 - 1];
}

/* other: 1 the release is another one, 2 the payload before, 3 the one after. */
static int read_rows(const char *rows, int other, struct effect_row *row)
{
	char id[129], old[129], new[129];
	_cleanup_(freep) char *json = NULL;
	int r;

	hash_text(release.release_id, other == 1, id);
	hash_text(before.payload_hash, other == 2, old);
	hash_text(after.payload_hash, other == 3, new);
	json = text_format("{\"format\": 1, \"release_id\": \"%s\", \"payloads\": [\"%s\", "
	                   "\"%s\"], \"rows\": [%s]}",
	        id, old, new, rows);
	r = effect_read(json, &(const struct effect_of){&release, &before, &after}, row);
	err_forget();
	return r;
}

static void test_good(void)
{
	struct effect_row row = {.generation = 7, .against = 8};

	assert(read_rows(ALL, 0, &row) == 0);
	assert(row.generation == 7 && row.against == 8);
	assert(row.pieces == 40 && row.kept_address == 1 && row.kept_base == 2);
	assert(row.kept_before == 3 && row.returns == 50 && row.returns_address == 4);
	assert(row.returns_base == 5 && row.known_none == 0 && row.known_mean == 3931);
	assert(row.known_worst == 125000);
}

static void test_bad(void)
{
	static const char *const cases[] = {
	        "",
	        PIECES ", " RETURNS ", " NONE ", " MEAN ", " WORST,
	        ALL ", " MEAN,
	        KEPT("41") ", " PIECES ", " RETURNS ", " NONE ", " MEAN ", " WORST,
	        KEPT("-1") ", " PIECES ", " RETURNS ", " NONE ", " MEAN ", " WORST,
	        KEPT("\"1\"") ", " PIECES ", " RETURNS ", " NONE ", " MEAN ", " WORST,
	        COUNT("pieces.kept.address", "1", "1e12") ", " PIECES ", " RETURNS ", " NONE
	                                                  ", " MEAN ", " WORST,
	        KEPT("1") ", " PIECES ", " RETURNS ", " NONE
	                  ", " SHARE("gadgets.known", "101") ", " WORST,
	        "1",
	};
	struct effect_row row = {.pieces = 9};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert(read_rows(cases[i], 0, &row) == -EBADMSG);
	}
	for (int other = 1; other <= 3; other++) {
		assert(read_rows(ALL, other, &row) == -EBADMSG);
	}
	assert(effect_read("{", &(const struct effect_of){&release, &before, &after}, &row) ==
	        -EBADMSG);
	err_forget();
	/* What was not read leaves the row as it was. */
	assert(row.pieces == 9);
}

int main(void)
{
	test_good();
	test_bad();
	return 0;
}
