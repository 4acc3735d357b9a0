/* Without a cipher there is no layout: nothing is drawn from something else in its place. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/provider.h>

#include "proto/image/flat_sample.h"
#include "proto/image/link.h"

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
	uint8_t *payload;
	void *file, *scratch;
	size_t len;

	assert(ciphers);
	file = sample_file(&sample, &len);
	assert(flat_check(file, len, &kit) == FLAT_OK);
	scratch = malloc(link_scratch_size(&kit));
	assert(scratch);
	assert(link_place(&kit, &request, scratch, link_scratch_size(&kit), &layout) == LINK_OK);
	assert(OSSL_PROVIDER_unload(ciphers) == 1);
	payload = malloc(layout.payload_size);
	assert(payload && link_payload_write(&kit, &layout, payload) == LINK_E_CIPHER);
	assert(link_place(&kit, &request, scratch, link_scratch_size(&kit), &none) ==
	        LINK_E_CIPHER);
	assert(none.base == 0 && none.n_segments == 0);
	free(payload);
	free(scratch);
	free(file);
	sample_fini(&sample);
	return 0;
}
