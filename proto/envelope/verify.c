/*
 * Believing: from the pinned root key down. A signature is looked at before any
 * field of the bytes it covers is used, except the key ids that say whom to ask.
 *
 * All times are compared with the newest signed time known, this envelope's own
 * included: a machine has no clock that anybody vouches for, so signed time is
 * the only time, and it only rises. An envelope issued further ahead than the
 * machine can explain is refused, or one stolen key could run time forward until
 * everything else has expired.
 */
#include <string.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"

/* A set of keys with one role. */
struct key_list {
	const struct root_key *keys;
	uint32_t n;
};

static const struct root_key *key_list_find(struct key_list list, const uint8_t id[16])
{
	for (uint32_t i = 0; i < list.n; i++) {
		if (memcmp(list.keys[i].id, id, sizeof(list.keys[i].id)) == 0) {
			return &list.keys[i];
		}
	}
	return NULL;
}

static int root_names_key(const struct root_manifest *root, const uint8_t id[16])
{
	uint8_t root_id[64];

	envelope_hash(root->root_pub, sizeof(root->root_pub), root_id);
	return memcmp(root_id, id, 16) == 0 ||
	       key_list_find((struct key_list){root->release, root->n_release}, id) != NULL ||
	       key_list_find((struct key_list){root->variant, root->n_variant}, id) != NULL ||
	       key_list_find((struct key_list){root->policy, root->n_policy}, id) != NULL;
}

/* One signature by one of the listed keys, valid at the time. */
static enum envelope_reason signature_verify(const struct envelope_part *part,
        const struct envelope_signature *sig, const struct root_manifest *root,
        struct key_list allowed, uint64_t time)
{
	const struct root_key *key = key_list_find(allowed, sig->key_id);

	if (key == NULL) {
		return root_names_key(root, sig->key_id) ? ENVELOPE_WRONG_ROLE
		                                         : ENVELOPE_UNKNOWN_KEY;
	}
	if (!envelope_signature_check(key->pub, part->manifest, part->manifest_len, sig->sig)) {
		return ENVELOPE_BAD_SIGNATURE;
	}
	return time >= key->not_before && time < key->not_after ? ENVELOPE_OK
	                                                        : ENVELOPE_KEY_EXPIRED;
}

/* Every signature must be good, and enough of them by different keys. */
static enum envelope_reason part_verify(const struct envelope_part *part,
        const struct root_manifest *root, struct key_list allowed, uint32_t need, uint64_t time)
{
	for (unsigned int i = 0; i < part->n_signatures; i++) {
		enum envelope_reason r =
		        signature_verify(part, &part->signatures[i], root, allowed, time);

		if (r != ENVELOPE_OK) {
			return r;
		}
		for (unsigned int j = 0; j < i; j++) {
			if (memcmp(part->signatures[i].key_id, part->signatures[j].key_id, 16) ==
			        0) {
				return ENVELOPE_MALFORMED;
			}
		}
	}
	return part->n_signatures >= need ? ENVELOPE_OK : ENVELOPE_TOO_FEW_SIGNATURES;
}

enum envelope_reason envelope_verify_root(
        const struct envelope_part *part, const struct trust *trust)
{
	const struct root_manifest *root = (const void *)part->manifest;
	const struct envelope_signature *sig = part->signatures;
	uint8_t id[64];

	envelope_hash(trust->root_pub, sizeof(trust->root_pub), id);
	if (part->kind != ENVELOPE_ROOT || part->n_signatures != 1) {
		return ENVELOPE_MALFORMED;
	}
	if (memcmp(sig->key_id, id, sizeof(sig->key_id)) != 0) {
		return ENVELOPE_UNKNOWN_KEY;
	}
	if (!envelope_signature_check(
	            trust->root_pub, part->manifest, part->manifest_len, sig->sig)) {
		return ENVELOPE_BAD_SIGNATURE;
	}
	if (memcmp(root->root_pub, trust->root_pub, sizeof(root->root_pub)) != 0) {
		return ENVELOPE_UNKNOWN_KEY;
	}
	return root->serial >= trust->root_serial ? ENVELOPE_OK : ENVELOPE_OLD_ROOT;
}

