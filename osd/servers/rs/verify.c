/*
 * Is what was staged to be believed? The envelope's bytes are verified first, in RS's private copy,
 * and every field is read from those bytes. Then payload and description, which the store keeps
 * under the hash of their bytes, are compared with what was signed, and checked for form; last
 * comes what only this machine knows.
 *
 * Nothing is changed before everything holds, but for the newest signed time and root.
 */
#include "osd/servers/rs/txn.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/span.h"

static struct vm_region verify_regions[RS_N_REGIONS];

static err_t verify_reason(enum envelope_reason reason)
{
	switch (reason) {
	case ENVELOPE_OK:
		return E_OK;
	case ENVELOPE_MALFORMED:
		return E_V_FORMAT;
	case ENVELOPE_UNKNOWN_VERSION:
		return E_V_VERSION;
	case ENVELOPE_UNKNOWN_KEY:
		return E_V_KEY;
	case ENVELOPE_WRONG_ROLE:
		return E_V_ROLE;
	case ENVELOPE_BAD_SIGNATURE:
		return E_V_SIGNATURE;
	case ENVELOPE_TOO_FEW_SIGNATURES:
		return E_V_THRESHOLD;
	case ENVELOPE_KEY_EXPIRED:
		return E_V_KEY_EXPIRED;
	case ENVELOPE_OLD_ROOT:
		return E_V_ROOT;
	case ENVELOPE_WRONG_SERVICE:
		return E_V_SERVICE;
	case ENVELOPE_RELEASE_MISMATCH:
		return E_V_RELEASE;
	case ENVELOPE_WRONG_MACHINE:
		return E_V_MACHINE;
	case ENVELOPE_IMPLAUSIBLE_TIME:
		return E_V_TIME;
	case ENVELOPE_EXPIRED:
		return E_V_EXPIRED;
	case ENVELOPE_BELOW_FLOOR:
		return E_V_FLOOR;
	case ENVELOPE_REPLAYED_GENERATION:
		return E_V_REPLAY;
	case ENVELOPE_PAYLOAD_MISMATCH:
		return E_V_HASH;
	case ENVELOPE_DESCRIPTION_MISMATCH:
		return E_V_DESCRIPTION;
	case _ENVELOPE_N:
		break;
	}
	return E_V_FORMAT;
}

static void verify_trust(const struct service *service, struct trust *ret_trust)
{
	uint64_t uptime = sys_clock_read() / NSEC_SEC;

	memset(ret_trust, 0, sizeof(*ret_trust));
	memcpy(ret_trust->root_pub, machine.root_pub, sizeof(ret_trust->root_pub));
	ret_trust->root_serial = machine.root_serial;
	memcpy(ret_trust->machine_id, machine.boot.header->machine_id,
	        sizeof(ret_trust->machine_id));
	memcpy(ret_trust->service, service->name, SERVICE_NAME_LEN);
	ret_trust->newest_time = machine.newest_time;
	/* From the boot on, not from the newest time seen: else a row of envelopes walks it away.
	 */
	ret_trust->latest_time = machine.boot.header->boot_time_unix + uptime + ENVELOPE_JUMP_SEC;
	ret_trust->generation = service->generation;
	ret_trust->floor = service->floor;
}

void verify_learn(const struct envelope_view *view)
{
	if (view->root->serial > machine.root_serial) {
		machine.root_serial = view->root->serial;
	}
	if (view->variant->issued > machine.newest_time) {
		machine.newest_time = view->variant->issued;
	}
}

static err_t verify_envelope(const struct update_txn *txn, struct envelope_view *ret_view)
{
	struct trust trust;
	err_t r;

	if (!machine.has_root) {
		return E_V_KEY;
	}
	r = verify_reason(envelope_open(txn->envelope, txn->request.envelope_bytes, ret_view));
	if (r != E_OK) {
		return r;
	}
	verify_trust(txn->service, &trust);
	r = verify_reason(envelope_verify(ret_view, &trust));
	if (r == E_OK) {
		verify_learn(ret_view);
	}
	return r;
}

