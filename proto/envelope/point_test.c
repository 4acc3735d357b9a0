/*
 * Keys and signatures on which OpenSSL and libsodium differ, asked of both behind
 * point.c: both must say the same, and say no where a forgery would be possible.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include <openssl/evp.h>

#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/point_seams.h"
#include "proto/envelope/point_vectors.h"

/* The neutral point, with S = 0: fits every message, under a key of small order. */
static const uint8_t neutral[64] = {1};

static uint8_t pub[32], sig[64];
static const char message[] = "a message";

static void make_signature(void)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, neutral, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(pub);

	assert(key != NULL && EVP_PKEY_get_raw_public_key(key, pub, &n) == 1);
	n = sizeof(sig);
	assert(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1);
	assert(EVP_DigestSign(ctx, sig, &n, (const void *)message, sizeof(message)) == 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static int agreed(const uint8_t key[32], const uint8_t signature[64])
{
	int openssl = seam_check(check_openssl, key, message, sizeof(message), signature);
	int sodium = seam_check(check_sodium, key, message, sizeof(message), signature);

	assert(openssl == sodium);
	return openssl;
}

/* A library that takes everything: what is refused before it is asked. */
static int check_nothing(
        const uint8_t key[32], const void *bytes, size_t len, const uint8_t signature[64])
{
	return 1;
}

static int passed(const uint8_t key[32], const uint8_t signature[64])
{
	return seam_check(check_nothing, key, message, sizeof(message), signature);
}

static void test_small_order(void)
{
	int n_forged = 0;

	for (unsigned int i = 0; i < VECTOR_N_SMALL; i++) {
		for (unsigned int sign = 0; sign < 2; sign++) {
			uint8_t key[32], r[64];

			memcpy(key, vector_small[i], sizeof(key));
			key[31] |= (uint8_t)(sign << 7);
			assert(!envelope_key_is_safe(key));
			assert(!agreed(key, neutral));
			n_forged += check_openssl(key, message, sizeof(message), neutral);
			memcpy(r, sig, sizeof(r));
			memcpy(r, key, sizeof(key));
			assert(!agreed(pub, r) && !passed(pub, r) && !passed(key, sig));
		}
	}
	assert(n_forged > 0); /* the library alone would have taken it */
}

static void test_canonical(void)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6,
	        0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	uint8_t more[64], high[32];
	unsigned int carry = 0;

	assert(agreed(pub, sig));
	memcpy(more, sig, sizeof(more));
	for (unsigned int i = 0; i < 32; i++) {
		carry += more[32 + i] + order[i];
		more[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert(!agreed(pub, more) && !passed(pub, more)); /* S + L */
	assert(passed(pub, sig));
	for (unsigned int y = 0; y < 19; y++) {
		memset(high, 0xff, sizeof(high));
		high[0] = (uint8_t)(0xed + y);
		for (unsigned int sign = 0; sign < 2; sign++) {
			high[31] = sign != 0 ? 0xff : 0x7f;
			assert(!envelope_key_is_safe(high) && !agreed(high, sig));
			assert(!passed(high, sig));
		}
	}
}

/* Every bit of key and signature, and of the message. */
static void test_bits(void)
{
	for (unsigned int i = 0; i < 8 * sizeof(sig); i++) {
		uint8_t key[32], bad[64];

		memcpy(bad, sig, sizeof(bad));
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		assert(!agreed(pub, bad));
		memcpy(key, pub, sizeof(key));
		key[i / 8 % 32] ^= (uint8_t)(1 << i % 8);
		assert(!agreed(key, sig));
	}
}

int main(void)
{
	make_signature();
	test_small_order();
	test_canonical();
	test_bits();
	return 0;
}
