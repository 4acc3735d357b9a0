/*
 * Believing: from the pinned root key down. The order of checks is the same for every kind,
 * and the first that fails is the answer:
 *
 *   1. root: one signature, by the pinned key, over the root manifest; serial and hash; expiry
 *   2. each further part: the key is named by this root, for a role that may sign this kind;
 *      the signature over exactly the manifest's bytes; the key's own end
 *   3. as many signatures, and by such roles, as the root and the kind ask for
 *   4. what the manifests say of each other (service, release) and of us (machine, boot, epoch)
 *   5. length of life, and its end
 *
 * Before a part's signature is good nothing of that part decides anything, with two
 * exceptions that a forger gains nothing by: key ids, which only say whom to ask, and the
 * date, which can only make keys look older than they are (envelope_time()).
 *
 * Dates serve expiry only. A date in the future is no reason to refuse: it moves the
 * verifier's time forward, but not beyond what its own clock explains (trust's latest_time),
 * or one stolen key could run time forward until everything else has expired. A time
 * statement is judged by the time it states, a starting statement by none: it comes from
 * before, and only raises.
 *
 * Not decided here: whether a number (transaction, generation, floor) was used before,
 * whether a payload's bytes are the ones named (envelope_verify_payload()), whether a kit is
 * the one that a payload was made from. Nothing is kept: two calls with the same arguments
 * give the same answer.
 */
#include <stdbool.h>
#include <string.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"

/* A set of keys with one role. */
struct key_list {
	const struct root_key *keys;
	uint32_t n;
};

/*
 * The key with this id. Ids are hashes of public keys (rules.c checks that), so one id is one
 * key; the rules also keep a key from having two roles.
 */
static const struct root_key *key_list_find(struct key_list list, const uint8_t id[16])
{
	for (uint32_t i = 0; i < list.n; i++) {
		if (memcmp(list.keys[i].id, id, sizeof(list.keys[i].id)) == 0) {
			return &list.keys[i];
		}
	}
	return NULL;
}

static struct key_list verify_key_list(const struct root_manifest *root, enum root_role role)
{
	return (struct key_list){root->keys[role], root->n_keys[role]};
}

/* A key's id: the first 16 bytes of BLAKE2b-512 over its public half. */
static void verify_key_id(const uint8_t pub[32], uint8_t ret_id[16])
{
	uint8_t hash[64];

	envelope_hash(pub, 32, hash);
	memcpy(ret_id, hash, 16);
}

/*
 * The key that claims to have signed, and its role; NULL: the root does not name it. Of a
 * revoked key the newer root says nothing any more, which is what revokes it.
 */
static const struct root_key *root_find_key(
        const struct root_manifest *root, const uint8_t id[16], enum root_role *ret_role)
{
	for (unsigned int role = 0; role < _ROOT_ROLE_N; role++) {
		const struct root_key *key =
		        key_list_find(verify_key_list(root, (enum root_role)role), id);

		if (key != NULL) {
			*ret_role = (enum root_role)role;
			return key;
		}
	}
	return NULL;
}

#define ROLE_BIT(role) (1u << (role))

/*
 * One signature over part->manifest, all of it and nothing else: neither the part's header
 * nor the other signatures are covered. Checked in this order: the root names the key; for a
 * role in `allowed` (ROLE_BIT()s); the bytes; the key's not_after. Its not_before is not
 * asked for: a date ahead of ours is never a reason to refuse.
 *
 * The root key itself signs roots and times only: where it appears elsewhere it is a known
 * key of the wrong role, not an unknown one.
 */
static enum envelope_reason verify_signature(const struct envelope_part *part,
        const struct envelope_signature *sig, const struct root_manifest *root,
        unsigned int allowed, uint64_t time)
{
	enum root_role role;
	const struct root_key *key = root_find_key(root, sig->key_id, &role);
	uint8_t root_id[16];

	if (key == NULL) {
		verify_key_id(root->root_pub, root_id);
		return memcmp(root_id, sig->key_id, sizeof(root_id)) == 0 ? ENVELOPE_WRONG_ROLE
		                                                          : ENVELOPE_UNKNOWN_KEY;
	}
	if ((ROLE_BIT(role) & allowed) == 0) {
		return ENVELOPE_WRONG_ROLE;
	}
	if (!envelope_signature_check(key->pub, part->manifest, part->manifest_len, sig->sig)) {
		return ENVELOPE_BAD_SIGNATURE;
	}
	return time < key->not_after ? ENVELOPE_OK : ENVELOPE_KEY_EXPIRED;
}

