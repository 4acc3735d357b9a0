/* A key signs the kinds of its role, and only what obeys its own rules. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "keyring/priv.h"
#include "keyring/test/ring.h"

static void test_sign_rules(void)
{
	struct kit_manifest kit;
	struct keyring_key *key = NULL;
	uint8_t part[SIGNER_KIT_MAX];
	size_t len = 0;

	test_kit(&kit);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == 0);
	assert(keyring_sign(key, ENVELOPE_KIT, &kit, sizeof(kit), part, sizeof(part), &len) ==
	        KEYRING_E_REFUSED);
	key = keyring_key_free(key);
	assert(keyring_key_open(test_ring, KEYRING_RELEASE, &key) == 0);
	assert(keyring_sign(key, ENVELOPE_KIT, &kit, sizeof(kit), part, 100, &len) == -ENOBUFS);
	kit.counter = 0;
	assert(keyring_sign(key, ENVELOPE_KIT, &kit, sizeof(kit), part, sizeof(part), &len) ==
	        KEYRING_E_REFUSED);
	assert(len == 0);
	key = keyring_key_free(key);
}

int main(void)
{
	test_setup();
	test_sign_rules();
	test_teardown();
	return 0;
}