/* A complete blob by the hash that the request names. */
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

static err_t verify_hashes(const struct envelope_view *view, const struct binary *binary)
{
	if (memcmp(view->variant->payload_hash, binary->payload_blob->hash, RS_HASH_LEN) != 0 ||
	        view->variant->payload_len != binary->payload_blob->total) {
		return E_V_HASH;
	}
	if (memcmp(view->kit->state_hash, binary->description_blob->hash, RS_HASH_LEN) != 0) {
		return E_V_DESCRIPTION;
	}
	return E_OK;
}

static err_t verify_image(const struct envelope_view *view, struct binary *binary)
{
	const struct image_header *header;

	if (image_check(binary->payload_blob->bytes, binary->payload_blob->total, &binary->image) !=
	        IMAGE_OK) {
		return E_V_IMAGE;
	}
	header = binary->image.header;
	if (memcmp(header->service, view->variant->service, SERVICE_NAME_LEN) != 0) {
		return E_V_SERVICE;
	}
	if (header->base != view->variant->base) {
		return E_V_IMAGE;
	}
	binary->kit = *view->kit;
	binary->generation = view->variant->generation;
	binary->payload_bytes = binary->payload_blob->total;
	binary->description = binary->description_blob->bytes;
	binary->description_bytes = binary->description_blob->total;
	memcpy(binary->payload_hash, binary->payload_blob->hash, RS_HASH_LEN);
	return binary_describe(binary) ? E_OK : E_V_DESCRIPTION;
}

static err_t verify_staged(struct update_txn *txn)
{
	struct binary binary = {0};
	struct envelope_view view;
	err_t r = verify_envelope(txn, &view);

	if (r == E_OK) {
		r = verify_blob(txn->request.payload, &binary.payload_blob);
	}
	if (r == E_OK) {
		r = verify_blob(txn->request.description, &binary.description_blob);
	}
	if (r == E_OK) {
		r = verify_hashes(&view, &binary);
	}
	if (r == E_OK) {
		r = verify_image(&view, &binary);
	}
	if (r != E_OK) {
		return r;
	}
	blob_ref(binary.payload_blob);
	blob_ref(binary.description_blob);
	txn->binary = binary;
	return E_OK;
}

/*
 * The old instance's memory must stay where it is while the new one looks at it: device and DMA
 * memory cannot, and the new image's window must be free.
 */
static err_t verify_room(const struct update_txn *txn)
{
	const struct image_header *image = txn->binary.image.header;
	struct span_set window;
	uint32_t n;
	err_t r = memory_regions(txn->service->instance.space, verify_regions, RS_N_REGIONS, &n);

	span_set_init(&window);
	if (r == E_OK) {
		r = span_set_add(&window, image->base, image->window_len);
	}
	for (uint32_t i = 0; r == E_OK && i < n; i++) {
		const struct vm_region *region = &verify_regions[i];

		if ((region->flags & (VM_REGION_DMA | VM_REGION_DEVICE)) != 0) {
			r = E_NOT_UPDATABLE;
		} else if (span_set_hits(&window, region->va, region->bytes)) {
			r = E_V_OVERLAP;
		}
	}
	return r;
}

err_t verify_update(struct update_txn *txn)
{
	struct service *service = service_find(txn->request.service);
	err_t r;

	if (service == NULL) {
		return E_NOTFOUND;
	}
	txn->service = service;
	if (!service_is_updatable(service)) {
		return E_NOT_UPDATABLE;
	}
	if (service->state != RS_SERVICE_UP) {
		return E_STATE;
	}
	if (txn->request.envelope_bytes == 0) {
		return E_OK;
	}
	r = verify_staged(txn);
	return r == E_OK ? verify_room(txn) : r;
}
