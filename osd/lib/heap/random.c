/*
 * The generator that places objects: ChaCha with eight rounds, keyed with random bytes of the
 * start page, so that every instance draws other places and those that are known tell nothing of
 * the next. A block is made when the last one is used up; draws take a byte or two of it
 * (priv.h), so they are nearly even, not quite: good for places, for nothing else.
 */
#include "osd/lib/heap/priv.h"

#include <string.h>

static inline uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static inline void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotl(*d ^ *a, 16);
	*c += *d;
	*b = rotl(*b ^ *c, 12);
	*a += *b;
	*d = rotl(*d ^ *a, 8);
	*c += *d;
	*b = rotl(*b ^ *c, 7);
}

void heap_random_refill(void)
{
	struct heap_root *root = &heap_root;
	uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	uint32_t x[16];

	memcpy(start + 4, root->random_key, 32);
	start[12] = (uint32_t)root->random_block;
	start[13] = (uint32_t)(root->random_block >> 32);
	root->random_block++;
	memcpy(x, start, sizeof(x));
	for (int round = 0; round < 8; round += 2) {
		for (int i = 0; i < 4; i++) {
			quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
		}
		for (int i = 0; i < 4; i++) {
			quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4],
			        &x[12 + (i + 3) % 4]);
		}
	}
	for (int i = 0; i < 16; i++) {
		x[i] += start[i];
	}
	memcpy(root->random_pool, x, sizeof(x));
	root->random_left = sizeof(root->random_pool);
}

void heap_random_init(const uint8_t key[32])
{
	memcpy(heap_root.random_key, key, 32);
	heap_root.random_block = 0;
	heap_root.random_left = 0;
}
