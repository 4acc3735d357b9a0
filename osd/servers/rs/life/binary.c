/*
 * What RS reads of a state description: that it is the one that the kit names and belongs to the
 * payload, and where the typed heap's root is. Types are not RS's business: the new instance pairs them. Layouts that RS makes
 * of a binary's flat kit. And the end of a binary: it gives back the blobs and the variant that it
 * refers to.
 */
#include "osd/servers/rs/life/binary.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/stage/stage.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/state/state_desc.h"

/*
 * Is it the description that the kit names? A damaged one may be well formed, and then describes a
 * state that is not there. The store has compared what was staged. The kit of a boot entry may not be
 * signed, or not be verified yet: what the kit's own bytes say counts in any case.
 */
static bool binary_compare(struct binary *binary)
{
	uint8_t hash[RS_HASH_LEN];

	if (!binary->is_compared && binary->description_blob == NULL) {
		envelope_hash(binary->description, binary->description_bytes, hash);
		binary->is_compared = memcmp(hash, binary->kit.state_hash, sizeof(hash)) == 0;
		return binary->is_compared;
	}
	binary->is_compared = true;
	return true;
}

/* What does not depend on the layout. The bytes are RS's own, so that once is enough. */
static bool binary_read_description(struct binary *binary)
{
	struct state_desc desc;

	if (binary->described == binary->description) {
		return true;
	}
	if (!binary_compare(binary) ||
	        state_desc_check(binary->description, binary->description_bytes, &desc) !=
	                STATE_DESC_OK ||
	        !state_desc_find_global(&desc, STATE_HEAP_ROOT, &binary->root_entry)) {
		return false;
	}
	binary->n_described = desc.n_entries;
	binary->described = binary->description;
	return true;
}

/*
 * The number of symbols is what ties the two together: the addresses of one are those of the other.
 */
bool binary_describe(struct binary *binary)
{
	if (!binary_read_description(binary) ||
	        binary->n_described != binary->image.header->n_symbols) {
		return false;
	}
	binary->heap_root =
	        binary->root_entry == UINT32_MAX ? 0 : binary->image.symbols[binary->root_entry];
	return true;
}

static void binary_forget_description(struct binary *binary)
{
	binary->description = NULL;
	rs_log(binary->is_compared ? "a state description is not that of its service, which cannot "
	                             "be updated live:"
	                           : "a state description is damaged: its hash is not that in the "
	                             "kit. Its service cannot be updated live:");
	rs_log(binary->kit.service);
}

bool binary_has_description(struct binary *binary)
{
	if (binary->description != NULL && !binary_describe(binary)) {
		binary_forget_description(binary);
	}
	return binary->description != NULL;
}

void binary_read_ahead(struct binary *binary)
{
	if (binary->is_compared) {
		(void)binary_has_description(binary);
	} else if (!binary_compare(binary)) {
		binary_forget_description(binary);
	}
}

void binary_describe_as(struct binary *binary, const struct binary *other)
{
	if (binary->description == other->description) {
		binary->is_compared = other->is_compared;
		binary->described = other->described;
		binary->n_described = other->n_described;
		binary->root_entry = other->root_entry;
	}
}

/* Of the newest root. */
static struct agree_audit binary_audit(void)
{
	return (struct agree_audit){machine.trust.root_serial, machine.trust.audit_pub};
}

bool binary_wants_key(void)
{
	const struct agree_audit audit = binary_audit();

	return agree_is_wanted(&audit);
}

void binary_agree_key(void)
{
	const struct agree_audit audit = binary_audit();

	agree_ahead(&audit);
}

err_t binary_make(struct binary *binary, const struct span_set *taken)
{
	const struct agree_audit audit = binary_audit();
	err_t err = layout_kit_check(&binary->flat, binary->kit.service);

	if (err != E_OK) {
		return err;
	}
	err = layout_make(&binary->flat, binary->release_id, &audit, taken, &binary->layout);
	if (err != E_OK) {
		return err;
	}
	binary->image = binary->layout.image;
	binary->payload_bytes = binary->layout.n_bytes;
	if (binary->description != NULL && !binary_describe(binary)) {
		layout_free(&binary->layout);
		return E_V_DESCRIPTION;
	}
	return E_OK;
}

