/*
 * What the signer signs. It trusts nobody who drives it; whoever has taken over `lud` can ask
 * for anything, and gets what these checks let through:
 *
 *   whose   the key is named by this keyring's root, for the role, and neither is over
 *   when    the dates are the signer's own; the life is within the root's limit
 *   form    the manifest obeys its own rules, dates included
 *   what    a variant: its kit is signed by a release key of the same root, of the same service,
 *           and is the one the variant names; its payload is what the linker makes of flat kit
 *           and seed (remake.c). An order: of the root's epoch; where it leaves a layout to the
 *           machine, with such a kit, of this recipe. A standing order: of the root's epoch, for
 *           a day at most. A statement: of the root's serial
 *   rules   machine, service, action, life and numbers are within the rule file
 *
 * A second signer signs variants only, and those that the first one dated: the dates must be what it
 * would have written itself, but for what two clocks may differ by.
 *
 * What it cannot know: that a machine exists, that a number is the next one. An order of the
 * kind that destroys gets this signature too, and is worth nothing without a control key's.
 *
 * Keys, root and rules are read once, at start. No request changes anything here: each is
 * judged as if it were the only one. A manifest is copied before it is looked at, and the
 * copy is what is checked, stamped and signed.
 */
#include "keyring/signer/signer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "keyring/signer/note.h"
#include "keyring/signer/remake.h"
#include "proto/image/link.h"

/*
 * The root is read, not verified against anything: there is no pin here. A root that does not
 * name these keys gives a signer that refuses everything (signer_key_reason()), and one with
 * the wrong root key is refused by machines.
 */
int signer_init(struct signer *s, const char *dir, enum signer_kind kind, const char **ret_what)
{
	int r;

	memset(s, 0, sizeof(*s));
	*ret_what = KEYRING_FILE_ROOT_SIGNED;
	r = keyring_root_read(dir, s->root_bytes, sizeof(s->root_bytes), &s->root);
	if (r == 0) {
		*ret_what = KEYRING_FILE_RULES;
		r = keyring_rules_read(dir, &s->rules, &s->rules_line, &s->rules_why);
	}
	if (r == 0) {
		*ret_what = keyring_role_file(KEYRING_VARIANT);
		r = keyring_key_open(dir, KEYRING_VARIANT, &s->variant);
	}
	if (r == 0 && kind == SIGNER_FIRST) {
		*ret_what = keyring_role_file(KEYRING_ORDER);
		r = keyring_key_open(dir, KEYRING_ORDER, &s->order);
	}
	if (r != 0) {
		signer_fini(s);
	}
	return r;
}

void signer_fini(struct signer *s)
{
	s->variant = keyring_key_free(s->variant);
	s->order = keyring_key_free(s->order);
}

/* The root was opened by keyring_root_read(), so its counts can be followed. */
static const struct root_manifest *signer_root(const struct signer *s)
{
	return (const void *)s->root.manifest;
}

/* What the root says about a key of this signer, or NULL. */
static const struct root_key *signer_own_key(
        const struct signer *s, enum root_role role, const struct keyring_key *key)
{
	const struct root_manifest *root = signer_root(s);

	for (uint32_t i = 0; i < root->n_keys[role]; i++) {
		if (memcmp(root->keys[role][i].pub, keyring_key_pub(key), 32) == 0) {
			return &root->keys[role][i];
		}
	}
	return NULL;
}

static void signer_reply_text(
        struct signer_reply *reply, enum signer_status status, const char *text)
{
	reply->status = status;
	(void)snprintf(reply->text, sizeof(reply->text), "%s", text);
}

/* Refuse for a reason of the envelope; what says which part it is about. */
static void signer_refuse(struct signer_reply *reply, enum envelope_reason reason, const char *what)
{
	reply->status = SIGNER_REFUSED;
	reply->reason = reason;
	(void)snprintf(
	        reply->text, sizeof(reply->text), "%s: %s", what, envelope_reason_text(reason));
}

/* Refuse by the rule file. True when there was something to refuse. */
static bool signer_refuse_by_rule(struct signer_reply *reply, const char *refusal)
{
	if (refusal != NULL) {
		signer_reply_text(reply, SIGNER_REFUSED, refusal);
	}
	return refusal != NULL;
}

