/* Whatever the checker accepts must be readable to the last byte it names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/image/image.h"

static uint64_t fuzz_boot_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	while (len-- > 0) {
		sum += *p++;
	}
	return sum;
}

static uint64_t fuzz_boot_touch(const struct boot_view *v)
{
	struct boot_item item;
	uint64_t sum = 0;
	uint32_t i;
	size_t len;

	if (boot_cmdline_get(v->header, "test", &len)) {
		sum = len;
	}
	for (i = 0; i < v->header->n_entries; i++) {
		boot_entry_get(v, i, &item);
		sum += fuzz_boot_sum(item.manifest, item.manifest_len);
		sum += fuzz_boot_sum(item.state, item.state_len);
		sum += fuzz_boot_sum(item.flat, item.flat_len);
		sum += fuzz_boot_sum(item.payload, item.payload_len);
		sum += fuzz_boot_sum(item.envelope, item.envelope_len);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_view v;
	volatile uint64_t sink;
	void *copy;

	copy = malloc(size ? size : 1);
	assert(copy);
	memcpy(copy, data, size);
	if (boot_check(copy, size, &v) == IMAGE_OK) {
		sink = fuzz_boot_touch(&v);
		(void)sink;
	}
	free(copy);
	return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* Keep mutations near valid files: repair what a random change breaks at once. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct boot_header h = {.magic = BOOT_MAGIC,
	        .version = BOOT_VERSION,
	        .header_size = sizeof(h),
	        .entries_off = sizeof(h),
	        .n_entries = seed % 5,
	        .cmdline = "test=fuzz"};

	size = LLVMFuzzerMutate(data, size, max_size);
	if (size < sizeof(h)) {
		return size;
	}
	if (seed % 4 == 0) {
		memcpy(data, &h, sizeof(h));
	}
	memcpy(data, BOOT_MAGIC, 8);
	memcpy(data + offsetof(struct boot_header, total_size), &size, sizeof(size));
	return size;
}
