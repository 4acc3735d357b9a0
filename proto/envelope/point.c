/*
 * Keys and signatures that not every Ed25519 verifier treats alike are refused before
 * the library is asked: OpenSSL takes keys of small order, under which one signature
 * fits every message, and points that are not written canonically; libsodium does
 * not. What is left is decided by one equation over bytes, which both compute.
 *
 * A point is 32 bytes, little endian: y in 255 bits, and the sign of x. A signature is
 * a point R and a number S. All of this is public, so nothing here hides its time.
 */
#include <string.h>

#include "proto/envelope/envelope_crypto.h"

enum {
	POINT_SIZE = 32,
	POINT_SIGN = 0x80 /* in the last byte: the sign of x */
};

/* p = 2^255 - 19 */
static const uint8_t point_field[POINT_SIZE] = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

/* L = 2^252 + 27742317777372353535851937790883648493 */
static const uint8_t point_order[POINT_SIZE] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
        0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

/* The y of all points of order 1, 2, 4 and 8; each stands for both signs. */
static const uint8_t point_small[][POINT_SIZE] = {
        {0},
        {1},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                0xff, 0xff, 0x7f},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
                0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d,
                0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
                0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92,
                0xac, 0x03, 0x7a},
};

/* a < b, as little endian numbers. */
static int point_number_is_below(const uint8_t a[POINT_SIZE], const uint8_t b[POINT_SIZE])
{
	for (unsigned int i = POINT_SIZE; i-- > 0;) {
		if (a[i] != b[i]) {
			return a[i] < b[i];
		}
	}
	return 0;
}

/* Written canonically and not of small order. Whether it is on the curve, the library knows. */
static int point_is_safe(const uint8_t point[POINT_SIZE])
{
	uint8_t y[POINT_SIZE];

	memcpy(y, point, sizeof(y));
	y[POINT_SIZE - 1] &= (uint8_t)~POINT_SIGN;
	for (unsigned int i = 0; i < sizeof(point_small) / sizeof(point_small[0]); i++) {
		if (memcmp(y, point_small[i], sizeof(y)) == 0) {
			return 0;
		}
	}
	return point_number_is_below(y, point_field);
}

int envelope_key_is_safe(const uint8_t pub[32])
{
	return point_is_safe(pub);
}

int envelope_signature_check(
        const uint8_t pub[32], const void *bytes, size_t len, const uint8_t sig[64])
{
	return point_is_safe(pub) && point_is_safe(sig) &&
	       point_number_is_below(sig + POINT_SIZE, point_order) &&
	       envelope_signature_library_check(pub, bytes, len, sig);
}
