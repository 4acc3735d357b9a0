/*
 * Certificates. What one says is decided here, and by its kind alone: nothing of a request but its key goes into it.
 *
 *     CA      critical: may sign certificates, but none that signs others (a path of length 0), and lists
 *     user    critical: signs nothing but its own handshakes; clientAuth; samsara:user/NAME
 *     host    the same; serverAuth; samsara:host/NAME
 */
#include "host/tls/certificate.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "host/text/hex.h"
#include "host/tls/identity.h"
#include "host/tls/pem.h"
#include "host/tls/priv.h"

/* What is soon: half a year is long enough for a CA, a third of what others last is a month. */
#define CERTIFICATE_SOON_MAX_SEC (INT64_C(183) * 24 * 3600)
#define CERTIFICATE_SERIAL_BYTES 16
#define CERTIFICATE_CA_TAG_BYTES 6u

struct extension_row {
	int nid;
	const char *value;
};

static const struct extension_row extensions_ca[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_subject_key_identifier, "hash"},
        {NID_undef, NULL},
};

static const struct extension_row extensions_end[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
        {NID_undef, NULL},
};

static const char *const extensions_use[_TLS_KIND_N] = {
        [TLS_USER] = "clientAuth",
        [TLS_HOST] = "serverAuth",
};

static int certificate_extend(X509 *certificate, const X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	int r;

	X509V3_set_ctx(&context, (X509 *)issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	r = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return r;
}

static int certificate_extend_all(
        X509 *certificate, const X509 *issuer, const struct extension_row *row)
{
	for (; row->value; row++) {
		if (!certificate_extend(certificate, issuer, row->nid, row->value)) {
			return 0;
		}
	}
	return 1;
}

/* Random, so that nobody who asks for a certificate knows a byte of it before: never 0, never negative. */
static int certificate_number(X509 *certificate)
{
	uint8_t bytes[CERTIFICATE_SERIAL_BYTES];
	BIGNUM *number;
	int r;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
		return 0;
	}
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	r = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return r;
}

static int certificate_begin(
        X509 *certificate, const char *name, EVP_PKEY *key, const struct tls_life *life)
{
	return X509_set_version(certificate, X509_VERSION_3) == 1 &&
	       certificate_number(certificate) &&
	       ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)life->from) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)life->to) &&
	       X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
	               MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
	       X509_set_pubkey(certificate, key) == 1;
}