err_t binary_renew(struct binary *binary, const struct vm_region *regions, uint32_t n_regions)
{
	static struct span_set taken;
	struct binary fresh = *binary;
	err_t err = E_OK;

	span_set_init(&taken);
	for (uint32_t i = 0; err == E_OK && i < n_regions; i++) {
		err = span_set_add(&taken, regions[i].va, regions[i].bytes);
	}
	if (err == E_OK) {
		fresh.layout = (struct layout){0};
		err = binary_make(&fresh, &taken);
	}
	if (err != E_OK) {
		return err;
	}
	layout_free(&binary->layout);
	*binary = fresh;
	return E_OK;
}

struct binary_link {
	char label[16];
	uint8_t head[RS_HASH_LEN];
	uint64_t epoch, generation, n_made;
	uint8_t commitment[RS_HASH_LEN];
};

_Static_assert(sizeof(struct binary_link) == 16 + 64 + 24 + 64, "layout of what is hashed");

void binary_follow(struct binary *fresh, const struct binary *old)
{
	struct binary_link link = {
	        .label = "samsara chain",
	        .epoch = old->generation.epoch,
	        .generation = old->generation.number,
	        .n_made = old->n_made + 1,
	};

	memcpy(link.head, old->made_head, sizeof(link.head));
	memcpy(link.commitment, fresh->layout.commitment, sizeof(link.commitment));
	fresh->generation = old->generation;
	fresh->n_made = link.n_made;
	fresh->made_last = sys_clock_read();
	fresh->made_first = old->n_made == 0 ? fresh->made_last : old->made_first;
	envelope_hash(&link, sizeof(link), fresh->made_head);
}

/* What may be over when it is tried again: memory, and draws that hit what is taken. */
static bool binary_may_pass(err_t err)
{
	return err == E_NOMEM || err == E_STORE_FULL || err == E_AGAIN || err == E_FULL ||
	       err == E_TABLES;
}

/*
 * The window that it has is taken, so even the base differs. The variant that the old layout came
 * from is not what runs any more; the blobs that are still used hold their own references.
 */
err_t binary_remake(struct binary *binary)
{
	const struct image_header *image = binary->image.header;
	struct binary fresh;
	struct span_set taken;
	err_t err;

	if (binary->flat.bytes == NULL) {
		binary->is_kept = true;
		return E_OK;
	}
	/* A bad one is no reason to keep the layout. */
	(void)binary_has_description(binary);
	fresh = *binary;
	span_set_init(&taken);
	err = span_set_add(&taken, image->base, image->window_len);
	if (err == E_OK) {
		fresh.layout = (struct layout){0};
		err = binary_make(&fresh, &taken);
	}
	if (err != E_OK && !binary_may_pass(err) && !binary_is_given(binary)) {
		rs_log("a flat kit is of no use: its service starts in the layout that it had");
		binary->flat = (struct layout_kit){0};
		binary->is_kept = true;
		return E_OK;
	}
	if (err != E_OK) {
		return err;
	}
	layout_free(&binary->layout);
	blob_unref(binary->payload_blob);
	fresh.payload_blob = NULL;
	memset(fresh.payload_hash, 0, sizeof(fresh.payload_hash));
	binary_follow(&fresh, binary);
	*binary = fresh;
	return E_OK;
}

void binary_release(struct binary *binary)
{
	layout_free(&binary->layout);
	blob_unref(binary->payload_blob);
	blob_unref(binary->description_blob);
	blob_unref(binary->flat_blob);
	if (binary->variant != NULL) {
		binary->variant->n_users--;
	}
	binary->payload_blob = binary->description_blob = binary->flat_blob = NULL;
	binary->variant = NULL;
}
