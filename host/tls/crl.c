/*
 * Lists of revoked certificates. All that was ever revoked stays in: a certificate that has ended is refused anyway, but
 * somebody's clock may be slow.
 */
#include "host/tls/crl.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "host/tls/pem.h"
#include "host/tls/priv.h"

TLS_FREEP(X509_REVOKED, crl_entry_freep, X509_REVOKED_free)
TLS_FREEP(ASN1_INTEGER, crl_number_freep, ASN1_INTEGER_free)
TLS_FREEP(ASN1_ENUMERATED, crl_reason_freep, ASN1_ENUMERATED_free)
TLS_FREEP(ASN1_TIME, crl_time_freep, ASN1_TIME_free)

static const struct reason_row {
	const char *name;
	int code;
} reason_table[_TLS_REASON_N] = {
        [TLS_UNSPECIFIED] = {"unspecified", CRL_REASON_UNSPECIFIED},
        [TLS_KEY_COMPROMISE] = {"key-compromise", CRL_REASON_KEY_COMPROMISE},
        [TLS_AFFILIATION_CHANGED] = {"affiliation-changed", CRL_REASON_AFFILIATION_CHANGED},
        [TLS_SUPERSEDED] = {"superseded", CRL_REASON_SUPERSEDED},
        [TLS_CESSATION] = {"cessation", CRL_REASON_CESSATION_OF_OPERATION},
};

const char *tls_reason_names(void)
{
	return "key-compromise, affiliation-changed, superseded, cessation or unspecified";
}

const char *tls_reason_name(enum tls_reason reason)
{
	return reason_table[reason].name;
}

enum tls_reason tls_reason_find(const char *name)
{
	unsigned int i = 0;

	while (i < _TLS_REASON_N && strcmp(reason_table[i].name, name) != 0) {
		i++;
	}
	return (enum tls_reason)i;
}

/* One that is not given is not written: the standard wants it so. */
static int crl_reason_set(X509_REVOKED *entry, enum tls_reason reason)
{
	_cleanup_(crl_reason_freep) ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();

	if (reason == TLS_UNSPECIFIED) {
		return 1;
	}
	return value && ASN1_ENUMERATED_set(value, reason_table[reason].code) == 1 &&
	       X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0) == 1;
}

static int crl_add(X509_CRL *crl, X509_REVOKED *entry)
{
	if (!entry || X509_CRL_add0_revoked(crl, entry) != 1) {
		X509_REVOKED_free(entry);
		return 0;
	}
	return 1;
}

/* All that the last list had, each with what was said of it. */
static int crl_carry(X509_CRL *crl, const X509_CRL *last)
{
	STACK_OF(X509_REVOKED) *entries = last ? X509_CRL_get_REVOKED((X509_CRL *)last) : NULL;

	for (int i = 0; entries && i < sk_X509_REVOKED_num(entries); i++) {
		if (!crl_add(crl, X509_REVOKED_dup(sk_X509_REVOKED_value(entries, i)))) {
			return 0;
		}
	}
	return 1;
}

static int crl_revoke(X509_CRL *crl, const ASN1_INTEGER *serial, const struct tls_revocation *why)
{
	_cleanup_(crl_entry_freep) X509_REVOKED *entry = X509_REVOKED_new();
	_cleanup_(crl_time_freep) ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)why->at);

	return entry && at && X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)serial) == 1 &&
	       X509_REVOKED_set_revocationDate(entry, at) == 1 &&
	       crl_reason_set(entry, why->reason) && crl_add(crl, steal(&entry));
}

static int64_t crl_number(const X509_CRL *crl)
{
	_cleanup_(crl_number_freep) ASN1_INTEGER *number =
	        crl ? X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL) : NULL;
	int64_t value = 0;

	return number && ASN1_INTEGER_get_int64(&value, number) == 1 ? value : 0;
}

static int crl_number_set(X509_CRL *crl, int64_t last, int64_t now)
{
	_cleanup_(crl_number_freep) ASN1_INTEGER *number = ASN1_INTEGER_new();

	return number && ASN1_INTEGER_set_int64(number, last < now ? now : last + 1) == 1 &&
	       X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;
}

