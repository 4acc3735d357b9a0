/*
 * The seam in the machine: libsodium, which needs no memory and cannot fail here. The same
 * keys and signatures as with OpenSSL, see point.c.
 */
#include "proto/envelope/envelope_crypto.h"

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_sign_ed25519.h>

/* Cannot fail: the output length is a legal one and there is no key. */
void envelope_hash(const void *bytes, size_t len, uint8_t ret_hash[64])
{
	(void)crypto_generichash_blake2b(ret_hash, 64, bytes, len, NULL, 0);
}

int envelope_signature_library_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64])
{
	return crypto_sign_ed25519_verify_detached(sig, bytes, len, pub) == 0;
}