enum envelope_reason envelope_verify_kit(
        const struct envelope_part *part, const struct root_manifest *root, uint64_t time)
{
	struct key_list release = {root->release, root->n_release};

	if (part->kind != ENVELOPE_KIT) {
		return ENVELOPE_MALFORMED;
	}
	return part_verify(part, root, release, 1, time);
}

uint32_t envelope_signatures_needed(const struct root_manifest *root, const char *service)
{
	for (uint32_t i = 0; i < root->n_needs; i++) {
		if (strncmp(root->needs[i].service, service, SERVICE_NAME_SIZE) == 0) {
			return root->needs[i].n_signatures;
		}
	}
	return root->default_need;
}

void kit_manifest_release_id(const struct kit_manifest *kit, uint8_t ret_id[64])
{
	envelope_hash(kit, sizeof(*kit), ret_id);
}

static enum envelope_reason envelope_verify_signatures(
        const struct envelope_view *view, const struct trust *trust, uint64_t time)
{
	const struct root_manifest *root = view->root;
	struct key_list variant = {root->variant, root->n_variant};
	uint32_t need = envelope_signatures_needed(root, trust->service);
	enum envelope_reason r = envelope_verify_root(&view->part[ENVELOPE_ROOT], trust);

	if (r == ENVELOPE_OK) {
		r = envelope_verify_kit(&view->part[ENVELOPE_KIT], root, time);
	}
	if (r == ENVELOPE_OK) {
		r = part_verify(&view->part[ENVELOPE_VARIANT], root, variant, need, time);
	}
	return r;
}

static enum envelope_reason envelope_verify_binding(
        const struct envelope_view *view, const struct trust *trust)
{
	uint8_t release_id[64];

	if (strncmp(view->kit->service, trust->service, SERVICE_NAME_SIZE) != 0 ||
	        strncmp(view->variant->service, trust->service, SERVICE_NAME_SIZE) != 0) {
		return ENVELOPE_WRONG_SERVICE;
	}
	kit_manifest_release_id(view->kit, release_id);
	if (memcmp(view->variant->release_id, release_id, sizeof(release_id)) != 0) {
		return ENVELOPE_RELEASE_MISMATCH;
	}
	return memcmp(view->variant->machine_id, trust->machine_id, 16) == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_WRONG_MACHINE;
}

/* The newest signed time, with this envelope taken into account as far as plausible. */
static uint64_t envelope_time(const struct envelope_view *view, const struct trust *trust)
{
	uint64_t issued = view->variant->issued;

	if (issued > trust->latest_time) {
		issued = trust->latest_time;
	}
	return issued > trust->newest_time ? issued : trust->newest_time;
}

enum envelope_reason envelope_verify(const struct envelope_view *view, const struct trust *trust)
{
	const struct variant_manifest *variant = view->variant;
	uint64_t time = envelope_time(view, trust);
	enum envelope_reason r = envelope_verify_signatures(view, trust, time);

	if (r == ENVELOPE_OK) {
		r = envelope_verify_binding(view, trust);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (variant->issued > trust->latest_time) {
		return ENVELOPE_IMPLAUSIBLE_TIME;
	}
	if (variant->expires <= time) {
		return ENVELOPE_EXPIRED;
	}
	if (view->kit->counter < trust->floor) {
		return ENVELOPE_BELOW_FLOOR;
	}
	return variant->generation > trust->generation ? ENVELOPE_OK : ENVELOPE_REPLAYED_GENERATION;
}

static int hash_matches(const void *bytes, size_t len, const uint8_t expected[64])
{
	uint8_t hash[64];

	envelope_hash(bytes, len, hash);
	return memcmp(hash, expected, sizeof(hash)) == 0;
}

enum envelope_reason envelope_verify_payload(
        const struct envelope_view *view, const void *bytes, size_t len)
{
	return len == view->variant->payload_len &&
	                       hash_matches(bytes, len, view->variant->payload_hash)
	               ? ENVELOPE_OK
	               : ENVELOPE_PAYLOAD_MISMATCH;
}

enum envelope_reason envelope_verify_description(
        const struct envelope_view *view, const void *bytes, size_t len)
{
	return hash_matches(bytes, len, view->kit->state_hash) ? ENVELOPE_OK
	                                                       : ENVELOPE_DESCRIPTION_MISMATCH;
}
