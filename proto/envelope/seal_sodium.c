/*
 * Sealing in the machine; see seal.h. libsodium needs no memory and has one way to fail here: an
 * audit key with which everybody agrees on the same secret. All private values are wiped on every
 * way out.
 */
#include "proto/envelope/seal.h"

#include <string.h>

#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_scalarmult_curve25519.h>
#include <sodium/utils.h>

_Static_assert(crypto_scalarmult_curve25519_BYTES == SEAL_PUB_SIZE, "layout");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == SEAL_TAG_SIZE, "layout");
_Static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == SEAL_KEY_SIZE, "one block of HKDF");
_Static_assert(crypto_auth_hmacsha256_BYTES == SEAL_KEY_SIZE, "one block of HKDF");

static void seal_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
        uint8_t ret_mac[SEAL_KEY_SIZE])
{
	crypto_auth_hmacsha256_state state;

	(void)crypto_auth_hmacsha256_init(&state, key, key_len);
	(void)crypto_auth_hmacsha256_update(&state, bytes, len);
	(void)crypto_auth_hmacsha256_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
}

/*
 * HKDF-SHA256 (RFC 5869) with one block of output: extract, then the first step of expand, whose
 * counter is 1. Both public keys are in the salt, so that a secret agreed with one audit key opens
 * nothing under another.
 */
static void seal_key(const uint8_t secret[32], const uint8_t ephemeral_pub[SEAL_PUB_SIZE],
        const uint8_t audit_pub[SEAL_PUB_SIZE], uint8_t ret_key[SEAL_KEY_SIZE])
{
	static const char info[] = SEAL_INFO "\x01";
	uint8_t salt[2 * SEAL_PUB_SIZE], extracted[SEAL_KEY_SIZE];

	memcpy(salt, ephemeral_pub, SEAL_PUB_SIZE);
	memcpy(salt + SEAL_PUB_SIZE, audit_pub, SEAL_PUB_SIZE);
	seal_hmac(salt, sizeof(salt), secret, 32, extracted);
	seal_hmac(extracted, sizeof(extracted), info, sizeof(info) - 1, ret_key);
	sodium_memzero(extracted, sizeof(extracted));
}

int envelope_seal_agree(
        const uint8_t audit_pub[32], uint8_t ephemeral[32], struct seal_agreement *ret_agreement)
{
	uint8_t secret[32];
	int r = crypto_scalarmult_curve25519(secret, ephemeral, audit_pub);

	memset(ret_agreement, 0, sizeof(*ret_agreement));
	if (r == 0) {
		(void)crypto_scalarmult_curve25519_base(ret_agreement->ephemeral_pub, ephemeral);
		seal_key(secret, ret_agreement->ephemeral_pub, audit_pub, ret_agreement->key);
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(ephemeral, 32);
	return r;
}

void envelope_seal(struct seal_agreement *agreement, const uint8_t commitment[64],
        const uint8_t seed[SEED_SIZE], uint8_t ret_sealed[SEAL_SIZE])
{
	static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	memcpy(ret_sealed, agreement->ephemeral_pub, SEAL_PUB_SIZE);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(ret_sealed + SEAL_PUB_SIZE, NULL, seed,
	        SEED_SIZE, commitment, 64, NULL, nonce, agreement->key);
	sodium_memzero(agreement, sizeof(*agreement));
}
