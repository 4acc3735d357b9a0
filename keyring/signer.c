/*
 * The rules of signing. A variant is signed only for a release whose kit, signed
 * by a release key of the root that this signer was set up with, came along; the
 * times are the signer's own, so whoever drives it can neither date a variant back
 * nor make it live long. What the payload really is cannot be known here: that a
 * variant was made from its kit is the co-signer's to prove.
 */
#include "keyring/signer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "keyring/priv.h"

int signer_init(struct signer *s, const char *dir, const char **ret_what)
{
	int r;

	memset(s, 0, sizeof(*s));
	*ret_what = KEYRING_FILE_ROOT_SIGNED;
	r = keyring_root_read(dir, s->root_bytes, sizeof(s->root_bytes), &s->root);
	if (r == 0) {
		*ret_what = keyring_file_name(KEYRING_VARIANT);
		r = keyring_key_open(dir, KEYRING_VARIANT, &s->variant);
	}
	if (r == 0) {
		*ret_what = keyring_file_name(KEYRING_SEAL);
		r = keyring_key_open(dir, KEYRING_SEAL, &s->seal);
	}
	if (r != 0) {
		signer_fini(s);
	}
	return r;
}

void signer_fini(struct signer *s)
{
	s->variant = keyring_key_free(s->variant);
	s->seal = keyring_key_free(s->seal);
}

static const struct root_manifest *signer_root(const struct signer *s)
{
	return (const void *)s->root.manifest;
}

/* What the root says about this signer's key, or NULL. */
static const struct root_key *signer_own_key(const struct signer *s)
{
	const struct root_manifest *root = signer_root(s);

	for (uint32_t i = 0; i < root->n_variant; i++) {
		if (memcmp(root->variant[i].pub, keyring_key_pub(s->variant), 32) == 0) {
			return &root->variant[i];
		}
	}
	return NULL;
}

static void reply_text(struct signer_reply *reply, enum signer_status status, const char *text)
{
	reply->status = status;
	(void)snprintf(reply->text, sizeof(reply->text), "%s", text);
}

/* Refuse for a reason of the envelope; what says which part it is about. */
static void reply_refuse(struct signer_reply *reply, enum envelope_reason reason, const char *what)
{
	reply->status = SIGNER_REFUSED;
	reply->reason = reason;
	(void)snprintf(
	        reply->text, sizeof(reply->text), "%s: %s", what, envelope_reason_text(reason));
}

static void signer_info(const struct signer *s, uint64_t now, struct signer_reply *reply)
{
	const struct root_key *own = signer_own_key(s);
	struct signer_info *info = &reply->info;

	memcpy(info->key_id, keyring_key_id(s->variant), sizeof(info->key_id));
	info->not_after = own != NULL ? own->not_after : 0;
	info->now = now;
	info->root_serial = signer_root(s)->serial;
	info->root_len = (uint32_t)s->root.size;
	memcpy(info->root, s->root_bytes, s->root.size);
}

/* May this signer sign now? Fills in the times. */
static enum envelope_reason sign_stamp(const struct signer *s, const struct signer_sign *sign,
        uint64_t now, struct variant_manifest *manifest)
{
	const struct root_key *own = signer_own_key(s);

	if (own == NULL) {
		return ENVELOPE_UNKNOWN_KEY;
	}
	if (now < own->not_before || now >= own->not_after) {
		return ENVELOPE_KEY_EXPIRED;
	}
	if (manifest->issued != 0 || manifest->expires != 0 || sign->lifetime_sec < 1 ||
	        sign->lifetime_sec > SIGNER_LIFETIME_MAX_SEC) {
		return ENVELOPE_MALFORMED;
	}
	manifest->issued = now;
	manifest->expires = now + sign->lifetime_sec;
	return variant_manifest_check(manifest);
}

