/* The bytes of a pairing's identity, which signed orders hold. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/envelope/pairing.h"

/* Of hashes 0, 1 ... 63 and 64 ... 127, made with another implementation (Python's hashlib). */
static const uint8_t known[64] = {
        0x96,
        0x4c,
        0xf9,
        0x26,
        0xf8,
        0x4b,
        0x21,
        0x54,
        0xbc,
        0x4f,
        0x68,
        0xd7,
        0x84,
        0xfe,
        0x3c,
        0x3c,
        0x9c,
        0x39,
        0x12,
        0x0b,
        0x09,
        0x48,
        0x80,
        0x72,
        0xf1,
        0xf2,
        0x98,
        0x1a,
        0xc7,
        0xda,
        0x06,
        0xbb,
        0x19,
        0x37,
        0xce,
        0xc6,
        0x10,
        0x2a,
        0xbc,
        0x24,
        0xd2,
        0xb8,
        0x43,
        0xdf,
        0xc8,
        0x5c,
        0x00,
        0x16,
        0xf9,
        0x15,
        0x45,
        0xee,
        0x4f,
        0x2a,
        0xd3,
        0xd7,
        0x99,
        0x62,
        0x78,
        0x50,
        0x50,
        0xd2,
        0x80,
        0x76,
};

int main(void)
{
	uint8_t old[64];
	uint8_t new[64];
	uint8_t id[64];

	for (int i = 0; i < 64; i++) {
		old[i] = (uint8_t)i;
		new[i] = (uint8_t)(64 + i);
	}
	envelope_pairing_id(old, new, id);
	assert(memcmp(id, known, sizeof(id)) == 0);
	envelope_pairing_id(new, old, id);
	assert(memcmp(id, known, sizeof(id)) != 0);
	return 0;
}