/*
 * May this key sign now? By the signer's clock, and without the allowance that verifiers
 * make: a key is not used before its time, nor at or after its end.
 */
static enum envelope_reason signer_key_reason(
        const struct signer *s, enum root_role role, const struct keyring_key *key, uint64_t now)
{
	const struct root_key *own = signer_own_key(s, role, key);

	if (own == NULL) {
		return ENVELOPE_UNKNOWN_KEY;
	}
	if (now >= signer_root(s)->expires) {
		return ENVELOPE_ROOT_EXPIRED;
	}
	return now < own->not_before || now >= own->not_after ? ENVELOPE_KEY_EXPIRED : ENVELOPE_OK;
}

/*
 * What the signer is, for `lud` and people: its key ids, until when they can sign (0: the root does
 * not name them), its time, and the root itself. Nothing of it is secret. A second signer's order key
 * is zeros.
 */
static void signer_info(const struct signer *s, uint64_t now, struct signer_reply *reply)
{
	const struct root_key *variant = signer_own_key(s, ROOT_ROLE_VARIANT, s->variant);
	const struct root_key *order =
	        s->order != NULL ? signer_own_key(s, ROOT_ROLE_ORDER, s->order) : variant;
	struct signer_info *info = &reply->info;

	memcpy(info->variant_key, keyring_key_id(s->variant), sizeof(info->variant_key));
	if (s->order != NULL) {
		memcpy(info->order_key, keyring_key_id(s->order), sizeof(info->order_key));
	}
	if (variant != NULL && order != NULL) {
		info->not_after = variant->not_after < order->not_after ? variant->not_after
		                                                        : order->not_after;
	}
	info->now = now;
	info->root_serial = signer_root(s)->serial;
	info->root_len = (uint32_t)s->root.size;
	memcpy(info->root, s->root_bytes, s->root.size);
}

/*
 * Is the kit that came along the release of this service that a manifest names? The request says
 * how long the kit is: not longer than its place, one part to the last byte, signed by a release
 * key of this root, not over at the signer's time. Then service and release id.
 */
static enum envelope_reason signer_check_kit(const struct signer *s,
        const uint8_t bytes[SIGNER_KIT_MAX], uint32_t len, const char *service,
        const uint8_t release[64], uint64_t now)
{
	const struct kit_manifest *kit;
	struct envelope_part part;
	enum envelope_reason r;
	uint8_t release_id[64];

	if (len > SIGNER_KIT_MAX) {
		return ENVELOPE_MALFORMED;
	}
	r = envelope_part_open(bytes, len, &part);
	if (r == ENVELOPE_OK && part.size != len) {
		r = ENVELOPE_MALFORMED;
	}
	if (r == ENVELOPE_OK) {
		r = envelope_verify_kit(&part, signer_root(s), now);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	kit = (const void *)part.manifest;
	if (memcmp(kit->service, service, sizeof(kit->service)) != 0) {
		return ENVELOPE_WRONG_SERVICE;
	}
	kit_manifest_release_id(kit, release_id);
	return memcmp(release_id, release, sizeof(release_id)) == 0 ? ENVELOPE_OK
	                                                            : ENVELOPE_RELEASE_MISMATCH;
}

/*
 * The last step. keyring_sign() checks form and role once more; a refusal by it after all
 * checks above would be a bug here, and is answered as a refusal.
 */
static void signer_reply_sign(struct signer_reply *reply, const struct keyring_key *key,
        enum envelope_part_kind kind, const void *manifest, size_t manifest_len)
{
	size_t len = 0;
	int r = keyring_sign(key, kind, manifest, manifest_len, reply->part.bytes,
	        sizeof(reply->part.bytes), &len);

	if (r == KEYRING_E_REFUSED) {
		signer_refuse(reply, ENVELOPE_MALFORMED, "the manifest");
	} else if (r != 0) {
		signer_reply_text(reply, SIGNER_FAILED, "signing failed");
	} else {
		reply->part.len = (uint32_t)len;
	}
}

/*
 * Whether the payload is the one that this signer makes itself; last of all, since it costs most. The
 * kit was checked: it is one part, and a release key signed its manifest.
 */
static bool signer_made_it(
        const struct signer *s, const struct signer_variant *ask, struct signer_reply *reply)
{
	enum envelope_reason reason;
	struct envelope_part part;

	if (envelope_part_open(ask->kit, ask->kit_len, &part) != ENVELOPE_OK ||
	        remake_variant((const void *)part.manifest, ask, s->flat, &reason) < 0) {
		signer_reply_text(reply, SIGNER_FAILED, "the layout cannot be made again");
		return false;
	}
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason,
		        reason == ENVELOPE_OTHER_LAYOUT ? "the layout" : "the flat kit");
	}
	return reason == ENVELOPE_OK;
}

