/*
 * The seam on the host: OpenSSL's libcrypto. Its initial vector for ChaCha20 is the block
 * number, little endian, and the nonce.
 */
#include "proto/image/link_crypto.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

int link_hash(const void *bytes, size_t len, uint8_t ret_hash[64])
{
	unsigned int n = 0;

	return EVP_Digest(bytes, len, ret_hash, &n, EVP_blake2b512(), NULL) == 1 && n == 64 ? 0
	                                                                                    : -1;
}

int link_stream(const uint8_t key[LINK_KEY_SIZE], uint32_t stream, uint32_t block,
        uint8_t *ret_bytes, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = {0};
	int n, good;

	memcpy(iv, &block, sizeof(block));
	memcpy(iv + 4, &stream, sizeof(stream));
	memset(ret_bytes, 0, len);
	good = ctx != NULL && len <= INT_MAX &&
	       EVP_EncryptInit_ex(ctx, EVP_chacha20(), NULL, key, iv) == 1 &&
	       EVP_EncryptUpdate(ctx, ret_bytes, &n, ret_bytes, (int)len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return good ? 0 : -1;
}
