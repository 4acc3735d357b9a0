/*
 * Without a cipher there is no layout: nothing is drawn from something else in its place. The
 * library is taken away altogether, and the cipher fails at each place where it is asked.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/provider.h>

#include "proto/image/flat_sample.h"
#include "proto/image/link.h"
#include "proto/image/link_crypto.h"

/* Calls of the cipher until it fails, and what it leaves behind then. */
static unsigned int calls_left = 1000;
static uint8_t left_behind;

int __real_link_stream(const uint8_t key[LINK_KEY_SIZE], uint32_t stream, uint32_t block,
        uint8_t *ret_bytes, size_t len);
int __wrap_link_stream(const uint8_t key[LINK_KEY_SIZE], uint32_t stream, uint32_t block,
        uint8_t *ret_bytes, size_t len);

int __wrap_link_stream(const uint8_t key[LINK_KEY_SIZE], uint32_t stream, uint32_t block,
        uint8_t *ret_bytes, size_t len)
{
	if (calls_left == 0) {
		memset(ret_bytes, left_behind, len);
		return -1;
	}
	calls_left--;
	return __real_link_stream(key, stream, block, ret_bytes, len);
}

int main(void)
{
	static const struct sample_size size = {{40, 20, 10, 10}, 300, 6, 20};
	static const uint8_t seed[LINK_SEED_SIZE], release_id[LINK_RELEASE_SIZE];
	const struct link_request request = {.seed = seed, .release_id = release_id};
	OSSL_PROVIDER *ciphers = OSSL_PROVIDER_load(NULL, "default");
	uint64_t state = 1;
	struct sample_kit sample = sample_draw(&state, &size);
	struct link_layout layout = {0}, none = {0};
	struct flat_view kit;
	unsigned int i, calls;
	uint8_t *payload;
	void *file, *scratch;
	size_t len;

	assert(ciphers);
	file = sample_file(&sample, &len);
	assert(flat_check(file, len, &kit) == FLAT_OK);
	len = link_scratch_size(&kit);
	scratch = malloc(len);
	assert(scratch);
	assert(link_place(&kit, &request, scratch, len, &layout) == LINK_OK);
	calls = 1000 - calls_left;
	/* Base, segments, order and pads of each class. */
	assert(calls >= 10);
	for (i = 0; i < 2 * calls; i++) {
		calls_left = i % calls;
		/* Zeros are the worst: they would be drawn again and again. */
		left_behind = i < calls ? 0xff : 0;
		assert(link_place(&kit, &request, scratch, len, &none) == LINK_E_CIPHER);
	}
	calls_left = calls;
	assert(link_place(&kit, &request, scratch, len, &layout) == LINK_OK);
	calls_left = calls;
	assert(OSSL_PROVIDER_unload(ciphers) == 1);
	payload = malloc(layout.payload_size);
	assert(payload && link_payload_write(&kit, &layout, payload) == LINK_E_CIPHER);
	assert(link_place(&kit, &request, scratch, len, &none) == LINK_E_CIPHER);
	assert(none.base == 0 && none.n_segments == 0);
	free(payload);
	free(scratch);
	free(file);
	sample_fini(&sample);
	return 0;
}
