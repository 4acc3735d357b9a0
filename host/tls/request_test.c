/* Requests: what a CA takes from one, and what it refuses. */
#undef NDEBUG
#include "host/tls/request.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "host/tls/identity.h"
#include "host/tls/key.h"
#include "host/tls/pem.h"
#include "host/tls/test/place.h"

static const struct tls_identity alice = {TLS_USER, "alice"};
static const struct tls_identity bob = {TLS_USER, "bob"};
static const struct tls_identity lud = {TLS_HOST, "alice"};

static void test_own(void)
{
	_cleanup_(freep) char *path = place_path("a.req");
	_cleanup_(freep) char *none = place_path("none.req");
	struct tls_identity who;
	struct failure failure;
	EVP_PKEY *key, *found = NULL;

	assert(tls_key_new(&key, &failure) == 0);
	assert(tls_request_write(path, &alice, key, &failure) == 0);
	assert(tls_request_read(path, &alice, &found, &failure) == 0);
	assert(EVP_PKEY_eq(key, found) == 1);
	EVP_PKEY_free(found);
	found = NULL;
	assert(tls_request_name(path, &who, &failure) == 0 && !strcmp(who.name, "alice"));
	assert(tls_request_read(path, &bob, &found, &failure) == -EINVAL && !found);
	place_failed(&failure, path, "it asks to be samsara:user/alice, and not samsara:user/bob");
	assert(tls_request_read(path, &lud, &found, &failure) == -EINVAL && !found);
	assert(tls_request_read(none, &alice, &found, &failure) == -ENOENT && !found);
	place_failed(&failure, none, "not there");
	assert(tls_request_name(none, &who, &failure) == -ENOENT);
	EVP_PKEY_free(key);
}

/* One of somebody else: with these names, of this key, signed by that one. */
static X509_REQ *foreign(EVP_PKEY *key, EVP_PKEY *signer, const char *const names[])
{
	X509_REQ *request = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *asked = sk_X509_EXTENSION_new_null();

	for (size_t i = 0; names[i]; i++) {
		X509_EXTENSION *name =
		        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names[i]);

		assert(name && sk_X509_EXTENSION_push(asked, name));
	}
	assert(X509_REQ_set_pubkey(request, key) == 1);
	assert(X509_REQ_add_extensions(request, asked) == 1);
	assert(X509_REQ_sign(
	        request, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()));
	sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
	return request;
}

static int judge(X509_REQ *request, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new(BIO_s_mem());
	EVP_PKEY *key = NULL;
	int r;

	assert(PEM_write_bio_X509_REQ(pem, request) == 1);
	r = tls_request_parse("it", pem, &alice, &key, ret_failure);
	assert((r == 0) == (key != NULL));
	EVP_PKEY_free(key);
	X509_REQ_free(request);
	return r;
}

/* The names that it asks for: none is the operator's business, another one is an error. */
static void test_names(void)
{
	static const struct {
		const char *names[3];
		int result;
		const char *words;
	} cases[] = {
	        {{NULL}, 0, ""},
	        {{"URI:samsara:user/alice"}, 0, ""},
	        {{"URI:samsara:user/bob"}, -EINVAL, "and not samsara:user/alice"},
	        {{"URI:samsara:host/alice"}, -EINVAL, "and not samsara:user/alice"},
	        {{"URI:samsara:user/alice,URI:samsara:user/bob"}, -EBADMSG, "more than one"},
	        {{"URI:samsara:user/alice", "URI:samsara:user/bob"}, -EBADMSG, "more than one"},
	        {{"DNS:alice"}, -EBADMSG, "no URI"},
	        {{"URI:alice"}, -EBADMSG, "none of Samsara's"},
	};
	struct failure failure;
	EVP_PKEY *key;

	assert(tls_key_new(&key, &failure) == 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert(judge(foreign(key, key, cases[i].names), &failure) == cases[i].result);
		if (cases[i].result) {
			place_failed(&failure, "it", cases[i].words);
		}
	}
	EVP_PKEY_free(key);
}

static const char *const no_names[] = {NULL};

/* Whose key: one of P-256, of whoever made the request. */
static void test_keys(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	EVP_PKEY *wide = EVP_EC_gen("P-384"), *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct failure failure;

	assert(judge(foreign(key, other, no_names), &failure) == -EBADMSG);
	place_failed(&failure, "it", "its signature does not fit");
	assert(judge(foreign(wide, wide, no_names), &failure) == -EBADMSG);
	place_failed(&failure, "it", "its key is not of P-256");
	assert(judge(foreign(edwards, edwards, no_names), &failure) == -EBADMSG);
	place_failed(&failure, "it", "its key is not of P-256");
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	EVP_PKEY_free(wide);
	EVP_PKEY_free(edwards);
}

/* Each byte of a good one, changed: it is good no more, or the same. */
static void test_changed(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *found = NULL;
	X509_REQ *request = foreign(key, key, no_names);
	struct failure failure;
	uint8_t *bytes = NULL;
	int n = i2d_X509_REQ(request, &bytes);

	assert(n > 0);
	for (int i = 0; i < n; i++) {
		const uint8_t *at = bytes;
		X509_REQ *changed;

		bytes[i] ^= 0x20;
		changed = d2i_X509_REQ(NULL, &at, n);
		bytes[i] ^= 0x20;
		if (changed) {
			assert(judge(changed, &failure) != 0);
		}
	}
	OPENSSL_free(bytes);
	X509_REQ_free(request);
	EVP_PKEY_free(key);
	EVP_PKEY_free(found);
}

static void test_other_files(void)
{
	_cleanup_(freep) char *path = place_path("b.req");
	static const char *const texts[] = {
	        "",
	        "no PEM",
	        "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
	        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
	};
	struct tls_identity who;
	struct failure failure;
	EVP_PKEY *key = NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		place_write(path, texts[i], 0644);
		assert(tls_request_read(path, &alice, &key, &failure) == -EBADMSG && !key);
		place_failed(&failure, path, "no request");
		assert(tls_request_name(path, &who, &failure) == -EBADMSG);
		place_failed(&failure, path, "no request");
	}
}

int main(void)
{
	(void)place_new();
	test_own();
	test_names();
	test_keys();
	test_changed();
	test_other_files();
	place_end();
	return 0;
}
