/*
 * Numbers in memory as their types say, bitfields among them. Whole numbers are loads of their
 * width; a bitfield of a packed record may begin in a byte's middle and reach into a ninth byte.
 */
#include "osd/lib/state/pointer/bits.h"

#include <string.h>

static int64_t bits_extend(uint64_t value, unsigned n_bits, bool is_signed)
{
	unsigned shift = 64 - n_bits;

	return is_signed ? (int64_t)(value << shift) >> shift : (int64_t)value;
}

uint64_t state_bits_read(const uint8_t *at, unsigned shift, const struct state_bits *bits)
{
	unsigned n_bytes = (shift + bits->n_bits + 7) / 8;
	uint64_t value = 0;

	memcpy(&value, at, n_bytes < 8 ? n_bytes : 8);
	value >>= shift;
	if (n_bytes > 8) {
		value |= (uint64_t)at[8] << (64 - shift);
	}
	if (bits->n_bits < 64) {
		value &= (UINT64_C(1) << bits->n_bits) - 1;
	}
	return (uint64_t)bits_extend(value, bits->n_bits, bits->is_signed);
}