/*
 * To the first signer dates must come as 0: a request that brings its own has misunderstood who dates.
 * lifetime_sec is 32 bits: now + life does not wrap. A second one is shown the first one's.
 */
static enum envelope_reason signer_date_variant(const struct signer *s, uint32_t lifetime_sec,
        uint64_t now, struct variant_manifest *manifest)
{
	uint64_t issued = manifest->issued;

	if (s->order != NULL) {
		if (issued != 0 || manifest->expires != 0) {
			return ENVELOPE_MALFORMED;
		}
		manifest->issued = now;
		manifest->expires = now + lifetime_sec;
		return ENVELOPE_OK;
	}
	if (manifest->expires != issued + lifetime_sec) {
		return ENVELOPE_MALFORMED;
	}
	return (issued > now ? issued - now : now - issued) > TIME_SKEW_SEC_MAX ? ENVELOPE_EXPIRED
	                                                                        : ENVELOPE_OK;
}

static void signer_sign_variant(const struct signer *s, const struct signer_variant *ask,
        uint64_t now, struct signer_reply *reply)
{
	struct variant_manifest manifest = ask->manifest;
	enum envelope_reason reason = signer_key_reason(s, ROOT_ROLE_VARIANT, s->variant, now);

	if (reason == ENVELOPE_OK) {
		reason = signer_date_variant(s, ask->lifetime_sec, now, &manifest);
	}
	if (reason == ENVELOPE_OK && ask->lifetime_sec > signer_root(s)->variant_life_sec_max) {
		reason = ENVELOPE_LONG_LIFE;
	}
	if (reason == ENVELOPE_OK) {
		reason = variant_manifest_check(&manifest);
	}
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason, "the variant");
		return;
	}
	reason = signer_check_kit(
	        s, ask->kit, ask->kit_len, manifest.service, manifest.release_id, now);
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason, "the kit");
		return;
	}
	if (!signer_refuse_by_rule(
	            reply, rules_refuse_variant(&s->rules, &manifest, ask->lifetime_sec)) &&
	        signer_made_it(s, ask, reply)) {
		signer_reply_sign(reply, s->variant, ENVELOPE_VARIANT, &manifest, sizeof(manifest));
	}
}

/*
 * Judge and stamp an order of ask->len bytes. Numbers of another epoch than this root's are
 * somebody else's: signing them would let a superseded signer's order pass for a new one.
 */
static enum envelope_reason signer_stamp_order(const struct signer *s,
        const struct signer_order *ask, uint64_t now, struct order_manifest *order)
{
	enum envelope_reason reason = signer_key_reason(s, ROOT_ROLE_ORDER, s->order, now);

	if (reason != ENVELOPE_OK) {
		return reason;
	}
	if (order->issued != 0 || order->expires != 0) {
		return ENVELOPE_MALFORMED;
	}
	order->issued = now;
	order->expires = now + ask->lifetime_sec;
	reason = order_manifest_check(order, ask->len);
	if (reason != ENVELOPE_OK) {
		return reason;
	}
	if (ask->lifetime_sec > signer_root(s)->order_life_sec_max) {
		return ENVELOPE_LONG_LIFE;
	}
	return order->epoch == signer_root(s)->serial ? ENVELOPE_OK : ENVELOPE_WRONG_EPOCH;
}

/*
 * What leaves the layout to the machine has no variant that was judged before: its kit is judged
 * here, by the same rules. A kit that no component asks for is a mistake of the requester's.
 */
