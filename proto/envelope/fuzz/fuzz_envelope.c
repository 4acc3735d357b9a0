/*
 * Envelopes as raw bytes, and good ones with patches: an input that starts with an
 * even byte is a list of {offset, offset, value} written over the sample.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/sample.h"

static struct sample sample;
static struct trust trust;
static _Alignas(8) uint8_t bytes[2 * ENVELOPE_SIZE_MAX];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct envelope_view view;

	sample_init(&sample);
	sample_sign(&sample);
	sample_trust(&trust);
	if (envelope_open(sample.bytes, sample.len, &view) != ENVELOPE_OK) {
		abort();
	}
	for (unsigned int i = 0; i < _ENVELOPE_PART_N; i++) {
		((uint8_t *)(uintptr_t)view.part[i].signatures[0].sig)[0] = 0;
	}
	if (envelope_verify(&view, &trust) != ENVELOPE_OK) {
		abort();
	}
	return 0;
}

static size_t patch(const uint8_t *data, size_t size)
{
	memcpy(bytes, sample.bytes, sample.len);
	for (; size >= 3; data += 3, size -= 3) {
		bytes[(data[0] | data[1] << 8) % sample.len] = data[2];
	}
	return sample.len;
}

/* Follow everything the view promises. */
static unsigned int touch(const struct envelope_view *view)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < _ENVELOPE_PART_N; i++) {
		for (size_t j = 0; j < view->part[i].manifest_len; j++) {
			sum += view->part[i].manifest[j];
		}
		for (unsigned int j = 0; j < view->part[i].n_signatures; j++) {
			sum += view->part[i].signatures[j].sig[63];
		}
	}
	return sum + (unsigned int)strlen(view->kit->service) + view->kit->targets[0][0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope_view view;
	size_t len;

	if (size < 1 || size > sizeof(bytes)) {
		return 0;
	}
	if (data[0] % 2 == 0) {
		len = patch(data + 1, size - 1);
	} else {
		len = size - 1;
		memcpy(bytes, data + 1, len);
	}
	if (envelope_open(bytes, len, &view) == ENVELOPE_OK) {
		volatile unsigned int sum = touch(&view);

		(void)sum;
		if (envelope_verify(&view, &trust) == ENVELOPE_OK &&
		        (memcmp(view.variant->service, "tty", 4) != 0 || view.kit->counter < 7)) {
			abort();
		}
	}
	return 0;
}