/* By which key it is signed, as certificates say it. */
static int crl_signer_set(X509_CRL *crl, const X509 *issuer)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	int r;

	X509V3_set_ctx(&context, (X509 *)issuer, NULL, NULL, crl, 0);
	extension =
	        X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
	r = extension && X509_CRL_add_ext(crl, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return r;
}

static int crl_date(X509_CRL *crl, const struct tls_life *life)
{
	_cleanup_(crl_time_freep) ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)life->from);
	_cleanup_(crl_time_freep) ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)life->to);

	return from && to && X509_CRL_set1_lastUpdate(crl, from) == 1 &&
	       X509_CRL_set1_nextUpdate(crl, to) == 1;
}

static int crl_sign(X509_CRL *crl, const struct tls_issuer *issuer)
{
	return X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	       X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)) == 1 &&
	       crl_signer_set(crl, issuer->certificate) && X509_CRL_sort(crl) == 1 &&
	       X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0;
}

int tls_crl_make(const struct tls_issuer *issuer, const X509_CRL *last,
        const struct tls_crl_added *added, const struct tls_life *life, X509_CRL **ret_crl)
{
	_cleanup_(tls_crl_freep) X509_CRL *crl = X509_CRL_new();
	int ok = crl && crl_carry(crl, last) && crl_date(crl, life) &&
	         crl_number_set(crl, crl_number(last), life->from);

	for (size_t i = 0; ok && i < added->n; i++) {
		ok = crl_revoke(crl, added->serials[i], &added->why);
	}
	if (!ok || !crl_sign(crl, issuer)) {
		ERR_clear_error();
		return err_raise(-EIO);
	}
	*ret_crl = steal(&crl);
	return 0;
}

int tls_crl_write(const char *path, X509_CRL *crl, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new(BIO_s_mem());

	if (!pem || PEM_write_bio_X509_CRL(pem, crl) != 1) {
		return tls_fail_crypto(ret_failure, path, "cannot be written");
	}
	return tls_pem_write(path, pem, 0644, ret_failure);
}

int tls_crl_parse(
        const char *place, BIO *pem, X509 *ca, X509_CRL **ret_crl, struct failure *ret_failure)
{
	_cleanup_(tls_crl_freep) X509_CRL *crl = PEM_read_bio_X509_CRL(pem, NULL, NULL, (void *)"");

	if (!crl || X509_CRL_verify(crl, X509_get0_pubkey(ca)) != 1) {
		ERR_clear_error();
		failure_set(ret_failure, "crl", place,
		        "put a copy of it back, from a host that has one",
		        "it is no list of revoked certificates that this CA has signed");
		return err_raise(-EBADMSG);
	}
	*ret_crl = steal(&crl);
	return 0;
}

int tls_crl_read(const char *path, X509 *ca, X509_CRL **ret_crl, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *pem = NULL;
	int r = tls_pem_read(path, TLS_CRL_MAX, &pem, ret_failure);

	return r < 0 ? err_up(r) : tls_crl_parse(path, pem, ca, ret_crl, ret_failure);
}

struct tls_life tls_crl_life(const X509_CRL *crl)
{
	return tls_life_of(X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl));
}

size_t tls_crl_count(const X509_CRL *crl)
{
	int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED((X509_CRL *)crl));

	return n > 0 ? (size_t)n : 0;
}

/* One of another software may have a reason that is none of ours. */
static enum tls_reason crl_reason_of(const X509_REVOKED *entry)
{
	_cleanup_(crl_reason_freep) ASN1_ENUMERATED *value =
	        X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	long code = value ? ASN1_ENUMERATED_get(value) : CRL_REASON_UNSPECIFIED;
	unsigned int i = 0;

	while (i < _TLS_REASON_N && reason_table[i].code != code) {
		i++;
	}
	return i < _TLS_REASON_N ? (enum tls_reason)i : TLS_UNSPECIFIED;
}

bool tls_crl_has(X509_CRL *crl, const ASN1_INTEGER *serial, struct tls_revocation *ret_revocation)
{
	X509_REVOKED *entry = NULL;

	if (X509_CRL_get0_by_serial(crl, &entry, (ASN1_INTEGER *)serial) == 0 || !entry) {
		return false;
	}
	ret_revocation->at = tls_time(X509_REVOKED_get0_revocationDate(entry));
	ret_revocation->reason = crl_reason_of(entry);
	return true;
}
