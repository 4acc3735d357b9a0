/*
 * One key: drawn, saved, read. The PEM text that it is read from or written to is wiped after use; the key itself lies
 * in OpenSSL's memory, which wipes it when it is freed.
 */
#include "host/tls/key.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "host/base/file.h"
#include "host/tls/pem.h"

#define KEY_GROUP "prime256v1"

int tls_key_new(EVP_PKEY **ret_key, struct failure *ret_failure)
{
	EVP_PKEY *key = EVP_EC_gen(KEY_GROUP);

	if (!key) {
		return tls_fail_crypto(ret_failure, "key", "cannot be drawn");
	}
	*ret_key = key;
	return 0;
}

int tls_key_fits(const EVP_PKEY *key)
{
	char group[sizeof(KEY_GROUP) + 1];
	size_t len;
	int is_explicit = 0;

	/* Where the curve came as numbers, they may be almost those of P-256. */
	(void)EVP_PKEY_get_int_param(
	        key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
	return EVP_PKEY_is_a(key, "EC") && !is_explicit &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	       !strcmp(group, KEY_GROUP);
}

int tls_key_save(const char *path, EVP_PKEY *key, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new(BIO_s_secmem());
	char *text;
	long size;
	int r;

	if (!pem || PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1) {
		return tls_fail_crypto(ret_failure, path, "cannot be written");
	}
	size = BIO_get_mem_data(pem, &text);
	r = file_write_first(path, text, (size_t)size, 0600);
	return r < 0 ? tls_fail_file(ret_failure, path, "cannot be written", r) : 0;
}

static int key_parse(const char *path, const void *text, size_t size, EVP_PKEY **ret_key,
        struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new_mem_buf(text, (int)size);
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;

	/* An empty passphrase: never ask on the terminal. */
	key = pem ? PEM_read_bio_PrivateKey(pem, NULL, NULL, (void *)"") : NULL;
	if (!key || !tls_key_fits(key)) {
		(void)tls_fail_crypto(ret_failure, path, "cannot be used");
		failure_set(ret_failure, "key", path,
		        "put back the one that `luctl cert request` or `luctl cert init` made",
		        "it is no private key of P-256 without a passphrase");
		return err_raise(-EBADMSG);
	}
	*ret_key = steal(&key);
	return 0;
}

int tls_key_read(const char *path, EVP_PKEY **ret_key, struct failure *ret_failure)
{
	uint8_t *text = NULL;
	size_t size;
	int r = file_read_secret(path, TLS_PEM_MAX, &text, &size);

	if (r < 0) {
		return tls_fail_file(ret_failure, path, "cannot be read", r);
	}
	r = key_parse(path, text, size, ret_key, ret_failure);
	OPENSSL_cleanse(text, size);
	free(text);
	return r;
}
