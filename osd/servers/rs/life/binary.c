/*
 * What RS reads of a state description: that it belongs to the payload, and where the typed
 * heap's root is. Types are not RS's business: the new instance pairs them. And the end of a
 * binary: it gives back the blobs and the variant that it refers to.
 */
#include "osd/servers/rs/life/binary.h"

#include "osd/servers/rs/stage/stage.h"
#include "proto/state/state_desc.h"

/*
 * The number of symbols is what ties the two together: the addresses of one are those of the other.
 */
bool binary_describe(struct binary *binary)
{
	struct state_desc desc;
	uint32_t root;

	if (state_desc_check(binary->description, binary->description_bytes, &desc) !=
	                STATE_DESC_OK ||
	        desc.n_entries != binary->image.header->n_symbols) {
		return false;
	}
	if (!state_desc_find_global(&desc, STATE_HEAP_ROOT, &root)) {
		return false;
	}
	binary->heap_root = root == UINT32_MAX ? 0 : binary->image.symbols[root];
	return true;
}

void binary_release(struct binary *binary)
{
	blob_unref(binary->payload_blob);
	blob_unref(binary->description_blob);
	if (binary->variant != NULL) {
		binary->variant->n_users--;
	}
	binary->payload_blob = binary->description_blob = NULL;
	binary->variant = NULL;
}
