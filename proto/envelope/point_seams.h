#pragma once
/*
 * Both libraries in one test program: the build compiles envelope_openssl.c and
 * envelope_sodium.c under these names, and point.c asks the one that is chosen.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/envelope_crypto.h"

typedef int seam_checker(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64]);
seam_checker check_openssl, check_sodium;

static seam_checker *seam_chosen;

int envelope_signature_library_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64])
{
	return seam_chosen(pub, bytes, len, sig);
}

static inline int seam_check(seam_checker *library, const uint8_t pub[32], const void *bytes,
        size_t len, const uint8_t sig[64])
{
	seam_chosen = library;
	return envelope_signature_check(pub, bytes, len, sig) != 0;
}