/*
 * All signatures of a part, none ignored: a part that carries one bad signature beside enough
 * good ones is refused, so that nothing can be smuggled in as decoration. No key counts
 * twice. How many are needed is the caller's to ask.
 */
static enum envelope_reason verify_part(const struct envelope_part *part,
        const struct root_manifest *root, unsigned int allowed, uint64_t time)
{
	for (unsigned int i = 0; i < part->n_signatures; i++) {
		enum envelope_reason r =
		        verify_signature(part, &part->signatures[i], root, allowed, time);

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
	return ENVELOPE_OK;
}

/*
 * Signatures by keys of this role. Only for a part that verify_part() has passed: ids are
 * counted here, not signatures checked.
 */
static unsigned int verify_signatures_by(
        const struct envelope_part *part, const struct root_manifest *root, enum root_role role)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < part->n_signatures; i++) {
		n += key_list_find(verify_key_list(root, role), part->signatures[i].key_id) != NULL;
	}
	return n;
}

/*
 * Signed by this key, exactly once, and by nobody else. One signature is all a root has: one
 * that carries more is refused rather than half read.
 */
static enum envelope_reason verify_root_key(
        const struct envelope_part *part, const uint8_t root_pub[32])
{
	const struct envelope_signature *sig = part->signatures;
	uint8_t id[16];

	verify_key_id(root_pub, id);
	if (part->n_signatures != 1) {
		return ENVELOPE_MALFORMED;
	}
	if (memcmp(sig->key_id, id, sizeof(id)) != 0) {
		return ENVELOPE_UNKNOWN_KEY;
	}
	return envelope_signature_check(root_pub, part->manifest, part->manifest_len, sig->sig)
	               ? ENVELOPE_OK
	               : ENVELOPE_BAD_SIGNATURE;
}

/*
 * Not older than the newest root seen, and the same bytes if it has the same serial:
 * otherwise whoever holds the root key could show two machines two roots of one number. A
 * zero root_hash (a machine that knows the serial from its boot configuration only) leaves
 * the second question open.
 */
static enum envelope_reason verify_root_serial(
        const struct root_manifest *root, const struct trust *trust)
{
	static const uint8_t unknown[64];
	uint8_t hash[64];

	if (root->serial != trust->root_serial) {
		return root->serial > trust->root_serial ? ENVELOPE_OK : ENVELOPE_OLD_ROOT;
	}
	envelope_hash(root, sizeof(*root), hash);
	return memcmp(trust->root_hash, unknown, sizeof(unknown)) == 0 ||
	                       memcmp(trust->root_hash, hash, sizeof(hash)) == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_OTHER_ROOT;
}

/*
 * The very root that was verified before, under the very signature: the answer is known, and a
 * signature costs most of what a verification does. Of a verifier that keeps none: never.
 */
static bool verify_root_is_known(const struct envelope_part *part, const struct trust *trust)
{
	static const struct envelope_signature none;
	const struct root_manifest *root = (const void *)part->manifest;
	uint8_t hash[64];

	if (part->n_signatures != 1 || root->serial != trust->root_serial ||
	        memcmp(&trust->root_signature, &none, sizeof(none)) == 0 ||
	        memcmp(part->signatures, &trust->root_signature, sizeof(none)) != 0) {
		return false;
	}
	envelope_hash(root, sizeof(*root), hash);
	return memcmp(hash, trust->root_hash, sizeof(hash)) == 0;
}

/*
 * A root that was not verified before. Its manifest names its own public key too; it must be the
 * pinned one, so that a root signed for another keyring says so (UNKNOWN_KEY) before its contents
 * are used.
 */