/* Each CA has a name of its own, by which software that looks by name finds the right one. */
static int certificate_make_ca(X509 *certificate, EVP_PKEY *key, const struct tls_life *life)
{
	uint8_t tag[CERTIFICATE_CA_TAG_BYTES];
	char name[sizeof("Samsara CA ") + 2 * sizeof(tag)] = "Samsara CA ";

	if (RAND_bytes(tag, sizeof(tag)) != 1) {
		return 0;
	}
	hex_write(tag, sizeof(tag), name + strlen(name));
	return certificate_begin(certificate, name, key, life) &&
	       X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
	       certificate_extend_all(certificate, certificate, extensions_ca) &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

int tls_certificate_make_ca(EVP_PKEY *key, const struct tls_life *life, X509 **ret_certificate,
        struct failure *ret_failure)
{
	_cleanup_(tls_certificate_freep) X509 *certificate = X509_new();

	if (!certificate || !certificate_make_ca(certificate, key, life)) {
		return tls_fail_crypto(ret_failure, "certificate", "cannot be made");
	}
	*ret_certificate = steal(&certificate);
	return 0;
}

static int certificate_make(
        X509 *certificate, const struct tls_issuer *issuer, const struct tls_identity *who)
{
	char value[sizeof("URI:") + TLS_IDENTITY_SIZE] = "URI:";

	tls_identity_print(who, value + strlen(value));
	return X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
	       certificate_extend_all(certificate, issuer->certificate, extensions_end) &&
	       certificate_extend(certificate, issuer->certificate, NID_ext_key_usage,
	               extensions_use[who->kind]) &&
	       certificate_extend(certificate, issuer->certificate, NID_subject_alt_name, value) &&
	       X509_sign(certificate, issuer->key, EVP_sha256()) > 0;
}

int tls_certificate_make(const struct tls_issuer *issuer, const struct tls_identity *who,
        EVP_PKEY *key, const struct tls_life *life, X509 **ret_certificate)
{
	_cleanup_(tls_certificate_freep) X509 *certificate = X509_new();

	if (!certificate || !certificate_begin(certificate, who->name, key, life) ||
	        !certificate_make(certificate, issuer, who)) {
		ERR_clear_error();
		return err_raise(-EIO);
	}
	*ret_certificate = steal(&certificate);
	return 0;
}

int tls_certificate_read(const char *path, X509 **ret_certificate, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = NULL;
	int r = tls_pem_read(path, TLS_PEM_MAX, &pem, ret_failure);
	X509 *certificate;

	if (r < 0) {
		return err_up(r);
	}
	certificate = PEM_read_bio_X509(pem, NULL, NULL, (void *)"");
	ERR_clear_error();
	if (!certificate) {
		failure_set(ret_failure, "certificate", path, "put a copy of it back",
		        "it is no certificate, or a damaged one");
		return err_raise(-EBADMSG);
	}
	*ret_certificate = certificate;
	return 0;
}

int tls_certificate_write(const char *path, X509 *certificate, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new(BIO_s_mem());

	if (!pem || PEM_write_bio_X509(pem, certificate) != 1) {
		return tls_fail_crypto(ret_failure, path, "cannot be written");
	}
	return tls_pem_write(path, pem, 0644, ret_failure);
}

struct tls_life tls_life_of(const ASN1_TIME *from, const ASN1_TIME *to)
{
	struct tls_life life = {tls_time(from), tls_time(to)};

	life.from = life.from < 0 ? 0 : life.from;
	life.to = life.to < 0 ? 0 : life.to;
	return life;
}

struct tls_life tls_certificate_life(const X509 *certificate)
{
	return tls_life_of(X509_get0_notBefore(certificate), X509_get0_notAfter(certificate));
}

enum tls_standing tls_life_standing(const struct tls_life *life, int64_t now)
{
	int64_t soon = (life->to - life->from) / 3;

	if (now > life->to) {
		return TLS_EXPIRED;
	}
	if (now < life->from) {
		return TLS_NOT_YET;
	}
	if (soon > CERTIFICATE_SOON_MAX_SEC) {
		soon = CERTIFICATE_SOON_MAX_SEC;
	}
	return life->to - now < soon ? TLS_SOON : TLS_GOOD;
}

const char *tls_standing_name(enum tls_standing standing)
{
	static const char *const names[_TLS_STANDING_N] = {
	        [TLS_GOOD] = "valid",
	        [TLS_SOON] = "soon",
	        [TLS_EXPIRED] = "expired",
	        [TLS_NOT_YET] = "not-yet",
	};

	return names[standing];
}

void tls_serial_print(const ASN1_INTEGER *serial, char ret_text[TLS_SERIAL_SIZE])
{
	int len = ASN1_STRING_length(serial);

	ret_text[0] = '\0';
	if (len > 0 && 2 * (size_t)len < TLS_SERIAL_SIZE &&
	        ASN1_STRING_type(serial) == V_ASN1_INTEGER) {
		hex_write(ASN1_STRING_get0_data(serial), (size_t)len, ret_text);
	}
}

bool tls_certificate_is_from(X509 *certificate, X509 *ca, const char *file)
{
	char serial[TLS_SERIAL_SIZE];
	bool is_signed = X509_verify(certificate, X509_get0_pubkey(ca)) == 1;

	ERR_clear_error();
	tls_serial_print(X509_get0_serialNumber(certificate), serial);
	return is_signed && *serial && !strncmp(file, serial, strlen(serial)) &&
	       !strcmp(file + strlen(serial), ".crt");
}
