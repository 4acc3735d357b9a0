/*
 * OpenSSL and libsodium before the same keys, signatures and messages: behind point.c
 * they must agree. An input is one byte of choices, 32 of key, 64 of signature, and a
 * message; the choices put a point of small order in, or a number next to a limit.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/point_seams.h"

static const uint8_t specials[][32] = {
        {0},
        {1},
        {0xec, [1 ... 30] = 0xff, 0x7f},
        {0xee, [1 ... 30] = 0xff, 0xff},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
                0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d,
                0x53, 0xfc, 0x05},
        /* the generator: y = 4/5 */
        {0x58, [1 ... 31] = 0x66},
        /* L - 1 and L, as S */
        {0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
                0x14, [31] = 0x10},
        {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
                0x14, [31] = 0x10},
};

static void choose(uint8_t to[32], unsigned int choice)
{
	if (choice < sizeof(specials) / sizeof(specials[0])) {
		memcpy(to, specials[choice], 32);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t pub[32], sig[64];

	if (size < 99) {
		return 0;
	}
	memcpy(pub, data + 3, sizeof(pub));
	memcpy(sig, data + 35, sizeof(sig));
	choose(pub, data[0] % 16);
	choose(sig, data[1] % 16);
	choose(sig + 32, data[2] % 16);
	if (seam_check(check_openssl, pub, data + 99, size - 99, sig) !=
	        seam_check(check_sodium, pub, data + 99, size - 99, sig)) {
		abort();
	}
	return 0;
}
