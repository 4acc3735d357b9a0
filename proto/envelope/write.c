/*
 * Writing parts and envelopes, for those who sign and for tests. Nothing is judged here: what
 * is written is opened by its reader as if it came from a stranger, and keyring_sign() opens
 * its own output before it hands it out. Reserved fields are written as zero; no byte of the
 * output depends on anything but the arguments.
 */
#include <string.h>

#include "proto/envelope/envelope.h"

size_t envelope_part_write(enum envelope_part_kind kind, const void *manifest, size_t manifest_len,
        const struct envelope_signature *signatures, unsigned int n_signatures, void *ret_bytes,
        size_t cap)
{
	struct envelope_part_header h = {
	        .magic = ENVELOPE_PART_MAGIC,
	        .kind = kind,
	        .manifest_len = (uint32_t)manifest_len,
	        .n_signatures = n_signatures,
	};
	size_t sig_size = n_signatures * sizeof(*signatures);
	size_t size = sizeof(h) + manifest_len + sig_size;
	uint8_t *to = ret_bytes;

	if (n_signatures < 1 || n_signatures > ENVELOPE_SIGNATURES_MAX ||
	        manifest_len > ENVELOPE_SIZE_MAX || manifest_len % 8 != 0 || size > cap) {
		return 0;
	}
	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), manifest, manifest_len);
	memcpy(to + sizeof(h) + manifest_len, signatures, sig_size);
	return size;
}

size_t envelope_write(enum envelope_kind kind, const void *const parts[], const size_t sizes[],
        void *ret_bytes, size_t cap)
{
	struct envelope_header h = {
	        .magic = ENVELOPE_MAGIC, .version = ENVELOPE_VERSION, .kind = kind};
	size_t at = sizeof(h);
	uint8_t *to = ret_bytes;

	if (cap > ENVELOPE_SIZE_MAX) {
		cap = ENVELOPE_SIZE_MAX;
	}
	for (unsigned int i = 0; envelope_kind_part(kind, i) != _ENVELOPE_PART_N; i++) {
		if (at > cap || sizes[i] > cap - at) {
			return 0;
		}
		memcpy(to + at, parts[i], sizes[i]);
		at += sizes[i];
	}
	h.size = (uint32_t)at;
	memcpy(to, &h, sizeof(h));
	return at;
}