static enum envelope_reason verify_root_new(
        const struct envelope_part *part, const struct trust *trust)
{
	const struct root_manifest *root = (const void *)part->manifest;
	enum envelope_reason r = verify_root_key(part, trust->root_pub);

	if (r != ENVELOPE_OK) {
		return r;
	}
	if (memcmp(root->root_pub, trust->root_pub, sizeof(root->root_pub)) != 0) {
		return ENVELOPE_UNKNOWN_KEY;
	}
	return verify_root_serial(root, trust);
}

/* The chain's first link. `time` 0 never expires anything. */
static enum envelope_reason verify_root(
        const struct envelope_part *part, const struct trust *trust, uint64_t time)
{
	const struct root_manifest *root = (const void *)part->manifest;
	enum envelope_reason r;

	if (part->kind != ENVELOPE_ROOT) {
		return ENVELOPE_MALFORMED;
	}
	r = verify_root_is_known(part, trust) ? ENVELOPE_OK : verify_root_new(part, trust);
	if (r != ENVELOPE_OK) {
		return r;
	}
	return time < root->expires ? ENVELOPE_OK : ENVELOPE_ROOT_EXPIRED;
}

enum envelope_reason envelope_verify_root(
        const struct envelope_part *part, const struct trust *trust)
{
	return verify_root(part, trust, trust->time);
}

