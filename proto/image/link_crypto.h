#pragma once
/*
 * The seam between the linker and a cryptographic library. link_openssl.c implements it on the
 * host, link_sodium.c in the machine; the build picks one of the files. Both give the same
 * bytes.
 */
#include <stddef.h>
#include <stdint.h>

#define LINK_KEY_SIZE 32u
/* A block of the cipher. */
#define LINK_BLOCK_SIZE 64u

/* ret_hash = BLAKE2b-512 of the bytes, unkeyed. 0, or -1 when the library failed. */
int link_hash(const void *bytes, size_t len, uint8_t ret_hash[64]);

/*
 * `len` bytes of the ChaCha20 key stream (RFC 8439) of a nonce, from block number `block` on.
 * The nonce is the stream's number, little endian, and eight zeros. 0, or -1 when the library
 * failed.
 */
int link_stream(const uint8_t key[LINK_KEY_SIZE], uint32_t stream, uint32_t block,
        uint8_t *ret_bytes, size_t len);