static enum envelope_reason signer_check_made(const struct signer *s,
        const struct signer_order *ask, const struct order_manifest *order, uint64_t now)
{
	enum envelope_reason reason = ENVELOPE_OK;
	bool is_made = false;

	for (uint32_t i = 0; reason == ENVELOPE_OK && i < order->n_components; i++) {
		const struct order_component *component = &order_components(order)[i];

		if (!order_component_is_machine_made(order, component)) {
			continue;
		}
		is_made = true;
		reason = component->recipe != LINK_RECIPE
		                 ? ENVELOPE_MALFORMED
		                 : signer_check_kit(s, ask->kit, ask->kit_len, component->service,
		                           component->release_id, now);
	}
	return !is_made && ask->kit_len != 0 ? ENVELOPE_MALFORMED : reason;
}

/*
 * len is the requester's word: bounded by the place for it, then compared with the manifest's
 * own count by order_manifest_check().
 */
static void signer_sign_order(const struct signer *s, const struct signer_order *ask, uint64_t now,
        struct signer_reply *reply)
{
	_Alignas(8) uint8_t bytes[SIGNER_ORDER_MAX];
	struct order_manifest *order = (void *)bytes;
	enum envelope_reason reason;

	if (ask->len < sizeof(*order) || ask->len > sizeof(bytes)) {
		signer_refuse(reply, ENVELOPE_MALFORMED, "the order");
		return;
	}
	memcpy(bytes, ask->manifest, ask->len);
	reason = signer_stamp_order(s, ask, now, order);
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason, "the order");
		return;
	}
	reason = signer_check_made(s, ask, order, now);
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason, "the kit");
		return;
	}
	if (!signer_refuse_by_rule(
	            reply, rules_refuse_order(&s->rules, order, ask->lifetime_sec))) {
		signer_reply_sign(reply, s->order, ENVELOPE_ORDER, order, ask->len);
	}
}

/*
 * A starting statement carries no expiry; it only raises what a machine holds (floors,
 * generations), for which the rule file has ceilings.
 */
static void signer_sign_statement(const struct signer *s, const struct signer_statement *ask,
        uint64_t now, struct signer_reply *reply)
{
	_Alignas(8) uint8_t bytes[SIGNER_STATEMENT_MAX];
	struct statement_manifest *statement = (void *)bytes;
	enum envelope_reason reason = signer_key_reason(s, ROOT_ROLE_ORDER, s->order, now);

	if (ask->len < sizeof(*statement) || ask->len > sizeof(bytes)) {
		signer_refuse(reply, ENVELOPE_MALFORMED, "the statement");
		return;
	}
	memcpy(bytes, ask->manifest, ask->len);
	if (reason == ENVELOPE_OK && statement->issued != 0) {
		reason = ENVELOPE_MALFORMED;
	}
	statement->issued = now;
	if (reason == ENVELOPE_OK) {
		reason = statement_manifest_check(statement, ask->len);
	}
	if (reason == ENVELOPE_OK && statement->root_serial != signer_root(s)->serial) {
		reason = ENVELOPE_WRONG_EPOCH;
	}
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason, "the statement");
		return;
	}
	if (!signer_refuse_by_rule(reply, rules_refuse_statement(&s->rules, statement))) {
		signer_reply_sign(reply, s->order, ENVELOPE_STATEMENT, statement, ask->len);
	}
}

/*
 * No kit comes along: a standing order moves what the machine runs already, and the machine makes
 * layouts of kits only that a release key signed.
 */
static enum envelope_reason signer_stamp_standing(const struct signer *s,
        const struct signer_standing *ask, uint64_t now, struct standing_manifest *standing)
{
	enum envelope_reason reason = signer_key_reason(s, ROOT_ROLE_ORDER, s->order, now);

	if (reason != ENVELOPE_OK) {
		return reason;
	}
	if (standing->issued != 0 || standing->expires != 0) {
		return ENVELOPE_MALFORMED;
	}
	standing->issued = now;
	standing->expires = now + ask->lifetime_sec;
	reason = standing_manifest_check(standing, ask->len);
	if (reason != ENVELOPE_OK) {
		return reason;
	}
	if (ask->lifetime_sec > STANDING_LIFE_SEC_MAX) {
		return ENVELOPE_LONG_LIFE;
	}
	return standing->epoch == signer_root(s)->serial ? ENVELOPE_OK : ENVELOPE_WRONG_EPOCH;
}

