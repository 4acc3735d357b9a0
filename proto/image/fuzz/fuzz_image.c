/* Whatever the checker accepts must be readable to the last byte it names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/image/image.h"

static uint64_t fuzz_image_touch(const struct image_view *v)
{
	uint64_t sum = v->header->entry;
	uint32_t i;
	uint64_t k;

	for (i = 0; i < v->header->n_segments; i++) {
		for (k = 0; k < v->segments[i].file_size; k++) {
			sum += image_segment_bytes(v, i)[k];
		}
	}
	for (i = 0; i < v->header->n_symbols; i++) {
		sum += v->symbols[i];
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_view v;
	volatile uint64_t sink;
	void *copy;

	/* An exact heap copy, so that ASan sees the first byte too far. */
	copy = malloc(size ? size : 1);
	assert(copy);
	memcpy(copy, data, size);
	if (image_check(copy, size, &v) == IMAGE_OK) {
		sink = fuzz_image_touch(&v);
		(void)sink;
	}
	free(copy);
	return 0;
}

/* Keep mutations near valid files: repair what a random change breaks at once. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct image_header h = {.magic = IMAGE_MAGIC,
	        .version = IMAGE_VERSION,
	        .header_size = sizeof(h),
	        .service = "fuzz",
	        .base = IMAGE_BASE_MIN,
	        .entry = IMAGE_BASE_MIN,
	        .n_segments = 1,
	        .segments_off = sizeof(h),
	        .symbols_off = sizeof(h),
	        .window_len = IMAGE_PAGE};

	size = LLVMFuzzerMutate(data, size, max_size);
	if (size < sizeof(h)) {
		return size;
	}
	if (seed % 4 == 0) {
		memcpy(data, &h, sizeof(h));
	}
	memcpy(data, IMAGE_MAGIC, 8);
	memcpy(data + offsetof(struct image_header, total_size), &size, sizeof(size));
	return size;
}
