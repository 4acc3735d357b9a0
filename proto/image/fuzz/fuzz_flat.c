/*
 * Whatever the checker accepts can be linked: to a payload that image_check() takes, with the
 * kit's own symbols, or to an error of the linker's.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/image/flat_sample.h"
#include "proto/image/link.h"

static void fuzz_flat_write(const struct flat_view *kit, const struct link_layout *layout)
{
	uint8_t *payload = malloc(layout->payload_size);
	struct image_view image;
	enum link_error r;

	assert(payload);
	r = link_payload_write(kit, layout, payload);
	assert(r == LINK_OK || r == LINK_E_RANGE);
	if (r == LINK_OK) {
		assert(image_check(payload, layout->payload_size, &image) == IMAGE_OK);
		assert(image.header->n_symbols == kit->header->n_symbols);
	}
	free(payload);
}

static void fuzz_flat_link(const struct flat_view *kit)
{
	static const uint8_t seed[LINK_SEED_SIZE] = {1}, release_id[LINK_RELEASE_SIZE] = {2};
	const struct link_request request = {.seed = seed, .release_id = release_id};
	const size_t size = link_scratch_size(kit);
	void *scratch = malloc(size);
	struct link_layout layout;
	enum link_error r;

	assert(scratch);
	r = link_place(kit, &request, scratch, size, &layout);
	assert(r == (kit->header->recipe == LINK_RECIPE ? LINK_OK : LINK_E_RECIPE));
	if (r == LINK_OK) {
		fuzz_flat_write(kit, &layout);
	}
	free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flat_view kit;
	void *copy;

	/* An exact heap copy, so that ASan sees the first byte too far. */
	copy = malloc(size ? size : 1);
	assert(copy);
	memcpy(copy, data, size);
	if (flat_check(copy, size, &kit) == FLAT_OK) {
		fuzz_flat_link(&kit);
	}
	free(copy);
	return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* A file that is well formed. 0 when it does not fit. */
static size_t fuzz_flat_fresh(uint8_t *data, size_t max_size, unsigned int seed)
{
	static const struct sample_size size = {{6, 4, 3, 3}, 60, 4, 6};
	uint64_t state = seed + UINT64_C(1);
	struct sample_kit kit = sample_draw(&state, &size);
	size_t len;
	void *file = sample_file(&kit, &len);

	if (len <= max_size) {
		memcpy(data, file, len);
	}
	free(file);
	sample_fini(&kit);
	return len <= max_size ? len : 0;
}

/* Keep mutations near valid files: start from one, and repair what a random change breaks at once. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct flat_header h;
	size_t fresh;

	if (seed % 8 == 0) {
		fresh = fuzz_flat_fresh(data, max_size, seed);
		size = fresh > 0 ? fresh : size;
	}
	if (seed % 3 != 0) {
		size = LLVMFuzzerMutate(data, size, max_size);
	} else if (size > sizeof(h)) {
		/* The header stays: the tables change. */
		size = sizeof(h) +
		       LLVMFuzzerMutate(data + sizeof(h), size - sizeof(h), size - sizeof(h));
	}
	if (size >= sizeof(h)) {
		memcpy(&h, data, sizeof(h));
		memcpy(h.magic, FLAT_MAGIC, sizeof(h.magic));
		h.total_size = size;
		memcpy(data, &h, sizeof(h));
	}
	return size;
}
