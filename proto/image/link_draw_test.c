/*
 * Numbers are the key stream's, whatever is fetched at a time; those that would make some
 * results likelier are left out.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/image/link_draw.h"

#define N_WORDS (3 * LINK_DRAW_WORDS)

static const uint8_t key[LINK_KEY_SIZE] = {3};
static uint32_t stream[N_WORDS], buffer[LINK_DRAW_WORDS];

static void test_words(void)
{
	static const uint32_t expected[] = {
	        0, 1, 15, 16, 17, 1000, LINK_DRAW_WORDS, LINK_DRAW_WORDS + 1, N_WORDS, UINT32_MAX};
	struct link_draw d;
	uint32_t i, k;

	for (k = 0; k < sizeof(expected) / sizeof(expected[0]); k++) {
		link_draw_start(&d, key, buffer, 5, expected[k]);
		for (i = 0; i < N_WORDS; i++) {
			assert(link_draw_word(&d) == stream[i]);
		}
		assert(!d.failed);
	}
}

/* No block is made that nobody asks for: in the machine they are dear. */
static void test_blocks(void)
{
	struct link_draw d;
	uint32_t i;

	link_draw_start(&d, key, buffer, 5, 17);
	assert(d.block == 0);
	for (i = 0; i < 32; i++) {
		(void)link_draw_word(&d);
		assert(d.block == 2);
	}
	(void)link_draw_word(&d);
	assert(d.block == 3);
}

/* The same by the book, with 64-bit division. */
static void test_below(void)
{
	static const uint32_t limits[] = {
	        1, 2, 3, 10, 64, 1u << 17, 3u << 29, (1u << 31) + 1, 3u << 30, UINT32_MAX};
	uint32_t i, k, at, refused = 0;
	struct link_draw d;

	for (k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
		link_draw_start(&d, key, buffer, 5, 100);
		for (i = 0, at = 0; i < 1000; i++) {
			while (stream[at] * (uint64_t)limits[k] % (UINT64_C(1) << 32) <
			        (UINT64_C(1) << 32) % limits[k]) {
				at++;
				refused++;
			}
			assert(link_draw_below(&d, limits[k]) ==
			        stream[at++] * (uint64_t)limits[k] / (UINT64_C(1) << 32));
		}
	}
	assert(refused > 1000);
}

/* Each number once, and every one of them in every place some time. */
static void test_order(void)
{
	uint32_t order[5], seen[5][5] = {0}, i, k, sum;
	struct link_draw d;

	link_draw_start(&d, key, buffer, 5, 0);
	for (i = 0; i < 2000; i++) {
		link_draw_order(&d, order, 10, 5);
		for (k = 0, sum = 0; k < 5; k++) {
			assert(order[k] >= 10 && order[k] < 15);
			sum |= 1u << (order[k] - 10);
			seen[k][order[k] - 10]++;
		}
		assert(sum == 31);
	}
	for (i = 0; i < 25; i++) {
		assert(seen[i / 5][i % 5] > 320 && seen[i / 5][i % 5] < 480);
	}
	link_draw_order(&d, order, 7, 1);
	assert(order[0] == 7);
}

/* Each part of a kit's label, each bit of a seed: another key. */
static void test_key(void)
{
	uint8_t seed[LINK_SEED_SIZE] = {0}, release_id[LINK_RELEASE_SIZE] = {0};
	uint8_t keys[4][LINK_KEY_SIZE];
	const struct link_request request = {.seed = seed, .release_id = release_id};
	struct flat_header header = {.service = "one"};
	const struct flat_view kit = {.header = &header};
	uint32_t i, k;

	for (i = 0; i < 4; i++) {
		seed[LINK_SEED_SIZE - 1] = i == 1;
		release_id[LINK_RELEASE_SIZE - 1] = i == 2;
		header.service[IMAGE_NAME_SIZE - 2] = i == 3 ? 'x' : 0;
		assert(link_draw_key(&kit, &request, keys[i]) == LINK_OK);
		for (k = 0; k < i; k++) {
			assert(memcmp(keys[i], keys[k], LINK_KEY_SIZE) != 0);
		}
	}
	link_draw_wipe(keys, sizeof(keys));
	for (k = 0; k < LINK_KEY_SIZE; k++) {
		assert(keys[0][k] == 0 && keys[3][k] == 0);
	}
}

int main(void)
{
	assert(link_stream(key, 5, 0, (uint8_t *)stream, sizeof(stream)) == 0);
	test_words();
	test_blocks();
	test_below();
	test_order();
	test_key();
	return 0;
}
