#include "keyring/signer/test/layout.h"

#include <stdlib.h>
#include <string.h>

#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

#define LAYOUT_CODE 16

static const struct {
	struct flat_header header;
	struct flat_piece piece;
	uint8_t code[LAYOUT_CODE];
} layout_kit = {
        .header = {.magic = FLAT_MAGIC,
                .version = FLAT_VERSION,
                .header_size = sizeof(struct flat_header),
                .total_size = sizeof(struct flat_header) + sizeof(struct flat_piece) + LAYOUT_CODE,
                .service = "ds",
                .recipe = LINK_RECIPE,
                .n_pieces = {[FLAT_TEXT] = 1}},
        .piece = {.size = LAYOUT_CODE, .align_log2 = 4},
        .code = "machine code",
};

const uint8_t *layout_flat(void)
{
	return (const uint8_t *)&layout_kit;
}

void layout_of_kit(struct kit_manifest *kit)
{
	kit->flat_len = layout_kit.header.total_size;
	envelope_hash(&layout_kit, kit->flat_len, kit->flat_hash);
}

void layout_of_variant(struct signer_variant *ask)
{
	static _Alignas(8) uint8_t scratch[1 << 16], payload[1 << 20];
	struct variant_manifest *manifest = &ask->manifest;
	const struct link_request request = {.seed = ask->seed, .release_id = manifest->release_id};
	struct link_layout layout;
	struct flat_view view;

	memset(ask->seed, 7, sizeof(ask->seed));
	ask->flat_len = (uint32_t)layout_kit.header.total_size;
	if (flat_check(&layout_kit, ask->flat_len, &view) != FLAT_OK ||
	        link_place(&view, &request, scratch, sizeof(scratch), &layout) != LINK_OK ||
	        layout.payload_size > sizeof(payload) ||
	        link_payload_write(&view, &layout, payload) != LINK_OK) {
		abort();
	}
	manifest->recipe = LINK_RECIPE;
	manifest->payload_len = layout.payload_size;
	envelope_hash(payload, layout.payload_size, manifest->payload_hash);
	envelope_seed_commit(manifest->release_id, LINK_RECIPE, ask->seed, manifest->seed_commit);
}
