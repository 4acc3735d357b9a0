/* The bytes of a commitment, which signed variants and results hold; each part counts. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/envelope/seed.h"

/* Of release id 0, 1 ... 63, recipe 2, seed 100, 101 ... 131, made with Python's hashlib. */
static const uint8_t known[64] = {
        0x8a,
        0x73,
        0xf2,
        0xd5,
        0x00,
        0x91,
        0x92,
        0xcf,
        0x5a,
        0xe1,
        0x23,
        0xc4,
        0xf4,
        0x90,
        0x72,
        0xd9,
        0xbf,
        0xef,
        0xca,
        0x0b,
        0xd2,
        0xed,
        0xa6,
        0x41,
        0x25,
        0x4d,
        0xb8,
        0xc3,
        0x79,
        0x92,
        0xc8,
        0xed,
        0x3d,
        0x2b,
        0x52,
        0xf4,
        0x17,
        0x1c,
        0xb7,
        0x06,
        0xd6,
        0xb5,
        0x51,
        0x53,
        0x53,
        0x89,
        0xd5,
        0xdf,
        0x96,
        0x42,
        0x9c,
        0xb7,
        0x8d,
        0x88,
        0x3f,
        0x34,
        0x4c,
        0x0e,
        0xfd,
        0xc4,
        0x9f,
        0x90,
        0xcf,
        0xce,
};

int main(void)
{
	uint8_t release[64], seed[SEED_SIZE], commit[64];

	for (unsigned int i = 0; i < sizeof(release); i++) {
		release[i] = (uint8_t)i;
	}
	for (unsigned int i = 0; i < sizeof(seed); i++) {
		seed[i] = (uint8_t)(100 + i);
	}
	envelope_seed_commit(release, 2, seed, commit);
	assert(memcmp(commit, known, sizeof(commit)) == 0);
	envelope_seed_commit(release, 3, seed, commit);
	assert(memcmp(commit, known, sizeof(commit)) != 0);
	release[63] ^= 1;
	envelope_seed_commit(release, 2, seed, commit);
	assert(memcmp(commit, known, sizeof(commit)) != 0);
	release[63] ^= 1;
	seed[31] ^= 1;
	envelope_seed_commit(release, 2, seed, commit);
	assert(memcmp(commit, known, sizeof(commit)) != 0);
	return 0;
}