enum envelope_reason envelope_verify_kit(
        const struct envelope_part *part, const struct root_manifest *root, uint64_t time)
{
	if (part->kind != ENVELOPE_KIT) {
		return ENVELOPE_MALFORMED;
	}
	return verify_part(part, root, ROLE_BIT(ROOT_ROLE_RELEASE), time);
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

void variant_manifest_hash(const struct variant_manifest *variant, uint8_t ret_hash[64])
{
	envelope_hash(variant, sizeof(*variant), ret_hash);
}

uint64_t envelope_time(const struct envelope_view *view, const struct trust *trust)
{
	uint64_t date = view->variant != NULL     ? view->variant->issued
	                : view->order != NULL     ? view->order->issued
	                : view->standing != NULL  ? view->standing->issued
	                : view->statement != NULL ? view->statement->issued
	                                          : 0;

	if (date > trust->latest_time) {
		date = trust->latest_time;
	}
	return date > trust->time ? date : trust->time;
}

/*
 * Until when the signer of a verified part may sign: the root key as long as the root,
 * another key as long as the root says of it.
 */
static uint64_t verify_signature_end(const struct envelope_view *view, const uint8_t id[16])
{
	enum root_role role;
	const struct root_key *key = root_find_key(view->root, id, &role);

	return key != NULL ? key->not_after : view->root->expires;
}

uint64_t envelope_keys_end(const struct envelope_view *view)
{
	uint64_t end = UINT64_MAX;

	for (unsigned int i = 1; i < view->n_parts; i++) {
		for (unsigned int j = 0; j < view->part[i].n_signatures; j++) {
			uint64_t t = verify_signature_end(view, view->part[i].signatures[j].key_id);

			end = t < end ? t : end;
		}
	}
	return end;
}

/* expires > issued was checked when the manifest was opened (rules.c): no wrap. */
static int verify_life_is_within(uint64_t issued, uint64_t expires, uint64_t max)
{
	return expires - issued <= max;
}

/* Every machine has its own id; a manifest for "any machine" does not exist. */
static enum envelope_reason verify_machine(const uint8_t machine_id[16], const struct trust *trust)
{
	return memcmp(machine_id, trust->machine_id, sizeof(trust->machine_id)) == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_WRONG_MACHINE;
}

/*
 * The variant is of the kit's service and of the kit's release, the release id being the hash
 * of all of the kit's manifest. So what the release key said about privileges and limits
 * holds for what the variant key signed, and for nothing else.
 */
static enum envelope_reason verify_binding(const struct envelope_view *view)
{
	uint8_t release_id[64];

	if (memcmp(view->kit->service, view->variant->service, SERVICE_NAME_SIZE) != 0) {
		return ENVELOPE_WRONG_SERVICE;
	}
	kit_manifest_release_id(view->kit, release_id);
	return memcmp(view->variant->release_id, release_id, sizeof(release_id)) == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_RELEASE_MISMATCH;
}

/*
 * root, kit (release keys), variant (variant keys, as many as the root asks for this
 * service), binding, machine, life, end. That the payload was made from this kit is not shown
 * by any of it.
 */
static enum envelope_reason verify_variant(
        const struct envelope_view *view, const struct trust *trust, uint64_t time)
{
	const struct variant_manifest *variant = view->variant;
	const struct root_manifest *root = view->root;
	enum envelope_reason r = envelope_verify_kit(&view->part[1], root, time);

	if (r == ENVELOPE_OK) {
		r = verify_part(&view->part[2], root, ROLE_BIT(ROOT_ROLE_VARIANT), time);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (view->part[2].n_signatures < envelope_signatures_needed(root, variant->service)) {
		return ENVELOPE_TOO_FEW_SIGNATURES;
	}
	r = verify_binding(view);
	if (r == ENVELOPE_OK) {
		r = verify_machine(variant->machine_id, trust);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (!verify_life_is_within(variant->issued, variant->expires, root->variant_life_sec_max)) {
		return ENVELOPE_LONG_LIFE;
	}
	return time < variant->expires ? ENVELOPE_OK : ENVELOPE_EXPIRED;
}

/*
 * An order key's signature always; a control key's beside it where order_needs_control() says
 * so. Neither stands in for the other, and a control key's on an order that needs none does
 * no harm.
 */
static enum envelope_reason verify_order_signatures(const struct envelope_view *view, uint64_t time)
{
	const struct envelope_part *part = &view->part[1];
	enum envelope_reason r = verify_part(
	        part, view->root, ROLE_BIT(ROOT_ROLE_ORDER) | ROLE_BIT(ROOT_ROLE_CONTROL), time);

	if (r != ENVELOPE_OK) {
		return r;
	}
	if (verify_signatures_by(part, view->root, ROOT_ROLE_ORDER) < 1) {
		return ENVELOPE_TOO_FEW_SIGNATURES;
	}
	return order_needs_control(view->order) &&
	                       verify_signatures_by(part, view->root, ROOT_ROLE_CONTROL) < 1
	               ? ENVELOPE_NO_CONTROL
	               : ENVELOPE_OK;
}

/*
 * Signatures, machine, boot, epoch, life, end. The epoch ties the order's numbers to the root
 * they were counted under: after a new root every older order is void, whoever signed it.
 * Transaction numbers, generations and what the order names are checked by RS against its own
 * books.
 */
static enum envelope_reason verify_order(
        const struct envelope_view *view, const struct trust *trust, uint64_t time)
{
	const struct order_manifest *order = view->order;
	enum envelope_reason r = verify_order_signatures(view, time);

	if (r == ENVELOPE_OK) {
		r = verify_machine(order->machine_id, trust);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (order->boot_id != trust->boot_id) {
		return ENVELOPE_WRONG_BOOT;
	}
	if (order->epoch != view->root->serial) {
		return ENVELOPE_WRONG_EPOCH;
	}
	if (!verify_life_is_within(order->issued, order->expires, view->root->order_life_sec_max)) {
		return ENVELOPE_LONG_LIFE;
	}
	return time < order->expires ? ENVELOPE_OK : ENVELOPE_EXPIRED;
}

/*
 * By order keys: it loses no state and brings no release, so it asks for no control key. The rules
 * of an order but for the life, whose bound is its own: no root can make it longer than a day.
 */
static enum envelope_reason verify_standing(
        const struct envelope_view *view, const struct trust *trust, uint64_t time)
{
	const struct standing_manifest *standing = view->standing;
	enum envelope_reason r =
	        verify_part(&view->part[1], view->root, ROLE_BIT(ROOT_ROLE_ORDER), time);

	if (r == ENVELOPE_OK) {
		r = verify_machine(standing->machine_id, trust);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (standing->boot_id != trust->boot_id) {
		return ENVELOPE_WRONG_BOOT;
	}
	if (standing->epoch != view->root->serial) {
		return ENVELOPE_WRONG_EPOCH;
	}
	if (!verify_life_is_within(standing->issued, standing->expires, STANDING_LIFE_SEC_MAX)) {
		return ENVELOPE_LONG_LIFE;
	}
	return time < standing->expires ? ENVELOPE_OK : ENVELOPE_EXPIRED;
}

/* It may name no root but its own: else whoever has an order key could bar all roots. */
static enum envelope_reason verify_statement(
        const struct envelope_view *view, const struct trust *trust)
{
	enum envelope_reason r =
	        verify_part(&view->part[1], view->root, ROLE_BIT(ROOT_ROLE_ORDER), 0);

	if (r == ENVELOPE_OK) {
		r = verify_machine(view->statement->machine_id, trust);
	}
	return r == ENVELOPE_OK && view->statement->root_serial != view->root->serial
	               ? ENVELOPE_WRONG_EPOCH
	               : r;
}

/*
 * By the root key, or by a release key that is not over at the time it states. The nonce is
 * the verifier's own: a statement answers one question of one boot and cannot be kept for
 * later.
 */
static enum envelope_reason verify_time(const struct envelope_view *view, const struct trust *trust)
{
	const struct time_manifest *time = view->time;
	enum envelope_reason r = verify_root_key(&view->part[1], trust->root_pub);

	if (r == ENVELOPE_UNKNOWN_KEY) {
		r = verify_part(
		        &view->part[1], view->root, ROLE_BIT(ROOT_ROLE_RELEASE), time->time);
	}
	if (r == ENVELOPE_OK) {
		r = verify_machine(time->machine_id, trust);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	if (time->boot_id != trust->boot_id) {
		return ENVELOPE_WRONG_BOOT;
	}
	return time->nonce == trust->time_nonce ? ENVELOPE_OK : ENVELOPE_WRONG_NONCE;
}

/*
 * The time at which root and keys must not be over; 0: nothing expires. For a time statement
 * it is the stated time, since the verifier's own may be what is wrong.
 */
static uint64_t envelope_judged_at(const struct envelope_view *view, const struct trust *trust)
{
	switch (view->kind) {
	case ENVELOPE_OF_VARIANT:
	case ENVELOPE_OF_ORDER:
	case ENVELOPE_OF_KIT:
	case ENVELOPE_OF_STANDING:
		return envelope_time(view, trust);
	case ENVELOPE_OF_TIME:
		return view->time->time;
	case ENVELOPE_OF_STATEMENT:
	case _ENVELOPE_KIND_N:
		break;
	}
	return 0;
}

enum envelope_reason envelope_verify(const struct envelope_view *view, const struct trust *trust)
{
	uint64_t time = envelope_judged_at(view, trust);
	enum envelope_reason r = verify_root(&view->part[0], trust, time);

	if (r != ENVELOPE_OK) {
		return r;
	}
	switch (view->kind) {
	case ENVELOPE_OF_VARIANT:
		return verify_variant(view, trust, time);
	case ENVELOPE_OF_ORDER:
		return verify_order(view, trust, time);
	case ENVELOPE_OF_STATEMENT:
		return verify_statement(view, trust);
	case ENVELOPE_OF_TIME:
		return verify_time(view, trust);
	case ENVELOPE_OF_KIT:
		return envelope_verify_kit(&view->part[1], view->root, time);
	case ENVELOPE_OF_STANDING:
		return verify_standing(view, trust, time);
	case _ENVELOPE_KIND_N:
		break;
	}
	return ENVELOPE_MALFORMED;
}

/* BLAKE2b-512. Both sides are public: no constant time is needed. */
static int verify_hash_matches(const void *bytes, size_t len, const uint8_t expected[64])
{
	uint8_t hash[64];

	envelope_hash(bytes, len, hash);
	return memcmp(hash, expected, sizeof(hash)) == 0;
}

enum envelope_reason envelope_verify_payload(
        const struct envelope_view *view, const void *bytes, size_t len)
{
	return len == view->variant->payload_len &&
	                       verify_hash_matches(bytes, len, view->variant->payload_hash)
	               ? ENVELOPE_OK
	               : ENVELOPE_PAYLOAD_MISMATCH;
}

enum envelope_reason envelope_verify_description(
        const struct envelope_view *view, const void *bytes, size_t len)
{
	return len == view->kit->state_len && verify_hash_matches(bytes, len, view->kit->state_hash)
	               ? ENVELOPE_OK
	               : ENVELOPE_DESCRIPTION_MISMATCH;
}