/* Does the kit that came along allow this manifest? */
static enum envelope_reason sign_check_kit(const struct signer *s, const struct signer_sign *sign,
        const struct variant_manifest *manifest, uint64_t now)
{
	const struct kit_manifest *kit;
	struct envelope_part part;
	enum envelope_reason r;
	uint8_t release_id[64];

	if (sign->kit_len > sizeof(sign->kit)) {
		return ENVELOPE_MALFORMED;
	}
	r = envelope_part_open(sign->kit, sign->kit_len, &part);
	if (r == ENVELOPE_OK && part.size != sign->kit_len) {
		r = ENVELOPE_MALFORMED;
	}
	if (r == ENVELOPE_OK) {
		r = envelope_verify_kit(&part, signer_root(s), now);
	}
	if (r != ENVELOPE_OK) {
		return r;
	}
	kit = (const void *)part.manifest;
	if (memcmp(kit->service, manifest->service, sizeof(kit->service)) != 0) {
		return ENVELOPE_WRONG_SERVICE;
	}
	kit_manifest_release_id(kit, release_id);
	return memcmp(release_id, manifest->release_id, sizeof(release_id)) == 0
	               ? ENVELOPE_OK
	               : ENVELOPE_RELEASE_MISMATCH;
}

static void signer_sign(const struct signer *s, const struct signer_sign *sign, uint64_t now,
        struct signer_reply *reply)
{
	struct variant_manifest manifest = sign->manifest;
	enum envelope_reason reason = sign_stamp(s, sign, now, &manifest);
	size_t len = 0;

	if (reason != ENVELOPE_OK) {
		reply_refuse(reply, reason, "the variant");
		return;
	}
	reason = sign_check_kit(s, sign, &manifest, now);
	if (reason != ENVELOPE_OK) {
		reply_refuse(reply, reason, "the kit");
		return;
	}
	if (keyring_sign(s->variant, ENVELOPE_VARIANT, &manifest, sizeof(manifest),
	            reply->part.bytes, sizeof(reply->part.bytes), &len) != 0) {
		reply_text(reply, SIGNER_FAILED, "signing failed");
		return;
	}
	reply->part.len = (uint32_t)len;
}

static void signer_seal(
        const struct signer *s, const struct signer_seal *seal, struct signer_reply *reply)
{
	if (keyring_seal(s->seal, seal->context, seal->seed, reply->sealed) != 0) {
		reply_text(reply, SIGNER_FAILED, "sealing failed");
	}
}

static void signer_unseal(
        const struct signer *s, const struct signer_unseal *unseal, struct signer_reply *reply)
{
	int r = keyring_unseal(s->seal, unseal->context, unseal->sealed, reply->seed);

	if (r > 0) {
		reply_text(reply, SIGNER_REFUSED, "not sealed by this key for this context");
	} else if (r < 0) {
		reply_text(reply, SIGNER_FAILED, "unsealing failed");
	}
}

int signer_handle(const struct signer *s, const struct signer_request *request, uint64_t now,
        struct signer_reply *ret_reply)
{
	if (memcmp(request->magic, SIGNER_MAGIC, sizeof(request->magic)) != 0 ||
	        request->op < SIGNER_INFO || request->op >= _SIGNER_OP_N ||
	        request->reserved != 0) {
		return -EPROTO;
	}
	memset(ret_reply, 0, sizeof(*ret_reply));
	memcpy(ret_reply->magic, SIGNER_MAGIC, sizeof(ret_reply->magic));
	ret_reply->op = request->op;
	ret_reply->id = request->id;
	switch ((enum signer_op)request->op) {
	case SIGNER_INFO:
		signer_info(s, now, ret_reply);
		break;
	case SIGNER_SIGN:
		signer_sign(s, &request->sign, now, ret_reply);
		break;
	case SIGNER_SEAL:
		signer_seal(s, &request->seal, ret_reply);
		break;
	case SIGNER_UNSEAL:
		signer_unseal(s, &request->unseal, ret_reply);
		break;
	case _SIGNER_OP_N:
		break;
	}
	return 0;
}
