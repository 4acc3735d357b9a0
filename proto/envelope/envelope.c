/*
 * Opening: bytes from anybody become a view whose pointers and counts can be followed
 * blindly. Every length is checked against what is left before it is used, and every manifest
 * against its own rules (rules.c). Nothing about truth is decided here; verify.c does that,
 * on views only.
 *
 * Invariants of a view: parts have exactly the kinds of the envelope's kind, in their order,
 * and cover the envelope to its last byte; nothing lies between or behind them. What no
 * signature covers is the headers and the signatures themselves.
 *
 * The bytes are not copied. They are read again later, so the caller keeps them from
 * changing.
 */
#include "proto/envelope/envelope.h"

#include <string.h>

/*
 * The manifest's own rules. Only where the length fits the kind: each reads its whole
 * structure.
 */
static enum envelope_reason envelope_part_manifest_check(const struct envelope_part *part)
{
	const void *manifest = part->manifest;

	switch (part->kind) {
	case ENVELOPE_ROOT:
		return root_manifest_check(manifest);
	case ENVELOPE_KIT:
		return kit_manifest_check(manifest);
	case ENVELOPE_VARIANT:
		return variant_manifest_check(manifest);
	case ENVELOPE_ORDER:
		return order_manifest_check(manifest, part->manifest_len);
	case ENVELOPE_STATEMENT:
		return statement_manifest_check(manifest, part->manifest_len);
	case ENVELOPE_TIME:
		return time_manifest_check(manifest);
	case ENVELOPE_STANDING:
		return standing_manifest_check(manifest, part->manifest_len);
	case _ENVELOPE_PART_N:
		break;
	}
	return ENVELOPE_MALFORMED;
}

/*
 * Smallest and largest manifest of a kind; those without a tail have one size. Orders, statements
 * and standing orders count what is behind their head; that count is checked against the length in
 * rules.c.
 */
static void envelope_part_sizes(enum envelope_part_kind kind, size_t *ret_min, size_t *ret_max)
{
	static const struct {
		size_t min, max;
	} sizes[_ENVELOPE_PART_N] = {
	        [ENVELOPE_ROOT] = {sizeof(struct root_manifest), sizeof(struct root_manifest)},
	        [ENVELOPE_KIT] = {sizeof(struct kit_manifest), sizeof(struct kit_manifest)},
	        [ENVELOPE_VARIANT] = {sizeof(struct variant_manifest),
	                sizeof(struct variant_manifest)},
	        [ENVELOPE_ORDER] = {sizeof(struct order_manifest),
	                sizeof(struct order_manifest) +
	                        ORDER_COMPONENTS_MAX * sizeof(struct order_component)},
	        [ENVELOPE_STATEMENT] = {sizeof(struct statement_manifest),
	                sizeof(struct statement_manifest) +
	                        STATEMENT_SERVICES_MAX * sizeof(struct statement_service)},
	        [ENVELOPE_TIME] = {sizeof(struct time_manifest), sizeof(struct time_manifest)},
	        [ENVELOPE_STANDING] = {sizeof(struct standing_manifest),
	                sizeof(struct standing_manifest) +
	                        STANDING_SERVICES_MAX * sizeof(struct standing_service)},
	};

	*ret_min = sizes[kind].min;
	*ret_max = sizes[kind].max;
}

/*
 * A manifest of another version may have another size: say so, not "malformed". Magic, size
 * and version stand in the first 16 bytes of every manifest of every version.
 */
static enum envelope_reason envelope_part_size_reason(
        const struct envelope_part_header *h, size_t rest)
{
	const struct variant_manifest *head = (const void *)(h + 1);

	if (h->manifest_len >= 16 && rest >= 16 && head->version != MANIFEST_VERSION) {
		return ENVELOPE_UNKNOWN_VERSION;
	}
	return ENVELOPE_MALFORMED;
}

/*
 * Alignment, room for the header, and every field of it but manifest_len, which depends on
 * the kind. At least one signature: a part without any is never of use, and would pass a loop
 * over its signatures.
 */
static int envelope_part_header_is_good(const void *bytes, size_t len)
{
	const struct envelope_part_header *h = bytes;

	return (uintptr_t)bytes % 8 == 0 && len >= sizeof(*h) &&
	       memcmp(h->magic, ENVELOPE_PART_MAGIC, sizeof(h->magic)) == 0 &&
	       h->kind < _ENVELOPE_PART_N && h->reserved == 0 && h->n_signatures >= 1 &&
	       h->n_signatures <= ENVELOPE_SIGNATURES_MAX;
}

