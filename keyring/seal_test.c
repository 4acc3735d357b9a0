/* Layout seeds, sealed and opened. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "keyring/priv.h"
#include "keyring/test/ring.h"

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

int main(void)
{
	test_setup();
	test_seal();
	test_teardown();
	return 0;
}
