/*
 * Sealed seeds, both sides at once: what the machine seals (libsodium) with any keys the host
 * (OpenSSL) opens, unless both refuse the audit key; any other commitment, and any sealed seed with a
 * changed byte, it refuses. And any bytes at all: they open under no key.
 */
#include <stdlib.h>
#include <string.h>

#include "keyring/priv.h"
#include "proto/envelope/seal.h"

/* What a case is made of, as far as its bytes go. */
struct seal_case {
	uint8_t audit[32], ephemeral[32], seed[SEED_SIZE], commitment[64];
	uint8_t any[SEAL_SIZE];
	uint8_t is_public; /* audit is a public key, to which nobody has the other half */
	uint8_t at, change;
	uint8_t pad;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal_assert(bool holds)
{
	if (!holds) {
		abort();
	}
}

static bool seal_opens(
        const struct keyring_key *audit, const struct seal_case *c, const uint8_t sealed[SEAL_SIZE])
{
	uint8_t seed[SEED_SIZE];

	return keyring_unseal(audit, c->commitment, sealed, seed) == 0 &&
	       memcmp(seed, c->seed, sizeof(seed)) == 0;
}

static int seal_machine(
        const struct seal_case *c, const uint8_t audit_pub[32], uint8_t ret_sealed[SEAL_SIZE])
{
	struct seal_agreement agreement;
	uint8_t ephemeral[32];

	memcpy(ephemeral, c->ephemeral, sizeof(ephemeral));
	if (envelope_seal_agree(audit_pub, ephemeral, &agreement) != 0) {
		return -1;
	}
	envelope_seal(&agreement, c->commitment, c->seed, ret_sealed);
	return 0;
}

/* Whether a public key is of small order both libraries must say alike. */
static void seal_public(const struct seal_case *c)
{
	uint8_t machine[SEAL_SIZE], host[SEAL_SIZE];
	int r = keyring_seal(c->audit, c->commitment, c->seed, host);

	seal_assert((seal_machine(c, c->audit, machine) == 0) == (r == 0));
}

static void seal_private(struct seal_case *c)
{
	struct keyring_key audit = {.role = KEYRING_AUDIT};
	size_t len = sizeof(audit.pub);
	uint8_t sealed[SEAL_SIZE];

	audit.pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, c->audit, 32);
	seal_assert(audit.pkey != NULL &&
	            EVP_PKEY_get_raw_public_key(audit.pkey, audit.pub, &len) == 1);
	seal_assert(seal_machine(c, audit.pub, sealed) == 0 && seal_opens(&audit, c, sealed));
	seal_assert(!seal_opens(&audit, c, c->any));
	c->commitment[c->at % 64] ^= 1;
	seal_assert(!seal_opens(&audit, c, sealed));
	c->commitment[c->at % 64] ^= 1;
	sealed[c->at % SEAL_SIZE] ^= c->change != 0 ? c->change : 1;
	seal_assert(!seal_opens(&audit, c, sealed));
	EVP_PKEY_free(audit.pkey);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_case c = {0};

	memcpy(&c, data, size < sizeof(c) ? size : sizeof(c));
	if ((c.is_public & 1) != 0) {
		seal_public(&c);
	} else {
		seal_private(&c);
	}
	return 0;
}
