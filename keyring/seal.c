/*
 * Sealing seeds: whoever makes a layout keeps its seed for those who audit it, in a form that
 * no online process can open, the maker included. The form is described in
 * proto/envelope/seal.h, where the machine has it, too; the context here is the commitment there.
 *
 * All private values are wiped on every way out.
 */
#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>

#include "keyring/priv.h"
#include "proto/envelope/seal.h"

_Static_assert(SEAL_SIZE == SIGNER_SEALED_SIZE, "layout");

static void seal_cipher_ctx_freep(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

static void seal_pkey_ctx_freep(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

static void seal_pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void seal_kdf_freep(EVP_KDF **kdf)
{
	EVP_KDF_free(*kdf);
}

static void seal_kdf_ctx_freep(EVP_KDF_CTX **ctx)
{
	EVP_KDF_CTX_free(*ctx);
}

/* The agreed secret. 0, or -1 also when the other side's key is of small order. */
static int seal_agree(EVP_PKEY *own, const uint8_t other[32], uint8_t ret_secret[32])
{
	_cleanup_(seal_pkey_freep) EVP_PKEY *peer =
	        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other, 32);
	_cleanup_(seal_pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t len = 32;

	return peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	                       EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	                       EVP_PKEY_derive(ctx, ret_secret, &len) == 1 && len == 32
	               ? 0
	               : -1;
}

/*
 * Both public keys are in the salt, so that a secret agreed with one audit key opens nothing
 * under another.
 */
static int seal_hkdf(uint8_t secret[32], const uint8_t ephemeral[32], const uint8_t audit[32],
        uint8_t ret_key[32])
{
	_cleanup_(seal_kdf_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	_cleanup_(seal_kdf_ctx_freep) EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	uint8_t salt[64];
	OSSL_PARAM params[] = {
	        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
	        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, 32),
	        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof(salt)),
	        OSSL_PARAM_construct_octet_string(
	                OSSL_KDF_PARAM_INFO, SEAL_INFO, sizeof(SEAL_INFO) - 1),
	        OSSL_PARAM_construct_end(),
	};

	memcpy(salt, ephemeral, 32);
	memcpy(salt + 32, audit, 32);
	return ctx != NULL && EVP_KDF_derive(ctx, ret_key, 32, params) == 1 ? 0 : -1;
}

/* The box's key, from either side. */
static int seal_key(EVP_PKEY *own, const uint8_t other[32], const uint8_t ephemeral[32],
        const uint8_t audit[32], uint8_t ret_key[32])
{
	uint8_t secret[32];
	int r = seal_agree(own, other, secret);

	if (r == 0) {
		r = seal_hkdf(secret, ephemeral, audit, ret_key);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

/*
 * On failure ret_sealed is all zero, which opens under no key. A public key of small order is
 * such a failure: OpenSSL refuses to agree on zero.
 */
int keyring_seal(const uint8_t audit_pub[32], const uint8_t context[64],
        const uint8_t seed[SIGNER_SEED_SIZE], uint8_t ret_sealed[SIGNER_SEALED_SIZE])
{
	static const uint8_t nonce[12];
	_cleanup_(seal_pkey_freep) EVP_PKEY *ephemeral = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	_cleanup_(seal_cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *body = ret_sealed + SEAL_PUB_SIZE;
	size_t len = SEAL_PUB_SIZE;
	uint8_t key[32];
	int good, n;

	good = ephemeral != NULL && ctx != NULL &&
	       EVP_PKEY_get_raw_public_key(ephemeral, ret_sealed, &len) == 1 &&
	       seal_key(ephemeral, audit_pub, ret_sealed, audit_pub, key) == 0 &&
	       EVP_EncryptInit_ex2(ctx, EVP_chacha20_poly1305(), key, nonce, NULL) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &n, context, 64) == 1 &&
	       EVP_EncryptUpdate(ctx, body, &n, seed, SIGNER_SEED_SIZE) == 1 &&
	       EVP_EncryptFinal_ex(ctx, body + SIGNER_SEED_SIZE, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(
	               ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, body + SIGNER_SEED_SIZE) == 1;
	OPENSSL_cleanse(key, sizeof(key));
	if (!good) {
		memset(ret_sealed, 0, SIGNER_SEALED_SIZE);
		return -EIO;
	}
	return 0;
}

/*
 * KEYRING_E_REFUSED: not the audit key, not this context, or a byte of it was changed; which
 * one is not said. ret_seed is untouched then.
 */
int keyring_unseal(const struct keyring_key *audit, const uint8_t context[64],
        const uint8_t sealed[SIGNER_SEALED_SIZE], uint8_t ret_seed[SIGNER_SEED_SIZE])
{
	static const uint8_t nonce[12];
	_cleanup_(seal_cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const uint8_t *body = sealed + SEAL_PUB_SIZE;
	const uint8_t *tag = body + SIGNER_SEED_SIZE;
	uint8_t seed[SIGNER_SEED_SIZE + 1], key[32];
	int good, n;

	if (audit->role != KEYRING_AUDIT) {
		return KEYRING_E_REFUSED;
	}
	if (ctx == NULL) {
		return -ENOMEM;
	}
	good = seal_key(audit->pkey, sealed, sealed, audit->pub, key) == 0 &&
	       EVP_DecryptInit_ex2(ctx, EVP_chacha20_poly1305(), key, nonce, NULL) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &n, context, 64) == 1 &&
	       EVP_DecryptUpdate(ctx, seed, &n, body, SIGNER_SEED_SIZE) == 1 &&
	       EVP_CIPHER_CTX_ctrl(
	               ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, (void *)(uintptr_t)tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, seed + n, &n) == 1;
	if (good) {
		memcpy(ret_seed, seed, SIGNER_SEED_SIZE);
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(seed, sizeof(seed));
	return good ? 0 : KEYRING_E_REFUSED;
}
