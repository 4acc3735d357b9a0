/*
 * Sealing seeds: ChaCha20-Poly1305 with a random 96-bit nonce per seed. One key
 * seals far fewer than the 2^32 seeds after which a nonce could repeat. The
 * context (the seed's commitment) is authenticated, so that sealed seeds cannot be
 * swapped between rows of a database.
 */
#include <errno.h>

#include <openssl/rand.h>

#include "keyring/priv.h"

enum {
	SEAL_NONCE = 12,
	SEAL_TAG = 16,
};

_Static_assert(SEAL_NONCE + SIGNER_SEED_SIZE + SEAL_TAG == SIGNER_SEALED_SIZE, "layout");

static void cipher_ctx_freep(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

int keyring_seal(const struct keyring_key *key, const uint8_t context[64],
        const uint8_t seed[SIGNER_SEED_SIZE], uint8_t ret_sealed[SIGNER_SEALED_SIZE])
{
	_cleanup_(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *nonce = ret_sealed;
	uint8_t *body = nonce + SEAL_NONCE;
	uint8_t *tag = body + SIGNER_SEED_SIZE;
	int n;

	if (key->role != KEYRING_SEAL) {
		return KEYRING_E_REFUSED;
	}
	if (ctx == NULL || RAND_bytes(nonce, SEAL_NONCE) != 1 ||
	        EVP_EncryptInit_ex2(ctx, EVP_chacha20_poly1305(), key->secret, nonce, NULL) != 1 ||
	        EVP_EncryptUpdate(ctx, NULL, &n, context, 64) != 1 ||
	        EVP_EncryptUpdate(ctx, body, &n, seed, SIGNER_SEED_SIZE) != 1 ||
	        EVP_EncryptFinal_ex(ctx, tag, &n) != 1 ||
	        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, tag) != 1) {
		return -EIO;
	}
	return 0;
}

int keyring_unseal(const struct keyring_key *key, const uint8_t context[64],
        const uint8_t sealed[SIGNER_SEALED_SIZE], uint8_t ret_seed[SIGNER_SEED_SIZE])
{
	_cleanup_(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const uint8_t *body = sealed + SEAL_NONCE;
	const uint8_t *tag = body + SIGNER_SEED_SIZE;
	uint8_t seed[SIGNER_SEED_SIZE + 1];
	int n;

	if (key->role != KEYRING_SEAL) {
		return KEYRING_E_REFUSED;
	}
	if (ctx == NULL ||
	        EVP_DecryptInit_ex2(ctx, EVP_chacha20_poly1305(), key->secret, sealed, NULL) != 1 ||
	        EVP_DecryptUpdate(ctx, NULL, &n, context, 64) != 1 ||
	        EVP_DecryptUpdate(ctx, seed, &n, body, SIGNER_SEED_SIZE) != 1 ||
	        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, (void *)(uintptr_t)tag) !=
	                1) {
		return -EIO;
	}
	if (EVP_DecryptFinal_ex(ctx, seed + n, &n) != 1) {
		OPENSSL_cleanse(seed, sizeof(seed));
		return KEYRING_E_REFUSED;
	}
	for (unsigned int i = 0; i < SIGNER_SEED_SIZE; i++) {
		ret_seed[i] = seed[i];
	}
	OPENSSL_cleanse(seed, sizeof(seed));
	return 0;
}
