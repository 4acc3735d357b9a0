/*
 * Seeded streams of choice: ChaCha20 over zeros, read eight bytes at a time. Numbers below a
 * limit are drawn again when they are among the few that would make small results likelier. A
 * stream's nonce comes from its label, so streams of one seed have nothing to do with each
 * other, and a new one changes no other.
 */
#include "forge/layout/draw.h"

#include <errno.h>
#include <string.h>
#include <openssl/evp.h>

#include "forge/base/mem.h"
#include "host/text/hex.h"

struct draw {
	EVP_CIPHER_CTX *cipher;
	uint8_t block[512];
	size_t used; /* bytes of block already given away */
};

/*
 * OpenSSL's IV for ChaCha20 is 16 bytes: four of block counter (0), twelve of nonce. Labels
 * are ours and few, so 96 bits of hash never meet.
 */
static int draw_cipher_start(
        EVP_CIPHER_CTX *ctx, const uint8_t seed[DRAW_SEED_SIZE], const char *label)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	uint8_t iv[16] = {0};

	if (EVP_Digest(label, strlen(label), hash, NULL, EVP_blake2b512(), NULL) != 1) {
		return -EIO;
	}
	/* The first four bytes are the block counter. */
	memcpy(iv + 4, hash, 12);
	return EVP_EncryptInit_ex(ctx, EVP_chacha20(), NULL, seed, iv) == 1 ? 0 : -EIO;
}

struct draw *draw_new(const uint8_t seed[DRAW_SEED_SIZE], const char *label)
{
	struct draw *d = mem_zalloc(1, sizeof(*d));

	d->used = sizeof(d->block);
	d->cipher = EVP_CIPHER_CTX_new();
	if (!d->cipher || draw_cipher_start(d->cipher, seed, label) < 0) {
		return draw_free(d);
	}
	return d;
}

struct draw *draw_free(struct draw *draw)
{
	if (draw) {
		EVP_CIPHER_CTX_free(draw->cipher);
		free(draw);
	}
	return NULL;
}

/*
 * 512 bytes at a time: fewer calls. Part of no recipe: the stream is the same whatever the
 * block.
 */
static void draw_refill(struct draw *d)
{
	static const uint8_t zero[sizeof(d->block)];
	int n;

	/* Cannot fail: the context is set up and a stream cipher takes any length. */
	(void)EVP_EncryptUpdate(d->cipher, d->block, &n, zero, sizeof(zero));
	d->used = 0;
}

/* Eight bytes, little endian, so that the number is the same on every host. */
uint64_t draw_u64(struct draw *d)
{
	uint64_t v = 0;
	int i;

	if (d->used == sizeof(d->block)) {
		draw_refill(d);
	}
	for (i = 7; i >= 0; i--) {
		v = v << 8 | d->block[d->used + (size_t)i];
	}
	d->used += 8;
	return v;
}

uint64_t draw_below(struct draw *draw, uint64_t limit)
{
	/* Numbers under 2^64 mod limit would make small results likelier. */
	const uint64_t low = -limit % limit;
	uint64_t v;

	do {
		v = draw_u64(draw);
	} while (v < low);
	return v % limit;
}

/* Fisher-Yates, from the end: each order equally likely, as far as draw_below() is fair. */
void draw_shuffle(struct draw *draw, void *items, size_t n, size_t size)
{
	MEM_FREE uint8_t *keep = mem_zalloc(1, size);
	uint8_t *base = items;
	size_t i, k;

	for (i = n; i > 1; i--) {
		k = draw_below(draw, i);
		memcpy(keep, base + (i - 1) * size, size);
		memmove(base + (i - 1) * size, base + k * size, size);
		memcpy(base + k * size, keep, size);
	}
}

int draw_seed_parse(const char *hex, uint8_t ret_seed[DRAW_SEED_SIZE])
{
	return hex_read(hex, ret_seed, DRAW_SEED_SIZE) ? 0 : -EINVAL;
}
