/*
 * Can what an order names be run here? That the variant is to be believed, and that the order may
 * name it, was decided in trust.c. Now payload and description, which the store keeps under the
 * hash of their bytes, must be there and well formed; last comes what only this machine knows.
 */
#include "osd/servers/rs/update/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/memory/span.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/trust/trust.h"

static struct vm_region verify_regions[RS_N_REGIONS];

/* A complete blob by its hash. E_NOTFOUND; E_INCOMPLETE: its last bytes have not come yet. */
static err_t verify_blob(const uint8_t hash[RS_HASH_LEN], struct blob **ret_blob)
{
	struct blob *blob = stage_find(hash);

	if (blob == NULL) {
		return E_NOTFOUND;
	}
	if (!blob_is_complete(blob)) {
		return E_INCOMPLETE;
	}
	*ret_blob = blob;
	return E_OK;
}

/*
 * The signature covers the hash of the payload; here the bytes must also be an image of that
 * service.
 */
static err_t verify_image(struct binary *binary)
{
	if (image_check(binary->payload_blob->bytes, binary->payload_blob->total, &binary->image) !=
	        IMAGE_OK) {
		return E_V_IMAGE;
	}
	if (memcmp(binary->image.header->service, binary->kit.service, SERVICE_NAME_LEN) != 0) {
		return E_V_SERVICE;
	}
	return binary_describe(binary) ? E_OK : E_V_DESCRIPTION;
}

/* All that depends on the variant and what was staged for it, but not on this machine. */
static err_t verify_staged(
        struct trust_variant *v, struct trust_number generation, struct binary *ret_binary)
{
	struct binary binary = {
	        .kit = v->kit,
	        .generation = generation,
	        .variant = v,
	};
	err_t err = verify_blob(v->variant.payload_hash, &binary.payload_blob);

	if (err == E_OK) {
		err = verify_blob(v->kit.state_hash, &binary.description_blob);
	}
	if (err != E_OK) {
		return err;
	}
	binary.payload_bytes = binary.payload_blob->total;
	binary.description = binary.description_blob->bytes;
	binary.description_bytes = binary.description_blob->total;
	memcpy(binary.payload_hash, binary.payload_blob->hash, RS_HASH_LEN);
	err = verify_image(&binary);
	if (err == E_OK) {
		*ret_binary = binary;
	}
	return err;
}

/*
 * The old instance's memory must stay where it is while the new one looks at it: device and DMA
 * memory cannot, and the new image's window must be free.
 */
static err_t verify_room(const struct service *service, const struct binary *binary)
{
	const struct image_header *image = binary->image.header;
	struct span_set window;
	uint32_t n;
	err_t err = memory_regions(service->instance.space, verify_regions, RS_N_REGIONS, &n);

	span_set_init(&window);
	if (err == E_OK) {
		err = span_set_add(&window, image->base, image->window_len);
	}
	for (uint32_t i = 0; err == E_OK && i < n; i++) {
		const struct vm_region *region = &verify_regions[i];

		if ((region->flags & (VM_REGION_DMA | VM_REGION_DEVICE)) != 0) {
			err = E_NOT_UPDATABLE;
		} else if (span_set_hits(&window, region->va, region->bytes)) {
			err = E_V_OVERLAP;
		}
	}
	return err;
}

err_t verify_service(const char name[SERVICE_NAME_LEN], struct service **ret_service)
{
	struct service *service = service_find(name);

	if (service == NULL) {
		return E_NOTFOUND;
	}
	if (!service_is_updatable(service)) {
		return E_NOT_UPDATABLE;
	}
	if (service->state != RS_SERVICE_RUNNING) {
		return E_STATE;
	}
	*ret_service = service;
	return E_OK;
}

err_t verify_update(struct trust_variant *variant, struct trust_number generation,
        const struct service *service, struct binary *ret_binary)
{
	struct binary binary;
	err_t err = verify_staged(variant, generation, &binary);

	if (err == E_OK) {
		err = verify_room(service, &binary);
	}
	if (err != E_OK) {
		return err;
	}
	blob_ref(binary.payload_blob);
	blob_ref(binary.description_blob);
	binary.variant->n_users++;
	*ret_binary = binary;
	return E_OK;
}
