#pragma once
/*
 * The seam between envelopes and a cryptographic library. envelope_openssl.c
 * implements it on the host, envelope_sodium.c in the machine; the build picks
 * one of the files. The libraries differ in keys of small order and in points that
 * are not written canonically, so point.c refuses these in front of both.
 */
#include <stddef.h>
#include <stdint.h>

/* ret_hash = BLAKE2b-512 of the bytes, unkeyed. */
void envelope_hash(const void *bytes, size_t len, uint8_t ret_hash[64]);

/*
 * Non-zero when sig is a valid Ed25519 signature by pub over the bytes, with a key
 * and a signature that every verifier treats alike (point.c).
 */
int envelope_signature_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64]);

/* Can this public key be used: is it written canonically, and not of small order? */
int envelope_key_is_safe(const uint8_t pub[32]);

/* The seam itself: what the library says. Asked by envelope_signature_check() only. */
int envelope_signature_library_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64]);
