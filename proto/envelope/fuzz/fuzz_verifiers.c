/*
 * Genuine signatures before OpenSSL and libsodium, both behind point.c: what one accepts and the
 * other refuses would be signed on one side and refused on the other, or worse. This is done to
 * them: bytes changed, the group order added to S, keys and R of small order or in encodings that
 * are not canonical, and S chosen for such an R by somebody who has the key. fuzz_point.c begins
 * with arbitrary bytes instead.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/envelope/point_seams.h"
#include "proto/envelope/point_vectors.h"

static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

static uint8_t secret[64], pub[32], scalar[32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t seed[32] = {7}, hash[64];

	if (sodium_init() < 0 || crypto_sign_seed_keypair(pub, secret, seed) != 0) {
		abort();
	}
	(void)crypto_hash_sha512(hash, seed, sizeof(seed));
	hash[0] &= 248;
	hash[31] = (hash[31] & 127) | 64;
	memcpy(scalar, hash, 32);
	return 0;
}

/* S for this R and key bytes: h(R, A, M) a. Right when R is the neutral point, and off by a point
 * of small order for the others. */
static void sign_for(const uint8_t key[32], const uint8_t *msg, size_t len, uint8_t sig[64])
{
	crypto_hash_sha512_state state;
	uint8_t hash[64], h[32], a[32], wide[64] = {0};

	(void)crypto_hash_sha512_init(&state);
	(void)crypto_hash_sha512_update(&state, sig, 32);
	(void)crypto_hash_sha512_update(&state, key, 32);
	(void)crypto_hash_sha512_update(&state, msg, len);
	(void)crypto_hash_sha512_final(&state, hash);
	crypto_core_ed25519_scalar_reduce(h, hash);
	memcpy(wide, scalar, 32);
	crypto_core_ed25519_scalar_reduce(a, wide);
	crypto_core_ed25519_scalar_mul(sig + 32, h, a);
}

static void point_small(uint8_t point[32], uint8_t which)
{
	memcpy(point, vector_small[which % VECTOR_N_SMALL], 32);
	point[31] |= which & 0x80;
}

static int is_small(const uint8_t point[32])
{
	uint8_t y[32];

	memcpy(y, point, 32);
	y[31] &= 0x7f;
	for (size_t i = 0; i < VECTOR_N_SMALL; i++) {
		if (memcmp(y, vector_small[i], 32) == 0) {
			return 1;
		}
	}
	return 0;
}

static void s_add_order(uint8_t sig[64])
{
	unsigned int carry = 0;

	for (unsigned int i = 0; i < 32; i++) {
		carry += sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static void compare(const uint8_t key[32], const uint8_t *msg, size_t len, const uint8_t sig[64])
{
	int host = seam_check(check_openssl, key, msg, len, sig);
	int machine = seam_check(check_sodium, key, msg, len, sig);

	if (host && (is_small(key) || is_small(sig))) {
		(void)fputs("a point of small order is accepted\n", stderr);
		abort();
	}
	if (host != machine) {
		(void)fprintf(stderr, "host %d, machine %d\n", host, machine);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t key[32], sig[64];
	const uint8_t *msg;
	size_t len;

	if (size < 4) {
		return 0;
	}
	msg = data + 4;
	len = size - 4 < 16 ? size - 4 : 16;
	memcpy(key, pub, 32);
	(void)crypto_sign_detached(sig, NULL, msg, len, secret);
	if (data[0] & 1) {
		point_small(sig, data[1]);
	}
	if (data[0] & 2) {
		point_small(key, data[2]);
	}
	if (data[0] & 4) {
		sign_for(key, msg, len, sig);
	}
	for (uint8_t i = 0; i < (data[0] >> 3) % 4; i++) {
		s_add_order(sig);
	}
	/* The rest changes bytes of the key and of the signature. */
	for (const uint8_t *p = msg + len; p + 2 <= data + size; p += 2) {
		*(p[0] % 96 < 32 ? &key[p[0] % 96] : &sig[p[0] % 96 - 32]) ^= p[1];
	}
	compare(key, msg, len, sig);
	return 0;
}
