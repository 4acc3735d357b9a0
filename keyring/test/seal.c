/*
 * Seals a seed for tests that open it: usage seal_seed KEYS RELEASE SEED. RELEASE and SEED are
 * hexadecimal digits; the keyring KEYS is made when it is not there. Two lines: the commitment, and
 * the seed sealed to the audit key of that keyring.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "keyring/keyring.h"
#include "proto/envelope/seal.h"
#include "proto/image/link.h"

static void seal_read(const char *hex, uint8_t *ret_bytes, size_t n)
{
	size_t len;

	assert(OPENSSL_hexstr2buf_ex(ret_bytes, n, &len, hex, '\0') == 1 && len == n);
}

static void seal_print(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%02x", bytes[i]);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	uint8_t release[64], seed[SEED_SIZE], commitment[64], sealed[SEAL_SIZE];
	struct keyring_key *audit;

	assert(argc == 4);
	seal_read(argv[2], release, sizeof(release));
	seal_read(argv[3], seed, sizeof(seed));
	if (access(argv[1], F_OK) != 0) {
		assert(keyring_create(argv[1], (uint64_t)time(NULL), 24u * 3600) == 0);
	}
	assert(keyring_key_open(argv[1], KEYRING_AUDIT, &audit) == 0);
	envelope_seed_commit(release, LINK_RECIPE, seed, commitment);
	assert(keyring_seal(keyring_key_pub(audit), commitment, seed, sealed) == 0);
	keyring_key_free(audit);
	seal_print(commitment, sizeof(commitment));
	seal_print(sealed, sizeof(sealed));
	return 0;
}
