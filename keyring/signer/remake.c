/*
 * Whoever drives the signer can have a payload of his own hashed and asked for under the name of a
 * release. So the signer has the flat kit and the seed shown, and makes the payload itself: it signs only
 * what the linker gives. The flat kit is the one whose hash a release key signed, the seed the one that
 * the variant commits to, the recipe this linker's; then there is nothing left that could be chosen.
 *
 * The bytes are made, hashed and forgotten. A layout is a secret while it runs, so what was made is
 * wiped before it is given back.
 */
#include "keyring/signer/remake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

_Static_assert(SIGNER_SEED_SIZE == LINK_SEED_SIZE, "a layout is drawn from what is sealed");

/* The flat kit of this release, well formed: nothing of it is read before its hash is right. */
static bool remake_kit_is(const struct kit_manifest *kit, const uint8_t *flat, uint32_t len,
        struct flat_view *ret_view)
{
	uint8_t hash[64];

	if (flat == NULL || len != kit->flat_len) {
		return false;
	}
	envelope_hash(flat, len, hash);
	return memcmp(hash, kit->flat_hash, sizeof(hash)) == 0 &&
	       flat_check(flat, len, ret_view) == FLAT_OK;
}

static bool remake_seed_is(const struct signer_variant *ask)
{
	uint8_t commitment[64];

	envelope_seed_commit(ask->manifest.release_id, LINK_RECIPE, ask->seed, commitment);
	return ask->manifest.recipe == LINK_RECIPE &&
	       memcmp(commitment, ask->manifest.seed_commit, sizeof(commitment)) == 0;
}

/* Link, and compare. -EIO: the cryptographic library failed. */
static int remake_payload(const struct flat_view *view, const struct link_layout *layout,
        const struct variant_manifest *manifest, bool *ret_same)
{
	uint8_t *payload = malloc(layout->payload_size), hash[64];
	int r = payload == NULL ? -ENOMEM : 0;

	if (r == 0 && link_payload_write(view, layout, payload) != LINK_OK) {
		r = -EIO;
	}
	if (r == 0) {
		envelope_hash(payload, layout->payload_size, hash);
		*ret_same = layout->payload_size == manifest->payload_len &&
		            memcmp(hash, manifest->payload_hash, sizeof(hash)) == 0;
	}
	if (payload != NULL) {
		OPENSSL_cleanse(payload, layout->payload_size);
		free(payload);
	}
	return r;
}

int remake_variant(const struct kit_manifest *kit, const struct signer_variant *ask,
        const uint8_t *flat, enum envelope_reason *ret_reason)
{
	const struct link_request request = {
	        .seed = ask->seed, .release_id = ask->manifest.release_id};
	struct link_layout layout;
	struct flat_view view;
	size_t scratch_size;
	bool same = false;
	void *scratch;
	int r;

	if (!remake_kit_is(kit, flat, ask->flat_len, &view)) {
		*ret_reason = ENVELOPE_RELEASE_MISMATCH;
		return 0;
	}
	if (!remake_seed_is(ask)) {
		*ret_reason = ENVELOPE_OTHER_LAYOUT;
		return 0;
	}
	scratch_size = link_scratch_size(&view);
	scratch = malloc(scratch_size);
	if (scratch == NULL) {
		return -ENOMEM;
	}
	r = link_place(&view, &request, scratch, scratch_size, &layout) == LINK_OK ? 0 : -EIO;
	if (r == 0) {
		r = remake_payload(&view, &layout, &ask->manifest, &same);
	}
	OPENSSL_cleanse(scratch, scratch_size);
	OPENSSL_cleanse(&layout, sizeof(layout));
	free(scratch);
	if (r == 0) {
		*ret_reason = same ? ENVELOPE_OK : ENVELOPE_OTHER_LAYOUT;
	}
	return r;
}
