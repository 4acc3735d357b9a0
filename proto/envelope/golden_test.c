/*
 * The golden envelopes, one of each kind: released bytes are read, believed and
 * written as ever. Ed25519 signatures are deterministic, so whole envelopes are.
 * Envelopes of format 1 are refused by their version.
 *
 *   golden_test DIRECTORY           compare
 *   golden_test DIRECTORY --write   make them: only by proto/golden/regenerate
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/envelope/sample.h"

static struct sample made;
static _Alignas(8) uint8_t stored[ENVELOPE_SIZE_MAX];

static FILE *golden_open(const char *dir, const char *name, const char *mode)
{
	char path[4096];
	FILE *f;

	assert(snprintf(path, sizeof(path), "%s/%s.bin", dir, name) < (int)sizeof(path));
	f = fopen(path, mode);
	assert(f != NULL);
	return f;
}

static size_t golden_read(const char *dir, const char *name)
{
	FILE *f = golden_open(dir, name, "rb");
	size_t n = fread(stored, 1, sizeof(stored), f);

	assert(fclose(f) == 0);
	return n;
}

static void golden_compare(const char *dir, const char *name)
{
	struct envelope_view view;
	struct trust trust;

	assert(golden_read(dir, name) == made.len);
	assert(memcmp(stored, made.bytes, made.len) == 0);
	sample_trust(&trust);
	assert(envelope_open(stored, made.len, &view) == ENVELOPE_OK);
	assert(envelope_verify(&view, &trust) == ENVELOPE_OK);
}

int main(int argc, char **argv)
{
	static const char *const names[_ENVELOPE_KIND_N] = {
	        [ENVELOPE_OF_VARIANT] = "v2_variant",
	        [ENVELOPE_OF_ORDER] = "v2_order",
	        [ENVELOPE_OF_STATEMENT] = "v2_statement",
	        [ENVELOPE_OF_TIME] = "v2_time",
	        [ENVELOPE_OF_KIT] = "v2_kit",
	        [ENVELOPE_OF_STANDING] = "v2_standing",
	};
	int write = argc == 3 && strcmp(argv[2], "--write") == 0;
	struct envelope_view view;

	assert(argc == 2 || write);
	for (int kind = ENVELOPE_OF_VARIANT; kind < _ENVELOPE_KIND_N; kind++) {
		sample_init(&made, (enum envelope_kind)kind);
		sample_sign(&made);
		if (write) {
			FILE *f = golden_open(argv[1], names[kind], "wb");

			assert(fwrite(made.bytes, 1, made.len, f) == made.len && fclose(f) == 0);
		} else {
			golden_compare(argv[1], names[kind]);
		}
	}
	assert(envelope_open(stored, golden_read(argv[1], "v1"), &view) ==
	        ENVELOPE_UNKNOWN_VERSION);
	return 0;
}
