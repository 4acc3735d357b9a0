/* Certificates out of OpenSSL's own functions: those of the room are what is tested. */
#undef NDEBUG
#include "host/tls/test/issue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "host/base/file.h"

static char test_dir[64];
static long test_serial = 1;

void test_start(void)
{
	(void)snprintf(test_dir, sizeof(test_dir), "/tmp/tls_test.XXXXXX");
	assert(mkdtemp(test_dir));
}

void test_end(void)
{
	assert(dir_remove(test_dir) == 0);
}

const char *test_path(const char *name, const char *kind)
{
	static char paths[256][160];
	static unsigned int n;
	char *path = paths[n++ % 256];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s.%s", test_dir, name, kind);
	return path;
}

void test_write(const char *path, const char *text, unsigned int mode)
{
	FILE *file = fopen(path, "w");

	assert(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0);
}

static EVP_PKEY *test_key(const char *kind)
{
	EVP_PKEY *key = !strcmp(kind, "RSA") ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
	                                     : EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);

	assert(key);
	return key;
}

static void test_extend(X509 *certificate, X509 *issuer, int kind, const char *text)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	if (!*text) {
		return;
	}
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, text);
	assert(extension && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static X509 *test_certificate(EVP_PKEY *key, const char *subject, long from, long to)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	assert(X509_set_version(certificate, X509_VERSION_3) == 1);
	assert(ASN1_INTEGER_set(X509_get_serialNumber(certificate), test_serial++) == 1);
	assert(X509_gmtime_adj(X509_getm_notBefore(certificate), from));
	assert(X509_gmtime_adj(X509_getm_notAfter(certificate), to));
	assert(X509_NAME_add_entry_by_txt(
	               name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0) == 1);
	assert(X509_set_pubkey(certificate, key) == 1);
	return certificate;
}

static void test_save(const char *path, const X509 *certificate, const struct test_says *says)
{
	FILE *file = fopen(path, "w");

	assert(file && PEM_write_X509(file, certificate) == 1);
	assert(!says || !says->shown || PEM_write_X509(file, says->shown->certificate) == 1);
	assert(!says || !says->shown_2 || PEM_write_X509(file, says->shown_2->certificate) == 1);
	assert(fclose(file) == 0);
}

static struct test_ca test_ca_of(
        EVP_PKEY *key, const char *name, const struct test_ca *above, long from, long to)
{
	struct test_ca ca = {.key = key};
	X509 *issuer;

	ca.certificate = test_certificate(ca.key, name, from, to);
	issuer = above ? above->certificate : ca.certificate;
	assert(X509_set_issuer_name(ca.certificate, X509_get_subject_name(issuer)) == 1);
	test_extend(ca.certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
	test_extend(ca.certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	test_extend(ca.certificate, issuer, NID_subject_key_identifier, "hash");
	assert(X509_sign(ca.certificate, above ? above->key : ca.key, EVP_sha256()) > 0);
	test_save(test_path(name, "ca"), ca.certificate, NULL);
	return ca;
}

struct test_ca test_ca(const char *name, const struct test_ca *above, long from, long to)
{
	return test_ca_of(test_key("P-256"), name, above, from, to);
}

struct test_ca test_weak_ca(const char *name)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);

	assert(key);
	return test_ca_of(key, name, NULL, -3600, TEST_DAY);
}

void test_ca_free(struct test_ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->certificate);
}

static void test_pad(X509 *certificate, X509 *issuer, unsigned int size)
{
	char *comment = mem_zero(size + 1);

	memset(comment, 'x', size);
	test_extend(certificate, issuer, NID_netscape_comment, comment);
	free(comment);
}

static void test_save_key(const char *path, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");

	assert(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
	assert(fclose(file) == 0 && chmod(path, 0600) == 0);
}

long test_issue(const struct test_ca *ca, const char *name, const struct test_says *says)
{
	EVP_PKEY *key = test_key(says->key ? says->key : "P-256");
	bool is_usual = !says->from && !says->to;
	X509 *certificate = test_certificate(
	        key, name, is_usual ? -3600 : says->from, is_usual ? TEST_DAY : says->to);
	long serial = ASN1_INTEGER_get(X509_get0_serialNumber(certificate));

	assert(X509_set_issuer_name(certificate, X509_get_subject_name(ca->certificate)) == 1);
	test_extend(certificate, ca->certificate, NID_basic_constraints,
	        says->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	test_extend(certificate, ca->certificate, NID_ext_key_usage,
	        says->use ? says->use : "clientAuth");
	test_extend(certificate, ca->certificate, NID_subject_alt_name,
	        says->name ? says->name : "URI:samsara:user/alice");
	test_pad(certificate, ca->certificate, says->padding);
	assert(X509_sign(certificate, ca->key, EVP_sha256()) > 0);
	test_save(test_path(name, "crt"), certificate, says);
	test_save_key(test_path(name, "key"), key);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return serial;
}

static void test_revoke(X509_CRL *crl, long serial)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);

	assert(ASN1_INTEGER_set(number, serial) == 1);
	assert(X509_REVOKED_set_serialNumber(entry, number) == 1);
	assert(X509_REVOKED_set_revocationDate(entry, now) == 1);
	assert(X509_CRL_add0_revoked(crl, entry) == 1);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(now);
}

void test_list(const char *name, const struct test_ca *ca, const struct test_ca *signer,
        const long *serials, long from, long to)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *begin = X509_gmtime_adj(NULL, from);
	ASN1_TIME *end = X509_gmtime_adj(NULL, to);
	FILE *file = fopen(test_path(name, "crl"), "w");

	assert(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
	assert(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->certificate)) == 1);
	assert(X509_CRL_set1_lastUpdate(crl, begin) == 1);
	assert(!to || X509_CRL_set1_nextUpdate(crl, end) == 1);
	for (; serials && *serials; serials++) {
		test_revoke(crl, *serials);
	}
	assert(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, signer->key, EVP_sha256()) > 0);
	assert(file && PEM_write_X509_CRL(file, crl) == 1 && fclose(file) == 0);
	X509_CRL_free(crl);
	ASN1_TIME_free(begin);
	ASN1_TIME_free(end);
}
