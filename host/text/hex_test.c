/* Hexadecimal digits: all 256 bytes in both cases, and every text that is nearly right. */
#undef NDEBUG
#include "host/text/hex.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void test_all_bytes(void)
{
	char lower[2 * 256 + 1], upper[2 * 256 + 1];
	uint8_t read[256];

	for (unsigned int i = 0; i < 256; i++) {
		snprintf(lower + 2 * i, 3, "%02x", i);
		snprintf(upper + 2 * i, 3, "%02X", i);
	}
	for (unsigned int n = 2; n-- > 0;) {
		memset(read, 0x5a, sizeof(read));
		assert(hex_read(n ? upper : lower, read, sizeof(read)));
		for (unsigned int i = 0; i < 256; i++) {
			assert(read[i] == i);
		}
		assert(hex_write(read, sizeof(read), upper) == upper && !strcmp(upper, lower));
	}
	assert(!*hex_write("", 0, upper));
	assert(hex_read("", read, 0));
}

/* None is two bytes, and what was there stays. */
static void test_refused(void)
{
	static const char *const texts[] = {
	        "",
	        "0",
	        "012",
	        "01234",
	        "012345",
	        "+123",
	        "-123",
	        "01+3",
	        " 123",
	        "01 3",
	        "012 ",
	        "012\n",
	        "0x12",
	        "0X12",
	        "01g3",
	        "01G3",
	        "01/3",
	        "01:3",
	        "01@3",
	        "01`3",
	        "\377123",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint8_t read[2] = {0x5a, 0xa5};

		assert(!hex_read(texts[i], read, sizeof(read)));
		assert(read[0] == 0x5a && read[1] == 0xa5);
	}
}

int main(void)
{
	test_all_bytes();
	test_refused();
	return 0;
}
