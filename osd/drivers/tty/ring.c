/*
 * A ring of bytes with free-running counters: their difference is what waits, also after they
 * have wrapped, because the size is a power of two. What does not fit is not taken: the caller
 * learns how much was, and decides whether the rest is sent again or lost.
 */
#include "osd/drivers/tty/priv.h"

uint32_t ring_used(const struct ring *ring)
{
	return ring->head - ring->tail;
}

uint32_t ring_put(struct ring *ring, const void *bytes, uint32_t n)
{
	const uint8_t *from = bytes;
	uint32_t space = RING_BYTES - ring_used(ring);

	n = n < space ? n : space;
	for (uint32_t i = 0; i < n; i++) {
		ring->bytes[(ring->head + i) % RING_BYTES] = from[i];
	}
	ring->head += n;
	return n;
}

uint32_t ring_take(struct ring *ring, void *ret_bytes, uint32_t n)
{
	uint8_t *to = ret_bytes;
	uint32_t used = ring_used(ring);

	n = n < used ? n : used;
	for (uint32_t i = 0; i < n; i++) {
		to[i] = ring->bytes[(ring->tail + i) % RING_BYTES];
	}
	ring->tail += n;
	return n;
}
