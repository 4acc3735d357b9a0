/* Numbers in memory, as their types say: whole ones and bitfields. */
#pragma once

#include "proto/state/report/base.h"

/* The number `shift` (0 to 7) bits behind `at`, extended to 64 bits as its sign says. */
uint64_t state_bits_read(const uint8_t *at, unsigned shift, const struct state_bits *bits);

/* A whole number of 1, 2, 4 or 8 bytes, extended to 64 bits as its sign says. */
static inline int64_t state_number_load(const uint8_t *at, unsigned width, bool is_signed)
{
	int8_t n1 = (int8_t)at[0];
	int16_t n2;
	int32_t n4;
	int64_t n8;

	switch (width) {
	case 1:
		return is_signed ? n1 : (uint8_t)n1;
	case 2:
		__builtin_memcpy(&n2, at, sizeof(n2));
		return is_signed ? n2 : (uint16_t)n2;
	case 4:
		__builtin_memcpy(&n4, at, sizeof(n4));
		return is_signed ? (int64_t)n4 : (int64_t)(uint32_t)n4;
	default:
		__builtin_memcpy(&n8, at, sizeof(n8));
		return n8;
	}
}

/* The number that `bits` means for what lies at `at`. */
static inline int64_t state_bits_get(const uint8_t *at, const struct state_bits *bits)
{
	at += bits->bit_off >> 3;
	return bits->width != 0 ? state_number_load(at, bits->width, bits->is_signed)
	                        : (int64_t)state_bits_read(at, (unsigned)(bits->bit_off & 7), bits);
}
