/*
 * Requests. Whoever makes one chooses every byte of it, and whoever signs has been told by somebody who it is: so the
 * name is the operator's, and a request that asks for another one is refused, since one of the two is mistaken. Uses,
 * lives and constraints that a request wants are left where they are.
 */
#include "host/tls/request.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>

#include "host/tls/identity.h"
#include "host/tls/key.h"
#include "host/tls/pem.h"

typedef STACK_OF(X509_EXTENSION) request_extensions;

static void request_extensions_freep(request_extensions **extensions)
{
	sk_X509_EXTENSION_pop_free(*extensions, X509_EXTENSION_free);
}

/* The name as the one extension that is asked for. */
static int request_name_set(X509_REQ *request, const struct tls_identity *who)
{
	_cleanup_(request_extensions_freep) request_extensions *asked =
	        sk_X509_EXTENSION_new_null();
	char value[sizeof("URI:") + TLS_IDENTITY_SIZE] = "URI:";
	X509_EXTENSION *name;

	tls_identity_print(who, value + strlen(value));
	name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
	if (!asked || !name || !sk_X509_EXTENSION_push(asked, name)) {
		X509_EXTENSION_free(name);
		return 0;
	}
	return X509_REQ_add_extensions(request, asked);
}

/* The common name is for people; nobody reads it. */
static int request_fill(X509_REQ *request, const struct tls_identity *who, EVP_PKEY *key)
{
	return X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
	       X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), NID_commonName,
	               MBSTRING_ASC, (const unsigned char *)who->name, -1, -1, 0) == 1 &&
	       X509_REQ_set_pubkey(request, key) == 1 && request_name_set(request, who) == 1 &&
	       X509_REQ_sign(request, key, EVP_sha256()) > 0;
}

int tls_request_write(const char *path, const struct tls_identity *who, EVP_PKEY *key,
        struct failure *ret_failure)
{
	_cleanup_(tls_request_freep) X509_REQ *request = X509_REQ_new();
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new(BIO_s_mem());

	if (!request || !pem || !request_fill(request, who, key) ||
	        PEM_write_bio_X509_REQ(pem, request) != 1) {
		return tls_fail_crypto(ret_failure, path, "cannot be made");
	}
	return tls_pem_write(path, pem, 0644, ret_failure);
}

static int request_refuse(struct failure *ret_failure, const char *place, const char *cause)
{
	ERR_clear_error();
	failure_set(ret_failure, "request", place,
	        "make one with `luctl cert request` where it will be used", "%s", cause);
	return err_raise(-EBADMSG);
}

static X509_REQ *request_of(BIO *pem)
{
	X509_REQ *request = PEM_read_bio_X509_REQ(pem, NULL, NULL, (void *)"");

	ERR_clear_error();
	return request;
}

/* Whether a request names somebody at all, well or badly. */
static int request_is_named(const request_extensions *asked)
{
	return asked && X509v3_get_ext_by_NID(asked, NID_subject_alt_name, -1) >= 0;
}

static int request_name_check(const char *place, X509_REQ *request, const struct tls_identity *who,
        struct failure *ret_failure)
{
	_cleanup_(request_extensions_freep) request_extensions *asked =
	        X509_REQ_get_extensions(request);
	char wanted[TLS_IDENTITY_SIZE], found[TLS_IDENTITY_SIZE];
	struct tls_identity other;
	int r;

	ERR_clear_error();
	if (!request_is_named(asked)) {
		return 0;
	}
	r = tls_identity_of_extensions(asked, &other);
	if (r != 0) {
		return request_refuse(ret_failure, place, tls_error_text((enum tls_error)r));
	}
	tls_identity_print(who, wanted);
	tls_identity_print(&other, found);
	if (strcmp(wanted, found) != 0) {
		failure_set(ret_failure, "request", place,
		        "ask whoever sent it who they are; the name that you give is the one that "
		        "counts",
		        "it asks to be %s, and not %s", found, wanted);
		return err_raise(-EINVAL);
	}
	return 0;
}

int tls_request_parse(const char *place, BIO *pem, const struct tls_identity *who,
        EVP_PKEY **ret_key, struct failure *ret_failure)
{
	_cleanup_(tls_request_freep) X509_REQ *request = request_of(pem);
	EVP_PKEY *key = request ? X509_REQ_get0_pubkey(request) : NULL;
	int r;

	if (!request) {
		return request_refuse(ret_failure, place, "it is no request, or a damaged one");
	}
	if (!key || !tls_key_fits(key)) {
		return request_refuse(ret_failure, place, "its key is not of P-256");
	}
	if (X509_REQ_verify(request, key) != 1) {
		return request_refuse(ret_failure, place,
		        "its signature does not fit: whoever made it has not got the key, or it "
		        "was "
		        "changed since");
	}
	r = request_name_check(place, request, who, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	EVP_PKEY_up_ref(key);
	*ret_key = key;
	return 0;
}

int tls_request_read(const char *path, const struct tls_identity *who, EVP_PKEY **ret_key,
        struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = NULL;
	int r = tls_pem_read(path, TLS_PEM_MAX, &pem, ret_failure);

	return r < 0 ? err_up(r) : tls_request_parse(path, pem, who, ret_key, ret_failure);
}

int tls_request_name(
        const char *path, struct tls_identity *ret_identity, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = NULL;
	_cleanup_(tls_request_freep) X509_REQ *request = NULL;
	_cleanup_(request_extensions_freep) request_extensions *asked = NULL;
	int r = tls_pem_read(path, TLS_PEM_MAX, &pem, ret_failure);

	if (r < 0) {
		return err_up(r);
	}
	request = request_of(pem);
	asked = request ? X509_REQ_get_extensions(request) : NULL;
	ERR_clear_error();
	if (!asked || tls_identity_of_extensions(asked, ret_identity) != 0) {
		return request_refuse(ret_failure, path, "it is no request for a name of ours");
	}
	return 0;
}
