/*
 * The golden envelope: released bytes are read, believed and written as ever.
 * Ed25519 signatures are deterministic, so the whole envelope is.
 *
 *   golden_test FILE           compare
 *   golden_test FILE --write   make it: only by proto/wire/golden/regenerate
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/envelope/sample.h"

static struct sample made;
static _Alignas(8) uint8_t stored[ENVELOPE_SIZE_MAX];

int main(int argc, char **argv)
{
	int write = argc == 3 && strcmp(argv[2], "--write") == 0;
	struct envelope_view view;
	struct trust trust;
	FILE *f;

	assert(argc == 2 || write);
	sample_init(&made);
	sample_sign(&made);
	f = fopen(argv[1], write ? "wb" : "rb");
	assert(f != NULL);
	if (write) {
		assert(fwrite(made.bytes, 1, made.len, f) == made.len && fclose(f) == 0);
		return 0;
	}
	assert(fread(stored, 1, sizeof(stored), f) == made.len && fclose(f) == 0);
	assert(memcmp(stored, made.bytes, made.len) == 0);
	sample_trust(&trust);
	assert(envelope_open(stored, made.len, &view) == ENVELOPE_OK);
	assert(envelope_verify(&view, &trust) == ENVELOPE_OK);
	return 0;
}
