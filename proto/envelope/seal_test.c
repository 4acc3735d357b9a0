/* Seeds sealed as the machine seals them: known answers, and keys that nothing may be sealed to. */
#undef NDEBUG
#include "proto/envelope/seal.h"

#include <assert.h>
#include <string.h>

#include "proto/envelope/seal_vectors.h"

static void test_known_answers(void)
{
	for (size_t i = 0; i < sizeof(seal_vectors) / sizeof(*seal_vectors); i++) {
		const struct seal_vector *v = &seal_vectors[i];
		static const uint8_t wiped[32];
		uint8_t ephemeral[32], sealed[SEAL_SIZE];

		memcpy(ephemeral, v->ephemeral, sizeof(ephemeral));
		assert(envelope_seed_seal(
		               v->audit_pub, v->commitment, v->seed, ephemeral, sealed) == 0);
		assert(memcmp(sealed, v->sealed, sizeof(sealed)) == 0);
		assert(memcmp(ephemeral, wiped, sizeof(wiped)) == 0);
	}
}

/* Seed and audit key: another one gives another body. The commitment: another tag. */
static void test_bound(void)
{
	struct seal_vector v = seal_vectors[0];
	uint8_t ephemeral[32], sealed[SEAL_SIZE];

	v.commitment[63] ^= 1;
	memcpy(ephemeral, v.ephemeral, sizeof(ephemeral));
	assert(envelope_seed_seal(v.audit_pub, v.commitment, v.seed, ephemeral, sealed) == 0);
	assert(memcmp(sealed, v.sealed, SEAL_SIZE - SEAL_TAG_SIZE) == 0);
	assert(memcmp(sealed, v.sealed, SEAL_SIZE) != 0);
	memcpy(ephemeral, v.ephemeral, sizeof(ephemeral));
	assert(envelope_seed_seal(
	               seal_vectors[1].audit_pub, v.commitment, v.seed, ephemeral, sealed) == 0);
	assert(memcmp(sealed, v.sealed, SEAL_PUB_SIZE) == 0);
	assert(memcmp(sealed + SEAL_PUB_SIZE, v.sealed + SEAL_PUB_SIZE, SEED_SIZE) != 0);
}

/* Under 0, 1 and p - 1 everybody agrees on one secret; the first stands for no key at all. */
static void test_small_order(void)
{
	static const uint8_t zeros[SEAL_SIZE];
	uint8_t keys[3][32] = {{0}, {1}, {0}}, ephemeral[32], sealed[SEAL_SIZE];

	memset(keys[2], 0xff, 32);
	keys[2][0] = 0xec;
	keys[2][31] = 0x7f;
	for (int i = 0; i < 3; i++) {
		memset(sealed, 0x55, sizeof(sealed));
		memset(ephemeral, 0x77, sizeof(ephemeral));
		assert(envelope_seed_seal(keys[i], seal_vectors[0].commitment, seal_vectors[0].seed,
		               ephemeral, sealed) != 0);
		assert(memcmp(sealed, zeros, sizeof(sealed)) == 0);
		assert(memcmp(ephemeral, zeros, sizeof(ephemeral)) == 0);
	}
}

int main(void)
{
	test_known_answers();
	test_bound();
	test_small_order();
	return 0;
}
