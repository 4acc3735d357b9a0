/* Streams are what the recipe says, and choices are fair. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "forge/layout/draw.h"

static const uint8_t seed_a[DRAW_SEED_SIZE] = {1, 2, 3};

/* A change here is a change of the recipe: raise DRAW_RECIPE. */
static void test_known_stream(void)
{
	struct draw *d = draw_new(seed_a, "place");
	uint64_t first, later = 0;
	int i;

	assert(d);
	first = draw_u64(d);
	for (i = 0; i < 100; i++) {
		later = draw_u64(d);
	}
	assert(first == UINT64_C(0xc7cc03b1e8977e99));
	assert(later == UINT64_C(0x130f8bcd0d3e819b));
	d = draw_free(d);
	assert(d == NULL);
}

static void test_streams_differ(void)
{
	uint8_t seed_b[DRAW_SEED_SIZE] = {1, 2, 3};
	struct draw *a = draw_new(seed_a, "order.0");
	struct draw *b = draw_new(seed_a, "order.1");
	struct draw *c;

	seed_b[DRAW_SEED_SIZE - 1] = 1;
	c = draw_new(seed_b, "order.0");
	assert(draw_u64(a) != draw_u64(b));
	(void)draw_free(a);
	a = draw_new(seed_a, "order.0");
	assert(draw_u64(a) != draw_u64(c));
	(void)draw_free(a);
	(void)draw_free(b);
	(void)draw_free(c);
}

static void test_below_is_fair(void)
{
	struct draw *d = draw_new(seed_a, "fair");
	unsigned int count[7] = {0}, i;

	for (i = 0; i < 70000; i++) {
		count[draw_below(d, 7)]++;
	}
	for (i = 0; i < 7; i++) {
		assert(count[i] > 9500 && count[i] < 10500);
	}
	for (i = 0; i < 1000; i++) {
		assert(draw_below(d, 1) == 0);
		assert(draw_below(d, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
	(void)draw_free(d);
}

/* Every order of three comes about equally often. */
static void test_shuffle_is_fair(void)
{
	struct draw *d = draw_new(seed_a, "shuffle");
	unsigned int count[27] = {0}, n = 0, i;

	for (i = 0; i < 60000; i++) {
		uint16_t v[3] = {0, 1, 2};

		draw_shuffle(d, v, 3, sizeof(v[0]));
		assert(v[0] + v[1] + v[2] == 3 && v[0] != v[1] && v[1] != v[2]);
		count[v[0] * 9 + v[1] * 3 + v[2]]++;
	}
	for (i = 0; i < 27; i++) {
		assert(count[i] == 0 || (count[i] > 9400 && count[i] < 10600));
		n += count[i] != 0;
	}
	assert(n == 6);
	draw_shuffle(d, NULL, 0, 1);
	(void)draw_free(d);
}

/* What is drawn after a shuffle is part of the recipe, too: n items take n - 1 choices. */
static void test_shuffle_takes(void)
{
	struct draw *a = draw_new(seed_a, "shuffle");
	struct draw *b = draw_new(seed_a, "shuffle");
	uint8_t v[3] = {0, 1, 2};

	draw_shuffle(a, v, 3, sizeof(v[0]));
	(void)draw_below(b, 3);
	(void)draw_below(b, 2);
	assert(draw_u64(a) == draw_u64(b));
	(void)draw_free(a);
	(void)draw_free(b);
}

static void test_seed_parse(void)
{
	static const char good[] =
	        "00ff10Ab00000000000000000000000000000000000000000000000000000001";
	uint8_t seed[DRAW_SEED_SIZE] = {9};
	char bad[80];

	assert(draw_seed_parse(good, seed) == 0);
	assert(seed[0] == 0 && seed[1] == 0xff && seed[3] == 0xab && seed[31] == 1);
	assert(draw_seed_parse("", seed) < 0);
	assert(draw_seed_parse(good + 1, seed) < 0);
	(void)snprintf(bad, sizeof(bad), "%s0", good);
	assert(draw_seed_parse(bad, seed) < 0);
	(void)snprintf(bad, sizeof(bad), "%s", good);
	bad[5] = 'g';
	assert(draw_seed_parse(bad, seed) < 0);
	assert(seed[3] == 0xab);
}

int main(void)
{
	test_known_stream();
	test_streams_differ();
	test_below_is_fair();
	test_shuffle_is_fair();
	test_shuffle_takes();
	test_seed_parse();
	return 0;
}
