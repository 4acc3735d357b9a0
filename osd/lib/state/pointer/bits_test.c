#undef NDEBUG
#include "osd/lib/state/pointer/bits.h"

#include <assert.h>

/* A bitfield of a packed record may begin in a byte's middle and lie in nine. */
static void test_nine_bytes(void)
{
	const struct state_bits bits = {.n_bits = 64};
	uint8_t bytes[9] = {0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a};

	assert(state_bits_read(bytes, 4, &bits) == UINT64_C(0xafffffffffffffff));
}

struct row {
	uint8_t bytes[8];
	unsigned shift;
	uint8_t n_bits;
	bool is_signed;
	int64_t number;
};

/* What lies beside the field is not of it, and its highest bit is its sign, at any width. */
static void test_widths(void)
{
	static const struct row rows[] = {
	        {{0xf7}, 3, 1, false, 0},
	        {{0x08}, 3, 1, true, -1},
	        {{0xe7}, 3, 2, false, 0},
	        {{0x80, 0xfe}, 7, 2, false, 1},
	        {{0x00, 0x01}, 7, 2, true, -2},
	        {{0x80, 0xff, 0xff, 0x00}, 7, 17, true, -1},
	        {{0xff, 0xff, 0xff, 0xff, 0x80}, 0, 39, false, 0xffffffff},
	        {{0xff, 0xff, 0xff, 0xff, 0x40}, 0, 39, true, 0x40ffffffff - (INT64_C(1) << 39)},
	        {{0, 0, 0, 0, 0, 0, 0, 0x80}, 0, 64, true, INT64_MIN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const struct state_bits bits = {.n_bits = row->n_bits, .is_signed = row->is_signed};

		assert((int64_t)state_bits_read(row->bytes, row->shift, &bits) == row->number);
	}
}

int main(void)
{
	test_nine_bytes();
	test_widths();
	return 0;
}
