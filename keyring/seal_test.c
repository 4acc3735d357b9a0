/* Layout seeds, sealed and opened. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "keyring/priv.h"
#include "keyring/test/ring.h"
#include "proto/envelope/seal_vectors.h"

/* What the signer seals it cannot open; the audit key does, for this context only. */
static void test_seal(void)
{
	uint8_t context[64] = {7}, seed[32], sealed[2][SIGNER_SEALED_SIZE], out[32] = {0};
	struct keyring_key *audit = NULL, *variant = NULL;
	static const uint8_t small_order[32];

	memset(seed, 0x5a, sizeof(seed));
	assert(keyring_key_open(test_ring, KEYRING_AUDIT, &audit) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &variant) == 0);
	assert(keyring_seal(keyring_key_pub(audit), context, seed, sealed[0]) == 0);
	assert(keyring_seal(keyring_key_pub(audit), context, seed, sealed[1]) == 0);
	assert(memcmp(sealed[0], sealed[1], sizeof(sealed[0])) != 0);
	assert(memmem(sealed[0], sizeof(sealed[0]), seed, 8) == NULL);
	assert(keyring_unseal(audit, context, sealed[0], out) == 0);
	assert(memcmp(out, seed, sizeof(seed)) == 0);
	memset(out, 0, sizeof(out));
	for (unsigned int i = 0; i < SIGNER_SEALED_SIZE; i++) {
		sealed[0][i] ^= 0x10;
		assert(keyring_unseal(audit, context, sealed[0], out) == KEYRING_E_REFUSED);
		sealed[0][i] ^= 0x10;
	}
	context[63] = 1;
	assert(keyring_unseal(audit, context, sealed[0], out) == KEYRING_E_REFUSED);
	assert(out[0] == 0);
	assert(keyring_unseal(variant, context, sealed[0], out) == KEYRING_E_REFUSED);
	assert(keyring_seal(small_order, context, seed, sealed[0]) == -EIO);
	keyring_key_free(audit);
	keyring_key_free(variant);
}

/* What the machine seals the host opens: answers that neither of the two computed. */
static void test_known_answers(void)
{
	for (size_t i = 0; i < sizeof(seal_vectors) / sizeof(*seal_vectors); i++) {
		const struct seal_vector *v = &seal_vectors[i];
		struct keyring_key audit = {.role = KEYRING_AUDIT};
		uint8_t seed[SEED_SIZE] = {0}, sealed[SEAL_SIZE];
		size_t len = sizeof(audit.pub);

		audit.pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, v->audit, 32);
		assert(EVP_PKEY_get_raw_public_key(audit.pkey, audit.pub, &len) == 1);
		assert(memcmp(audit.pub, v->audit_pub, sizeof(audit.pub)) == 0);
		assert(keyring_unseal(&audit, v->commitment, v->sealed, seed) == 0);
		assert(memcmp(seed, v->seed, sizeof(seed)) == 0);
		for (unsigned int at = 0; at < SEAL_SIZE; at++) {
			memcpy(sealed, v->sealed, sizeof(sealed));
			sealed[at] ^= 1;
			assert(keyring_unseal(&audit, v->commitment, sealed, seed) ==
			        KEYRING_E_REFUSED);
		}
		EVP_PKEY_free(audit.pkey);
	}
}

int main(void)
{
	test_setup();
	test_seal();
	test_known_answers();
	test_teardown();
	return 0;
}