enum envelope_reason envelope_part_open(
        const void *bytes, size_t len, struct envelope_part *ret_part)
{
	const struct envelope_part_header *h = bytes;
	struct envelope_part part;
	enum envelope_reason r;
	size_t rest, min, max;

	if (!envelope_part_header_is_good(bytes, len)) {
		return ENVELOPE_MALFORMED;
	}
	rest = len - sizeof(*h);
	envelope_part_sizes((enum envelope_part_kind)h->kind, &min, &max);
	if (h->manifest_len < min || h->manifest_len > max || h->manifest_len % 8 != 0) {
		return envelope_part_size_reason(h, rest);
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
	r = envelope_part_manifest_check(&part);
	if (r == ENVELOPE_OK) {
		*ret_part = part;
	}
	return r;
}

enum envelope_part_kind envelope_kind_part(enum envelope_kind kind, unsigned int n)
{
	if (n == 0) {
		return ENVELOPE_ROOT;
	}
	switch (kind) {
	case ENVELOPE_OF_VARIANT:
		return n == 1 ? ENVELOPE_KIT : n == 2 ? ENVELOPE_VARIANT : _ENVELOPE_PART_N;
	case ENVELOPE_OF_ORDER:
		return n == 1 ? ENVELOPE_ORDER : _ENVELOPE_PART_N;
	case ENVELOPE_OF_STATEMENT:
		return n == 1 ? ENVELOPE_STATEMENT : _ENVELOPE_PART_N;
	case ENVELOPE_OF_TIME:
		return n == 1 ? ENVELOPE_TIME : _ENVELOPE_PART_N;
	case ENVELOPE_OF_KIT:
		return n == 1 ? ENVELOPE_KIT : _ENVELOPE_PART_N;
	case ENVELOPE_OF_STANDING:
		return n == 1 ? ENVELOPE_STANDING : _ENVELOPE_PART_N;
	case _ENVELOPE_KIND_N:
		break;
	}
	return _ENVELOPE_PART_N;
}

/*
 * The header says how long the whole is, and it must be exactly that: what a caller has got
 * is one envelope, neither cut nor followed by anything.
 */
static enum envelope_reason envelope_header_check(const void *bytes, size_t len)
{
	const struct envelope_header *h = bytes;

	/* Magic and version stand in the first 16 bytes of every version. */
	if ((uintptr_t)bytes % 8 != 0 || len < 16 || len > ENVELOPE_SIZE_MAX ||
	        memcmp(h->magic, ENVELOPE_MAGIC, sizeof(h->magic)) != 0) {
		return ENVELOPE_MALFORMED;
	}
	if (h->version != ENVELOPE_VERSION) {
		return ENVELOPE_UNKNOWN_VERSION;
	}
	return len >= sizeof(*h) && h->size == len && h->kind >= ENVELOPE_OF_VARIANT &&
	                       h->kind < _ENVELOPE_KIND_N && h->reserved == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_MALFORMED;
}

/*
 * Append a part and name its manifest. n_parts cannot pass ENVELOPE_PARTS_MAX: no kind has
 * more.
 */
static void envelope_view_add(struct envelope_view *view, const struct envelope_part *part)
{
	const void *manifest = part->manifest;

	view->part[view->n_parts++] = *part;
	switch (part->kind) {
	case ENVELOPE_ROOT:
		view->root = manifest;
		break;
	case ENVELOPE_KIT:
		view->kit = manifest;
		break;
	case ENVELOPE_VARIANT:
		view->variant = manifest;
		break;
	case ENVELOPE_ORDER:
		view->order = manifest;
		break;
	case ENVELOPE_STATEMENT:
		view->statement = manifest;
		break;
	case ENVELOPE_TIME:
		view->time = manifest;
		break;
	case ENVELOPE_STANDING:
		view->standing = manifest;
		break;
	case _ENVELOPE_PART_N:
		break;
	}
}

enum envelope_reason envelope_open(const void *bytes, size_t len, struct envelope_view *ret_view)
{
	const struct envelope_header *h = bytes;
	struct envelope_view view = {0};
	enum envelope_part_kind kind;
	size_t at = sizeof(*h);
	enum envelope_reason r = envelope_header_check(bytes, len);

	if (r != ENVELOPE_OK) {
		return r;
	}
	view.kind = (enum envelope_kind)h->kind;
	while ((kind = envelope_kind_part(view.kind, view.n_parts)) != _ENVELOPE_PART_N) {
		struct envelope_part part;

		r = envelope_part_open((const uint8_t *)bytes + at, len - at, &part);
		if (r != ENVELOPE_OK || part.kind != kind) {
			return r != ENVELOPE_OK ? r : ENVELOPE_MALFORMED;
		}
		at += part.size;
		envelope_view_add(&view, &part);
	}
	if (at != len) {
		return ENVELOPE_MALFORMED;
	}
	*ret_view = view;
	return ENVELOPE_OK;
}
