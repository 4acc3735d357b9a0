/*
 * Seeds that are sealed: with a key that was agreed on ahead where there is one, each key once, and
 * nothing of one root's under another.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/servers/rs/layout/play.h"

/* The random words are `n` seeds further, or back. */
static void words_skip(int n)
{
	word += (uint64_t)n * (LINK_SEED_SIZE / 8) * WORD_STEP;
}

/* Is the seed sealed as it must be with this ephemeral key? */
static bool is_sealed_by(const struct layout *layout, const uint8_t *audit_pub,
        const uint8_t seed[LINK_SEED_SIZE], const uint8_t ephemeral[LINK_SEED_SIZE])
{
	uint8_t drawn[LINK_SEED_SIZE], sealed[SEAL_SIZE];
	struct seal_agreement agreement;

	memcpy(drawn, ephemeral, sizeof(drawn));
	assert(envelope_seal_agree(audit_pub, drawn, &agreement) == 0);
	envelope_seal(&agreement, layout->commitment, seed, sealed);
	return memcmp(layout->sealed, sealed, sizeof(sealed)) == 0;
}

/*
 * Make a layout: it draws `n` times 32 bytes, the seed first. Its seed is sealed with the key that
 * was agreed on ahead (`kept`), or with one of the second draw.
 */
static void make_sealed(const struct agree_audit *to, const uint8_t *kept)
{
	struct layout_kit kit = kit_good();
	uint8_t seed[LINK_SEED_SIZE], next[LINK_SEED_SIZE];
	struct layout layout = {0};
	uint64_t begin = word;

	seed_next(seed);
	words_skip(1);
	seed_next(next);
	words_skip(-1);
	assert(layout_make(&kit, release, to, &nothing, &layout) == E_OK);
	assert(is_sealed_by(&layout, to->pub, seed, kept != NULL ? kept : next));
	words_skip(kept != NULL ? -1 : -2);
	assert(word == begin);
	words_skip(2);
	layout_free(&layout);
	kit_free(&kit);
}

/* The seed for the audit key, bound to the commitment; with a key of its own each time. */
static void test_sealed(void)
{
	make_sealed(&audit, NULL);
	make_sealed(&audit, NULL);
}

static void agree_next(const struct agree_audit *to, uint8_t ret_ephemeral[LINK_SEED_SIZE])
{
	seed_next(ret_ephemeral);
	agree_ahead(to);
}

/* Keys that were kept are used, each once; then there are none, and it goes on without. */
static void test_agreed_ahead(void)
{
	uint8_t kept[2][LINK_SEED_SIZE];

	for (int round = 0; round < 2; round++) {
		assert(agree_is_wanted(&audit));
		agree_next(&audit, kept[0]);
		assert(agree_is_wanted(&audit));
		agree_next(&audit, kept[1]);
		assert(!agree_is_wanted(&audit));
		make_sealed(&audit, kept[1]);
		assert(agree_is_wanted(&audit));
		make_sealed(&audit, kept[0]);
		make_sealed(&audit, NULL);
		make_sealed(&audit, NULL);
	}
}

/* No more than there is room for, however often it is asked for. */
static void test_agreed_enough(void)
{
	uint8_t kept[2][LINK_SEED_SIZE];
	uint64_t was;

	agree_next(&audit, kept[0]);
	agree_next(&audit, kept[1]);
	was = word;
	agree_ahead(&audit);
	assert(word == was);
	make_sealed(&audit, kept[1]);
	make_sealed(&audit, kept[0]);
}

/* Under another root, with the same audit key or with another, nothing that was kept is used. */
static void test_agreed_root(void)
{
	const struct agree_audit roots[] = {{2, audit.pub}, {2, seal_vectors[1].audit_pub}, audit};
	uint8_t kept[2][LINK_SEED_SIZE];

	agree_next(&audit, kept[0]);
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		n_wiped = 0;
		assert(agree_is_wanted(&roots[i]));
		assert(n_wiped == 2 * sizeof(struct seal_agreement));
		make_sealed(&roots[i], NULL);
		agree_next(&roots[i], kept[0]);
		agree_next(&roots[i], kept[1]);
	}
	make_sealed(&audit, kept[1]);
	make_sealed(&audit, kept[0]);
}

/* A layout that is made before RS has waited again: nothing that was kept seals its seed. */
static void test_agreed_root_at_once(void)
{
	const struct agree_audit root = {2, seal_vectors[1].audit_pub};
	uint8_t kept[LINK_SEED_SIZE];

	agree_next(&audit, kept);
	make_sealed(&root, NULL);
	agree_next(&root, kept);
	make_sealed(&audit, NULL);
}

/* Without an audit key, and with one that protects nothing: a layout, and no sealed seed. */
static void test_not_sealed(void)
{
	static const uint8_t keys[2][32] = {{0}, {1}}, none[SEAL_SIZE];
	struct layout_kit kit = kit_good();

	for (uint32_t i = 0; i < 2; i++) {
		const struct agree_audit useless = {3 + i, keys[i]};
		struct layout layout = {0};

		assert(agree_is_wanted(&useless) == (i == 1));
		agree_ahead(&useless);
		assert(!agree_is_wanted(&useless));
		assert(layout_make(&kit, release, &useless, &nothing, &layout) == E_OK);
		assert(memcmp(layout.commitment, none, RS_HASH_LEN) != 0);
		assert(memcmp(layout.sealed, none, sizeof(none)) == 0);
		layout_free(&layout);
	}
	kit_free(&kit);
}

int main(void)
{
	play_begin();
	test_sealed();
	test_agreed_ahead();
	test_agreed_enough();
	test_agreed_root();
	test_agreed_root_at_once();
	test_not_sealed();
	return 0;
}
