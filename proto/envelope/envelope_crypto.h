#pragma once
/*
 * The seam between envelopes and a cryptographic library. envelope_openssl.c
 * implements it on the host, envelope_sodium.c in the machine; the build picks
 * one of the files.
 */
#include <stddef.h>
#include <stdint.h>

/* ret_hash = BLAKE2b-512 of the bytes, unkeyed. */
void envelope_hash(const void *bytes, size_t len, uint8_t ret_hash[64]);

/* Non-zero when sig is a valid Ed25519 signature by pub over the bytes. */
int envelope_signature_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64]);
