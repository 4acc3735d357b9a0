/*
 * Streams of numbers: ChaCha20 under a key that seed, service, release and recipe give
 * together, one nonce a stream, read as 32-bit little-endian words (the linker runs on
 * little-endian machines only, like everything in this room).
 *
 * Only as many blocks are made as the caller expects to need: in the machine, where the cipher
 * is not vectorised, a block costs more than placing ten pieces. Numbers that are drawn again
 * come from blocks fetched one at a time.
 */
#include "proto/image/link_draw.h"

#include <string.h>

/* What the key is the hash of. Bytes only, and no gaps. */
struct link_draw_label {
	char text[16];
	uint8_t seed[LINK_SEED_SIZE];
	char service[IMAGE_NAME_SIZE];
	uint8_t release_id[LINK_RELEASE_SIZE];
	uint32_t recipe;
};
_Static_assert(sizeof(struct link_draw_label) == 140, "layout");

#define LINK_DRAW_BLOCK_WORDS (LINK_BLOCK_SIZE / 4)
_Static_assert(LINK_DRAW_WORDS % LINK_DRAW_BLOCK_WORDS == 0, "whole blocks");

void link_draw_wipe(void *secret, size_t len)
{
	memset(secret, 0, len);
	/* The compiler must take the bytes for read. */
	__asm__ volatile("" : : "r"(secret) : "memory");
}

enum link_error link_draw_key(const struct flat_view *kit, const struct link_request *request,
        uint8_t ret_key[LINK_KEY_SIZE])
{
	struct link_draw_label label = {.text = "samsara layout", .recipe = LINK_RECIPE};
	uint8_t hash[64];
	int r;

	memcpy(label.seed, request->seed, sizeof(label.seed));
	memcpy(label.service, kit->header->service, sizeof(label.service));
	memcpy(label.release_id, request->release_id, sizeof(label.release_id));
	r = link_hash(&label, sizeof(label), hash);
	if (r == 0) {
		memcpy(ret_key, hash, LINK_KEY_SIZE);
	}
	link_draw_wipe(&label, sizeof(label));
	link_draw_wipe(hash, sizeof(hash));
	return r == 0 ? LINK_OK : LINK_E_CIPHER;
}

void link_draw_start(struct link_draw *draw, const uint8_t *key, uint32_t *words, uint32_t stream,
        uint32_t expected)
{
	*draw = (struct link_draw){
	        .key = key, .words = words, .stream = stream, .expected = expected};
}

void link_draw_refill(struct link_draw *draw)
{
	uint32_t blocks = (draw->expected + LINK_DRAW_BLOCK_WORDS - 1) / LINK_DRAW_BLOCK_WORDS;

	if (blocks == 0) {
		blocks = 1;
	} else if (blocks > LINK_DRAW_WORDS / LINK_DRAW_BLOCK_WORDS) {
		blocks = LINK_DRAW_WORDS / LINK_DRAW_BLOCK_WORDS;
	}
	if (link_stream(draw->key, draw->stream, draw->block, (uint8_t *)draw->words,
	            blocks * LINK_BLOCK_SIZE) != 0) {
		draw->failed = true;
	}
	draw->block += blocks;
	draw->n = blocks * LINK_DRAW_BLOCK_WORDS;
	draw->expected -= draw->expected < draw->n ? draw->expected : draw->n;
	draw->used = 0;
}

/* Fisher-Yates, from the end. */
void link_draw_order(struct link_draw *draw, uint32_t *ret_order, uint32_t first, uint32_t n)
{
	uint32_t i, k, keep;

	for (i = 0; i < n; i++) {
		ret_order[i] = first + i;
	}
	for (i = n; i > 1; i--) {
		k = link_draw_below(draw, i);
		keep = ret_order[i - 1];
		ret_order[i - 1] = ret_order[k];
		ret_order[k] = keep;
	}
}
