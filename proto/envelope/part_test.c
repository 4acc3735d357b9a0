/*
 * The bytes of an envelope: none can be changed, cut off or added, and no part stands in the
 * place of another. Built once against each side's library.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/sample.h"

/* No byte can be changed, and no end cut off or put on. */
static void test_bytes(enum envelope_kind kind)
{
	struct sample s;
	struct trust trust;
	struct envelope_view view;
	size_t len;

	sample_init(&s, kind);
	sample_trust(&trust);
	sample_sign(&s);
	assert(sample_judge(&s, &trust) == ENVELOPE_OK);
	for (size_t i = 0; i < s.len; i++) {
		uint8_t bit = (uint8_t)(1 << i % 8);

		s.bytes[i] ^= bit;
		assert(sample_judge(&s, &trust) != ENVELOPE_OK);
		s.bytes[i] ^= bit;
	}
	len = s.len;
	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n + 1);

		memcpy(exact, s.bytes, n);
		assert(envelope_open(exact, n, &view) == ENVELOPE_MALFORMED);
		free(exact);
	}
	assert(envelope_open(s.bytes, len + 8, &view) == ENVELOPE_MALFORMED);
	memmove(s.bytes + 1, s.bytes, len);
	assert(envelope_open(s.bytes + 1, len, &view) == ENVELOPE_MALFORMED);
}

/* Bytes of a signature: bad-signature, in whatever part. */
static void test_signatures(enum envelope_kind kind)
{
	struct sample s;
	struct trust trust;
	struct envelope_view view;

	sample_init(&s, kind);
	sample_trust(&trust);
	sample_sign(&s);
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	for (unsigned int part = 0; part < view.n_parts; part++) {
		uint8_t *sig = (uint8_t *)(uintptr_t)view.part[part].signatures[0].sig;

		sig[40] ^= 1;
		assert(sample_judge(&s, &trust) == ENVELOPE_BAD_SIGNATURE);
		sig[40] ^= 1;
	}
}

/* What a part's header may say, with enough bytes behind it for anything. */
static void test_part_header(void)
{
	static struct sample s;
	struct envelope_part_header *h = (void *)(s.bytes + sizeof(struct envelope_header));
	struct envelope_view view;
	struct envelope_part part;

	sample_init(&s, ENVELOPE_OF_VARIANT);
	sample_sign(&s);
	assert(envelope_part_open(h, ENVELOPE_SIZE_MAX / 2, &part) == ENVELOPE_OK);
	assert(envelope_part_open(h, part.size - 1, &part) == ENVELOPE_MALFORMED);
	h->n_signatures = ENVELOPE_SIGNATURES_MAX;
	assert(envelope_part_open(h, ENVELOPE_SIZE_MAX / 2, &part) == ENVELOPE_OK);
	h->n_signatures++;
	assert(envelope_part_open(h, ENVELOPE_SIZE_MAX / 2, &part) == ENVELOPE_MALFORMED);
	h->n_signatures = 0;
	assert(envelope_part_open(h, ENVELOPE_SIZE_MAX / 2, &part) == ENVELOPE_MALFORMED);
	h->n_signatures = 1;
	h->manifest_len += 8; /* would be signed, and read by nobody */
	assert(envelope_part_open(h, ENVELOPE_SIZE_MAX / 2, &part) == ENVELOPE_MALFORMED);
	h->manifest_len -= 8;
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	((struct envelope_header *)s.bytes)->size += 8; /* nobody signed what stands behind */
	assert(envelope_open(s.bytes, s.len + 8, &view) == ENVELOPE_MALFORMED);
}

/* A part of one kind of envelope in the place of another's, and a part standing alone. */
static void test_parts(void)
{
	static struct sample s, other;
	static _Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct envelope_view view;
	struct envelope_part part;
	struct trust trust;
	const void *parts[3];
	size_t sizes[3], len;

	sample_init(&s, ENVELOPE_OF_VARIANT);
	sample_init(&other, ENVELOPE_OF_ORDER);
	sample_trust(&trust);
	sample_sign(&s);
	sample_sign(&other);
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	for (int i = 0; i < 3; i++) {
		parts[i] = view.part[2 - i].manifest - sizeof(struct envelope_part_header);
		sizes[i] = view.part[2 - i].size;
	}
	len = envelope_write(ENVELOPE_OF_VARIANT, parts, sizes, bytes, sizeof(bytes));
	assert(envelope_open(bytes, len, &view) == ENVELOPE_MALFORMED);
	assert(envelope_write(ENVELOPE_OF_VARIANT, parts, sizes, bytes, len - 1) == 0);
	((struct envelope_header *)other.bytes)->kind = ENVELOPE_OF_STATEMENT;
	assert(envelope_open(other.bytes, other.len, &view) == ENVELOPE_MALFORMED);
	((struct envelope_header *)other.bytes)->kind = _ENVELOPE_KIND_N;
	assert(envelope_open(other.bytes, other.len, &view) == ENVELOPE_MALFORMED);
	((struct envelope_header *)other.bytes)->version = 1;
	assert(envelope_open(other.bytes, other.len, &view) == ENVELOPE_UNKNOWN_VERSION);
	assert(envelope_part_open(parts[0], sizes[0], &part) == ENVELOPE_OK);
	assert(part.kind == ENVELOPE_VARIANT && part.size == sizes[0]);
	assert(envelope_verify_root(&part, &trust) == ENVELOPE_MALFORMED);
	assert(envelope_verify_kit(&part, &s.root, SAMPLE_NOW) == ENVELOPE_MALFORMED);
	assert(envelope_part_write(
	               ENVELOPE_KIT, &s.kit, sizeof(s.kit), NULL, 0, bytes, sizeof(bytes)) == 0);
}

int main(void)
{
	for (int kind = ENVELOPE_OF_VARIANT; kind < _ENVELOPE_KIND_N; kind++) {
		test_bytes((enum envelope_kind)kind);
		test_signatures((enum envelope_kind)kind);
	}
	test_part_header();
	test_parts();
	return 0;
}
