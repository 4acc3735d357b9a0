#pragma once
/*
 * What an instance is made from. The bytes are in the boot image, or in blobs that it holds a
 * reference to; everything in it was checked.
 */
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/trust/trust.h"
#include "proto/envelope/envelope.h"
#include "proto/image/image.h"

struct binary {
	struct kit_manifest kit;
	struct trust_number generation;
	struct image_view image; /* header NULL: no payload (a service that the kernel loaded) */
	uint64_t payload_bytes;
	const uint8_t *description; /* NULL: none */
	uint64_t description_bytes;
	vaddr_t heap_root; /* of its typed heap; 0: it has none */
	struct blob *payload_blob, *description_blob;
	struct trust_variant *variant; /* NULL: it came with the boot image */
	uint8_t payload_hash[RS_HASH_LEN];
};

/*
 * Read from a checked payload and its description what RS wants to know. False:
 * they do not belong together.
 */
bool binary_describe(struct binary *binary);
/* Give back what a binary refers to. Takes an empty one. */
void binary_release(struct binary *binary);
