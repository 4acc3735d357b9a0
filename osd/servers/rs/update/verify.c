/*
 * Can what an order names be run here? That the variant is to be believed, and that the order may
 * name it, was decided in trust.c. Now payload and description, which the store keeps under the
 * hash of their bytes, must be there and well formed; last comes what only this machine knows. Of a
 * component that names no variant the payload is made here, of the flat kit; one that was made
 * elsewhere is made here again and compared, so that the key that signed it could choose nothing.
 */
#include "osd/servers/rs/update/priv.h"
#include "osd/servers/rs/update/update.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/layout/layout.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/memory/span.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/trust/trust.h"
#include "proto/image/image.h"

static struct vm_region verify_regions[RS_N_REGIONS];

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

/* The flat kit. What the service runs from may be of the same release: then it was checked. */
static err_t verify_flat(const struct service *service, struct binary *binary)
{
	err_t err = stage_find_complete(binary->kit.flat_hash, &binary->flat_blob);

	if (err != E_OK) {
		return err;
	}
	binary->flat.bytes = binary->flat_blob->bytes;
	binary->flat.n_bytes = binary->flat_blob->total;
	if (binary->flat.bytes == service->binary.flat.bytes) {
		binary->flat = service->binary.flat;
	}
	return E_OK;
}

/*
 * What the kit names: its description, and the flat kit, which a variant can do without. *ret_binary
 * holds no references yet.
 */
static err_t verify_kit(struct trust_variant *v, struct trust_number generation,
        const struct service *service, struct binary *ret_binary)
{
	struct binary binary = {.kit = v->kit, .generation = generation, .variant = v};
	err_t err = stage_find_complete(v->kit.state_hash, &binary.description_blob);

	memcpy(binary.release_id, v->is_kit ? v->hash : v->variant.release_id, RS_HASH_LEN);
	if (err != E_OK) {
		return err;
	}
	binary.description = binary.description_blob->bytes;
	binary.description_bytes = binary.description_blob->total;
	binary_describe_as(&binary, &service->binary);
	err = verify_flat(service, &binary);
	if (err != E_OK && v->is_kit) {
		return err;
	}
	*ret_binary = binary;
	return E_OK;
}

/* The payload that was staged for a variant. */
static err_t verify_staged(struct binary *binary)
{
	err_t err =
	        stage_find_complete(binary->variant->variant.payload_hash, &binary->payload_blob);

	if (err != E_OK) {
		return err;
	}
	binary->payload_bytes = binary->payload_blob->total;
	memcpy(binary->payload_hash, binary->payload_blob->hash, RS_HASH_LEN);
	return verify_image(binary);
}

/*
 * What the running instance takes in its space. Its memory must stay where it is while the new one
 * looks at it: device and DMA memory cannot.
 */
static err_t verify_taken(const struct service *service, struct span_set *ret_taken)
{
	uint32_t n;
	err_t err = memory_regions(service->instance.space, verify_regions, RS_N_REGIONS, &n);

	span_set_init(ret_taken);
	for (uint32_t i = 0; err == E_OK && i < n; i++) {
		const struct vm_region *region = &verify_regions[i];

		if ((region->flags & (VM_REGION_DMA | VM_REGION_DEVICE)) != 0) {
			err = E_NOT_UPDATABLE;
		} else {
			err = span_set_add(ret_taken, region->va, region->bytes);
		}
	}
	return err;
}

/* Of variant keys, on a machine that cannot make a layout again. */
#define VERIFY_SIGNATURES_WITHOUT_KIT 2

/* Make the layout again, and compare. What was proved once is proved for as long as it is kept. */
static err_t verify_again(struct binary *binary)
{
	struct trust_variant *v = binary->variant;
	struct blob *flat;
	err_t err = stage_find_complete(v->kit.flat_hash, &flat);

	if (err == E_OK) {
		err = layout_kit_check(&binary->flat, v->kit.service);
	}
	if (err == E_OK) {
		err = layout_check(&binary->flat, v->variant.release_id, v->seed,
		        binary->payload_blob->bytes, binary->payload_blob->total);
	}
	if (err == E_OK) {
		trust_prove(v);
	}
	return err;
}

/* Is the payload a layout of the release that it is signed for? E_V_LAYOUT: no, or nobody can say. */
static err_t verify_layout(struct binary *binary)
{
	const struct trust_variant *v = binary->variant;

	if (v->is_proved) {
		return E_OK;
	}
	if (!machine_keeps_kits()) {
		return v->n_signatures >= VERIFY_SIGNATURES_WITHOUT_KIT ? E_OK : E_V_THRESHOLD;
	}
	return v->has_seed ? verify_again(binary) : E_V_LAYOUT;
}

/*
 * A payload that was made elsewhere: it must be whole, its window free, and (last, since it costs
 * most) its bytes those that the kit gives.
 */
static err_t verify_host_made(struct binary *binary, const struct span_set *taken)
{
	err_t err = verify_staged(binary);

	if (err != E_OK) {
		return err;
	}
	if (span_set_hits(taken, binary->image.header->base, binary->image.header->window_len)) {
		return E_V_OVERLAP;
	}
	return verify_layout(binary);
}

err_t verify_service(const char name[SERVICE_NAME_LEN], struct service **ret_service)
{
	struct service *service = service_find(name);

	if (service == NULL) {
		return E_NOTFOUND;
	}
	if (!service_is_updatable(service) || !binary_has_description(&service->binary)) {
		return E_NOT_UPDATABLE;
	}
	if (service->state != RS_SERVICE_RUNNING &&
	        !(service->state == RS_SERVICE_UPDATING && update_gives_way())) {
		return E_STATE;
	}
	*ret_service = service;
	return E_OK;
}

err_t verify_update(struct trust_variant *variant, struct trust_number generation,
        const struct service *service, struct binary *ret_binary)
{
	static struct span_set taken;
	struct binary binary;
	err_t err = verify_kit(variant, generation, service, &binary);

	if (err == E_OK) {
		err = verify_taken(service, &taken);
	}
	if (err == E_OK) {
		err = variant->is_kit ? binary_make(&binary, &taken)
		                      : verify_host_made(&binary, &taken);
	}
	if (err != E_OK) {
		return err;
	}
	if (binary.payload_blob != NULL) {
		blob_ref(binary.payload_blob);
	}
	if (binary.flat_blob != NULL) {
		blob_ref(binary.flat_blob);
	}
	blob_ref(binary.description_blob);
	binary.variant->n_users++;
	*ret_binary = binary;
	return E_OK;
}