static void signer_sign_standing(const struct signer *s, const struct signer_standing *ask,
        uint64_t now, struct signer_reply *reply)
{
	_Alignas(8) uint8_t bytes[SIGNER_STANDING_MAX];
	struct standing_manifest *standing = (void *)bytes;
	enum envelope_reason reason = ENVELOPE_MALFORMED;

	if (ask->len >= sizeof(*standing) && ask->len <= sizeof(bytes)) {
		memcpy(bytes, ask->manifest, ask->len);
		reason = signer_stamp_standing(s, ask, now, standing);
	}
	if (reason != ENVELOPE_OK) {
		signer_refuse(reply, reason, "the standing order");
		return;
	}
	if (!signer_refuse_by_rule(
	            reply, rules_refuse_standing(&s->rules, standing, ask->lifetime_sec))) {
		signer_reply_sign(reply, s->order, ENVELOPE_STANDING, standing, ask->len);
	}
}

/*
 * Any seed, for any context: sealing reveals nothing and proves nothing, so there is nothing
 * to check but that somebody can open it.
 */
static void signer_seal(
        const struct signer *s, const struct signer_seal *seal, struct signer_reply *reply)
{
	static const uint8_t none[32];
	const struct root_manifest *root = signer_root(s);

	if (memcmp(root->audit_pub, none, sizeof(none)) == 0) {
		signer_reply_text(reply, SIGNER_REFUSED, "the signed root names no audit key");
	} else if (keyring_seal(root->audit_pub, seal->context, seal->seed, reply->sealed) != 0) {
		signer_reply_text(reply, SIGNER_FAILED, "sealing failed");
	}
}

uint32_t signer_flat_len(const struct signer_request *request)
{
	return request->op == SIGNER_SIGN_VARIANT ? request->variant.flat_len : 0;
}

/*
 * -EPROTO only for a frame that no correct client sends (magic, operation, reserved field).
 * Everything else, however wrong, gets an answer with a reason. The reply is zeroed first: it
 * carries nothing of an earlier one.
 */
int signer_handle(const struct signer *s, const struct signer_request *request, uint64_t now,
        struct signer_reply *ret_reply, char ret_note[SIGNER_NOTE_SIZE])
{
	if (memcmp(request->magic, SIGNER_MAGIC, sizeof(request->magic)) != 0 ||
	        request->op < SIGNER_INFO || request->op >= _SIGNER_OP_N ||
	        request->reserved != 0 || signer_flat_len(request) > KIT_FLAT_LEN_MAX) {
		return -EPROTO;
	}
	memset(ret_reply, 0, sizeof(*ret_reply));
	memcpy(ret_reply->magic, SIGNER_MAGIC, sizeof(ret_reply->magic));
	ret_reply->op = request->op;
	ret_reply->id = request->id;
	if (s->order == NULL && request->op != SIGNER_INFO && request->op != SIGNER_SIGN_VARIANT) {
		signer_reply_text(ret_reply, SIGNER_REFUSED,
		        "a second signer signs variants only, after the first");
		note_write(request, ret_reply, ret_note);
		return 0;
	}
	switch ((enum signer_op)request->op) {
	case SIGNER_INFO:
		signer_info(s, now, ret_reply);
		break;
	case SIGNER_SIGN_VARIANT:
		signer_sign_variant(s, &request->variant, now, ret_reply);
		break;
	case SIGNER_SIGN_ORDER:
		signer_sign_order(s, &request->order, now, ret_reply);
		break;
	case SIGNER_SIGN_STATEMENT:
		signer_sign_statement(s, &request->statement, now, ret_reply);
		break;
	case SIGNER_SEAL:
		signer_seal(s, &request->seal, ret_reply);
		break;
	case SIGNER_SIGN_STANDING:
		signer_sign_standing(s, &request->standing, now, ret_reply);
		break;
	case _SIGNER_OP_N:
		break;
	}
	note_write(request, ret_reply, ret_note);
	return 0;
}
