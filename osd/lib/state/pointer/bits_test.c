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

int main(void)
{
	test_nine_bytes();
	return 0;
}
