/*
 * The seam on the host: OpenSSL's libcrypto. point.c has turned away every key and signature
 * on which libraries may differ before this is asked; what is left has one answer. A check
 * that fails for want of memory answers as for a bad signature: refusing is safe. A hash has
 * no such answer, so that ends the process.
 */
#include "proto/envelope/envelope_crypto.h"

#include <stdlib.h>

#include <openssl/evp.h>

void envelope_hash(const void *bytes, size_t len, uint8_t ret_hash[64])
{
	unsigned int n = 0;

	if (EVP_Digest(bytes, len, ret_hash, &n, EVP_blake2b512(), NULL) != 1 || n != 64) {
		abort();
	}
}

int envelope_signature_library_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int good = key != NULL && ctx != NULL &&
	           EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	           EVP_DigestVerify(ctx, sig, 64, bytes, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}
