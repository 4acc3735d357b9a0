#pragma once
/*
 * The only source of choice in a variant: streams of numbers that a 256-bit seed
 * fixes completely. Every kind of choice draws from a stream of its own, named by
 * a label, so that a new kind of choice does not change the older ones.
 *
 * A stream is ChaCha20 keyed with the seed; the nonce is the start of the label's
 * BLAKE2b-512. DRAW_RECIPE names this and every use made of the streams: it goes
 * into manifests, and changes whenever the same seed would give another layout.
 */
#include <stddef.h>
#include <stdint.h>

#define DRAW_RECIPE 1u
#define DRAW_SEED_SIZE 32u

struct draw;

/* Open a stream. The seed may be forgotten afterwards. NULL when OpenSSL fails. */
struct draw *draw_new(const uint8_t seed[DRAW_SEED_SIZE], const char *label);
struct draw *draw_free(struct draw *draw);

uint64_t draw_u64(struct draw *draw);

/* A number in [0, limit), each equally likely; limit > 0. */
uint64_t draw_below(struct draw *draw, uint64_t limit);

/* Put n items of `size` bytes into an order, each equally likely. */
void draw_shuffle(struct draw *draw, void *items, size_t n, size_t size);

/* Parse exactly 64 hexadecimal digits. Return 0, or -EINVAL without printing. */
int draw_seed_parse(const char *hex, uint8_t ret_seed[DRAW_SEED_SIZE]);

static inline void draw_freep(struct draw **draw)
{
	(void)draw_free(*draw);
}
