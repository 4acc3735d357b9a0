/*
 * The kernel's random source: ChaCha20 in a fast-key-erasure arrangement. Each refill makes a block
 * from the key and a counter; half of it becomes the next key, so that what was handed out cannot
 * be computed from a later state. The first key mixes the boot image's seed with the machine's own
 * entropy, which is mixed in again at each refill where it costs nothing to wait for.
 */
#include "osd/kernel/base/random.h"
#include "osd/arch/arch.h"

#define N_KEY 8 /* words of 32 bits */
#define N_OUT 4 /* words of 64 bits handed out from one block */

static uint32_t key[N_KEY];
static uint64_t counter;
static uint64_t out[N_OUT];
static uint32_t n_out;

static uint32_t random_rotate(uint32_t x, uint32_t n)
{
	return x << n | x >> (32 - n);
}

static void random_quarter(uint32_t *s, int a, int b, int c, int d)
{
	s[a] += s[b];
	s[d] = random_rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = random_rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = random_rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = random_rotate(s[b] ^ s[c], 7);
}

static void random_block(uint32_t *ret_block, const uint32_t *nonce)
{
	uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, s[16];

	__builtin_memcpy(start + 4, key, sizeof(key));
	start[12] = (uint32_t)counter;
	start[13] = (uint32_t)(counter >> 32);
	start[14] = nonce[0];
	start[15] = nonce[1];
	counter++;
	__builtin_memcpy(s, start, sizeof(s));
	for (int i = 0; i < 10; i++) {
		random_quarter(s, 0, 4, 8, 12);
		random_quarter(s, 1, 5, 9, 13);
		random_quarter(s, 2, 6, 10, 14);
		random_quarter(s, 3, 7, 11, 15);
		random_quarter(s, 0, 5, 10, 15);
		random_quarter(s, 1, 6, 11, 12);
		random_quarter(s, 2, 7, 8, 13);
		random_quarter(s, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++) {
		ret_block[i] = s[i] + start[i];
	}
}

static void random_refill(void)
{
	uint64_t entropy = 0;
	uint32_t words[16];

	(void)arch_entropy(&entropy, 1);
	random_block(words, (const uint32_t[]){(uint32_t)entropy, (uint32_t)(entropy >> 32)});
	__builtin_memcpy(key, words, sizeof(key));
	__builtin_memcpy(out, words + N_KEY, sizeof(out));
	n_out = N_OUT;
}

void random_init(const uint8_t seed[32])
{
	uint64_t entropy[4] = {0};
	uint32_t mixed[N_KEY];

	(void)arch_entropy(entropy, 4);
	entropy[0] ^= arch_cycles();
	__builtin_memcpy(key, seed, sizeof(key));
	__builtin_memcpy(mixed, entropy, sizeof(mixed));
	random_refill();
	for (int i = 0; i < N_KEY; i++) {
		key[i] ^= mixed[i];
	}
	random_refill();
}

uint64_t random_next(void)
{
	uint64_t value;

	if (n_out == 0) {
		random_refill();
	}
	value = out[--n_out];
	out[n_out] = 0;
	return value;
}
