/*
 * Opening: every length is checked against what is left before it is used, and
 * every manifest against its own rules, so that a view's pointers and counts can
 * be followed blindly. Nothing about truth is decided here.
 */
#include "proto/envelope/envelope.h"

#include <string.h>

static const size_t manifest_size[_ENVELOPE_PART_N] = {
        [ENVELOPE_ROOT] = sizeof(struct root_manifest),
        [ENVELOPE_KIT] = sizeof(struct kit_manifest),
        [ENVELOPE_VARIANT] = sizeof(struct variant_manifest),
};

static enum envelope_reason part_manifest_check(const struct envelope_part *part)
{
	const void *manifest = part->manifest;

	switch (part->kind) {
	case ENVELOPE_ROOT:
		return root_manifest_check(manifest);
	case ENVELOPE_KIT:
		return kit_manifest_check(manifest);
	case ENVELOPE_VARIANT:
		return variant_manifest_check(manifest);
	case _ENVELOPE_PART_N:
		break;
	}
	return ENVELOPE_MALFORMED;
}

/* A manifest of another version may have another size: say so, not "malformed". */
static enum envelope_reason part_size_reason(const struct envelope_part_header *h, size_t rest)
{
	const struct variant_manifest *head = (const void *)(h + 1);

	if (h->manifest_len >= 16 && rest >= 16 && head->version != MANIFEST_VERSION) {
		return ENVELOPE_UNKNOWN_VERSION;
	}
	return ENVELOPE_MALFORMED;
}

enum envelope_reason envelope_part_open(
        const void *bytes, size_t len, struct envelope_part *ret_part)
{
	const struct envelope_part_header *h = bytes;
	struct envelope_part part;
	enum envelope_reason r;
	size_t rest;

	if ((uintptr_t)bytes % 8 != 0 || len < sizeof(*h) ||
	        memcmp(h->magic, ENVELOPE_PART_MAGIC, sizeof(h->magic)) != 0 ||
	        h->kind >= _ENVELOPE_PART_N || h->reserved != 0 || h->n_signatures < 1 ||
	        h->n_signatures > ENVELOPE_SIGNATURES_MAX) {
		return ENVELOPE_MALFORMED;
	}
	rest = len - sizeof(*h);
	if (h->manifest_len != manifest_size[h->kind]) {
		return part_size_reason(h, rest);
	}
	part.kind = (enum envelope_part_kind)h->kind;
	part.manifest = (const uint8_t *)(h + 1);
	part.manifest_len = h->manifest_len;
	part.n_signatures = h->n_signatures;
	part.signatures = (const void *)(part.manifest + part.manifest_len);
	part.size = sizeof(*h) + part.manifest_len +
	            part.n_signatures * sizeof(struct envelope_signature);
	if (part.size > len) {
		return ENVELOPE_MALFORMED;
	}
	r = part_manifest_check(&part);
	if (r == ENVELOPE_OK) {
		*ret_part = part;
	}
	return r;
}

static enum envelope_reason envelope_header_check(const void *bytes, size_t len)
{
	const struct envelope_header *h = bytes;

	if ((uintptr_t)bytes % 8 != 0 || len < sizeof(*h) || len > ENVELOPE_SIZE_MAX ||
	        memcmp(h->magic, ENVELOPE_MAGIC, sizeof(h->magic)) != 0) {
		return ENVELOPE_MALFORMED;
	}
	if (h->version != ENVELOPE_VERSION) {
		return ENVELOPE_UNKNOWN_VERSION;
	}
	return h->size == len ? ENVELOPE_OK : ENVELOPE_MALFORMED;
}

enum envelope_reason envelope_open(const void *bytes, size_t len, struct envelope_view *ret_view)
{
	struct envelope_view view;
	size_t at = sizeof(struct envelope_header);
	enum envelope_reason r = envelope_header_check(bytes, len);

	for (unsigned int kind = 0; r == ENVELOPE_OK && kind < _ENVELOPE_PART_N; kind++) {
		struct envelope_part *part = &view.part[kind];

		r = envelope_part_open((const uint8_t *)bytes + at, len - at, part);
		if (r == ENVELOPE_OK && part->kind != kind) {
			r = ENVELOPE_MALFORMED;
		}
		at += r == ENVELOPE_OK ? part->size : 0;
	}
	if (r == ENVELOPE_OK && at != len) {
		r = ENVELOPE_MALFORMED;
	}
	if (r == ENVELOPE_OK) {
		view.root = (const void *)view.part[ENVELOPE_ROOT].manifest;
		view.kit = (const void *)view.part[ENVELOPE_KIT].manifest;
		view.variant = (const void *)view.part[ENVELOPE_VARIANT].manifest;
		*ret_view = view;
	}
	return r;
}
