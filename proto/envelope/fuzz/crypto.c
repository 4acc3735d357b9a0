/*
 * The seam for fuzzing: a cheap hash, and signatures that are good when their
 * first byte is even, so that a fuzzer gets past them.
 */
#include "proto/envelope/envelope_crypto.h"

void envelope_hash(const void *bytes, size_t len, uint8_t ret_hash[64])
{
	const uint8_t *p = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++) {
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	}
	for (unsigned int i = 0; i < 64; i++) {
		h = (h ^ i) * UINT64_C(0x100000001b3);
		ret_hash[i] = (uint8_t)(h >> 56);
	}
}

int envelope_signature_library_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64])
{
	return sig[0] % 2 == 0;
}
