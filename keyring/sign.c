/* Signing manifests. A key signs its own kind of manifest and only a good one. */
#include <errno.h>
#include <string.h>

#include "keyring/priv.h"

static void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static const enum keyring_role role_of_kind[_ENVELOPE_PART_N] = {
        [ENVELOPE_ROOT] = KEYRING_ROOT,
        [ENVELOPE_KIT] = KEYRING_RELEASE,
        [ENVELOPE_VARIANT] = KEYRING_VARIANT,
};

static int key_sign(const struct keyring_key *key, const void *bytes, size_t len,
        struct envelope_signature *ret_signature)
{
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(ret_signature->sig);

	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) != 1 ||
	        EVP_DigestSign(ctx, ret_signature->sig, &n, bytes, len) != 1 ||
	        n != sizeof(ret_signature->sig)) {
		return -EIO;
	}
	memcpy(ret_signature->key_id, key->id, sizeof(key->id));
	return 0;
}

int keyring_sign(const struct keyring_key *key, enum envelope_part_kind kind, const void *manifest,
        size_t manifest_len, uint8_t *ret_part, size_t cap, size_t *ret_len)
{
	struct envelope_signature signature;
	struct envelope_part part;
	size_t len;
	int r;

	if (key->role != role_of_kind[kind]) {
		return KEYRING_E_REFUSED;
	}
	r = key_sign(key, manifest, manifest_len, &signature);
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
