#pragma once
/*
 * Numbers of a variant, from the key that its seed gives. Every kind of choice has a stream of
 * its own: a new kind changes no other, and how many numbers one takes does not matter to the
 * rest. For this room.
 */
#include <stdbool.h>
#include <stdint.h>

#include "proto/image/link.h"
#include "proto/image/link_crypto.h"

/* Words fetched from the cipher at a time, at most. Part of no recipe. */
#define LINK_DRAW_WORDS 1024u

/* Numbers of the streams: part of the recipe. */
enum link_stream_number {
	LINK_STREAM_BASE,
	LINK_STREAM_SEGMENTS,
	LINK_STREAM_ORDER, /* of class c: this + c */
	LINK_STREAM_PADS = LINK_STREAM_ORDER + _FLAT_CLASS_N,
	_LINK_STREAM_N = LINK_STREAM_PADS + _FLAT_CLASS_N
};

struct link_draw {
	const uint8_t *key;
	uint32_t *words;  /* buffer of LINK_DRAW_WORDS */
	uint32_t n, used; /* words fetched, and of these given away */
	uint32_t stream;
	uint32_t block;    /* of the cipher: the next to be fetched */
	uint32_t expected; /* words that will be wanted still: none is fetched in vain */
	bool failed;       /* the library failed: numbers are not drawn, nobody may use them */
};

/* Derive the key of a kit's layouts. LINK_E_CIPHER. The caller wipes it. */
enum link_error link_draw_key(const struct flat_view *kit, const struct link_request *request,
        uint8_t ret_key[LINK_KEY_SIZE]);

/* Overwrite a secret so that the compiler does not leave it out. */
void link_draw_wipe(void *secret, size_t len);

/* Start a stream from which about `expected` numbers are drawn. */
void link_draw_start(struct link_draw *draw, const uint8_t *key, uint32_t *words, uint32_t stream,
        uint32_t expected);

/* Fetch more words. Sets `failed` when the library does; then they are no key stream. */
void link_draw_refill(struct link_draw *draw);

/* Put the numbers 0 to n - 1, each plus `first`, into an order; each order is equally likely. */
void link_draw_order(struct link_draw *draw, uint32_t *ret_order, uint32_t first, uint32_t n);

static inline uint32_t link_draw_word(struct link_draw *draw)
{
	if (draw->used == draw->n) {
		link_draw_refill(draw);
	}
	return draw->words[draw->used++];
}

/*
 * A number below the limit (> 0), each equally likely: the upper half of word * limit. Of the
 * lower halves, those below 2^32 mod limit are drawn again: they are what some results have
 * one more of.
 */
static inline uint32_t link_draw_below(struct link_draw *draw, uint32_t limit)
{
	uint64_t m = (uint64_t)link_draw_word(draw) * limit;

	if ((uint32_t)m < limit) {
		const uint32_t low = -limit % limit;

		while ((uint32_t)m < low && !draw->failed) {
			m = (uint64_t)link_draw_word(draw) * limit;
		}
	}
	return (uint32_t)(m >> 32);
}
