/*
 * The seam in the machine: libsodium, which needs no memory and cannot fail here.
 */
#include "proto/image/link_crypto.h"

#include <string.h>

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_stream_chacha20.h>

/* Cannot fail: the output length is a legal one and there is no key. */
int link_hash(const void *bytes, size_t len, uint8_t ret_hash[64])
{
	return crypto_generichash_blake2b(ret_hash, 64, bytes, len, NULL, 0);
}

int link_stream(const uint8_t key[LINK_KEY_SIZE], uint32_t stream, uint32_t block,
        uint8_t *ret_bytes, size_t len)
{
	uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = {0};

	memcpy(nonce, &stream, sizeof(stream));
	memset(ret_bytes, 0, len);
	return crypto_stream_chacha20_ietf_xor_ic(ret_bytes, ret_bytes, len, nonce, block, key);
}
