/* Seeds sealed as the machine seals them: known answers, and keys that nothing may be sealed to. */
#undef NDEBUG
#include "proto/envelope/seal.h"

#include <assert.h>
#include <string.h>

#include "proto/envelope/seal_vectors.h"

/* Both steps, with what is left of agreement and ephemeral key looked at. -1: no agreement. */
static int seal(
        const uint8_t audit_pub[32], const struct seal_vector *v, uint8_t ret_sealed[SEAL_SIZE])
{
	static const struct seal_agreement wiped;
	struct seal_agreement agreement;
	uint8_t ephemeral[32];
	int r;

	memcpy(ephemeral, v->ephemeral, sizeof(ephemeral));
	memset(&agreement, 0x55, sizeof(agreement));
	r = envelope_seal_agree(audit_pub, ephemeral, &agreement);
	assert(memcmp(ephemeral, wiped.key, sizeof(ephemeral)) == 0);
	if (r == 0) {
		assert(memcmp(agreement.key, wiped.key, sizeof(wiped.key)) != 0);
		envelope_seal(&agreement, v->commitment, v->seed, ret_sealed);
	}
	assert(memcmp(&agreement, &wiped, sizeof(wiped)) == 0);
	return r;
}

static void test_known_answers(void)
{
	for (size_t i = 0; i < sizeof(seal_vectors) / sizeof(*seal_vectors); i++) {
		const struct seal_vector *v = &seal_vectors[i];
		uint8_t sealed[SEAL_SIZE];

		assert(seal(v->audit_pub, v, sealed) == 0);
		assert(memcmp(sealed, v->sealed, sizeof(sealed)) == 0);
	}
}

/* Seed and audit key: another one gives another body. The commitment: another tag. */
static void test_bound(void)
{
	struct seal_vector v = seal_vectors[0];
	uint8_t sealed[SEAL_SIZE];

	v.commitment[63] ^= 1;
	assert(seal(v.audit_pub, &v, sealed) == 0);
	assert(memcmp(sealed, v.sealed, SEAL_SIZE - SEAL_TAG_SIZE) == 0);
	assert(memcmp(sealed, v.sealed, SEAL_SIZE) != 0);
	assert(seal(seal_vectors[1].audit_pub, &v, sealed) == 0);
	assert(memcmp(sealed, v.sealed, SEAL_PUB_SIZE) == 0);
	assert(memcmp(sealed + SEAL_PUB_SIZE, v.sealed + SEAL_PUB_SIZE, SEED_SIZE) != 0);
}

/* Under 0, 1 and p - 1 everybody agrees on one secret; the first stands for no key at all. */
static void test_small_order(void)
{
	uint8_t keys[3][32] = {{0}, {1}, {0}}, sealed[SEAL_SIZE];

	memset(keys[2], 0xff, 32);
	keys[2][0] = 0xec;
	keys[2][31] = 0x7f;
	for (int i = 0; i < 3; i++) {
		assert(seal(keys[i], &seal_vectors[0], sealed) != 0);
	}
}

int main(void)
{
	test_known_answers();
	test_bound();
	test_small_order();
	return 0;
}
