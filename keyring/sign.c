/*
 * Signing manifests. A signature covers exactly the manifest's bytes (proto/envelope), and
 * this is where all of them come from on the host.
 *
 * A key signs the kinds of its role and nothing else, and only a manifest that obeys its own
 * rules: the part is written, opened again as any reader would, and handed out if that
 * succeeds. So a mistake above ends here and not in a machine. What is not asked: whether
 * what the manifest says is true, or wise. The signer asks that for the online keys; for the
 * offline ones the person does.
 *
 * A control key is different: it adds its signature to an order that the order key signs as
 * well.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "keyring/priv.h"

static void sign_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

/* Which role signs which kind: the same table that verify.c asks in the other direction. */
static bool sign_role_fits(enum keyring_role role, enum envelope_part_kind kind)
{
	switch (kind) {
	case ENVELOPE_ROOT:
		return role == KEYRING_ROOT;
	case ENVELOPE_KIT:
		return role == KEYRING_RELEASE;
	case ENVELOPE_VARIANT:
		return role == KEYRING_VARIANT;
	case ENVELOPE_ORDER:
	case ENVELOPE_STATEMENT:
	case ENVELOPE_STANDING:
		return role == KEYRING_ORDER;
	case ENVELOPE_TIME:
		return role == KEYRING_ROOT || role == KEYRING_RELEASE;
	case _ENVELOPE_PART_N:
		break;
	}
	return false;
}

/* One Ed25519 signature: deterministic, no random numbers needed. */
static int sign_bytes(const struct keyring_key *key, const void *bytes, size_t len,
        struct envelope_signature *ret_signature)
{
	_cleanup_(sign_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(ret_signature->sig);

	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) != 1 ||
	        EVP_DigestSign(ctx, ret_signature->sig, &n, bytes, len) != 1 ||
	        n != sizeof(ret_signature->sig)) {
		return -EIO;
	}
	memcpy(ret_signature->key_id, key->id, sizeof(key->id));
	return 0;
}

/* ret_part is zeroed when it is refused: a signature over a bad manifest must not lie about. */
int keyring_sign(const struct keyring_key *key, enum envelope_part_kind kind, const void *manifest,
        size_t manifest_len, uint8_t *ret_part, size_t cap, size_t *ret_len)
{
	struct envelope_signature signature;
	struct envelope_part part;
	size_t len;
	int r;

	if (!sign_role_fits(key->role, kind)) {
		return KEYRING_E_REFUSED;
	}
	r = sign_bytes(key, manifest, manifest_len, &signature);
	if (r < 0) {
		return r;
	}
	len = envelope_part_write(kind, manifest, manifest_len, &signature, 1, ret_part, cap);
	if (len == 0) {
		return -ENOBUFS;
	}
	if (envelope_part_open(ret_part, len, &part) != ENVELOPE_OK) {
		memset(ret_part, 0, len);
		return KEYRING_E_REFUSED;
	}
	*ret_len = len;
	return 0;
}

/*
 * The manifest is opened as a part of an order only to have it checked; the part is thrown
 * away. That the order needs a control key is not asked: consenting to more than is needed is
 * harmless.
 */
int keyring_control_sign(const struct keyring_key *key, const void *manifest, size_t manifest_len,
        struct envelope_signature *ret_signature)
{
	_Alignas(8) uint8_t bytes[SIGNER_PART_MAX];
	struct envelope_signature signature;
	struct envelope_part part;
	size_t len;
	int r;

	if (key->role != KEYRING_CONTROL) {
		return KEYRING_E_REFUSED;
	}
	r = sign_bytes(key, manifest, manifest_len, &signature);
	if (r < 0) {
		return r;
	}
	len = envelope_part_write(
	        ENVELOPE_ORDER, manifest, manifest_len, &signature, 1, bytes, sizeof(bytes));
	if (len == 0 || envelope_part_open(bytes, len, &part) != ENVELOPE_OK) {
		return KEYRING_E_REFUSED;
	}
	*ret_signature = signature;
	return 0;
}
