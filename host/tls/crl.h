#pragma once
/*
 * Lists of revoked certificates (CRLs): made by a CA, read, and asked. A list is the only record of who was revoked, so
 * the next one is made of the last one, and a copy of it is a copy of the record.
 *
 * Errors: 0, or a negative errno with the failure filled.
 */
#include <stdbool.h>
#include <stdint.h>

#include "host/tls/certificate.h"

/* Why, as lists have it (RFC 5280, 5.3.1). */
enum tls_reason {
	TLS_UNSPECIFIED,
	TLS_KEY_COMPROMISE,
	TLS_AFFILIATION_CHANGED,
	TLS_SUPERSEDED,
	TLS_CESSATION,
	_TLS_REASON_N
};

/* What was said of one certificate. */
struct tls_revocation {
	int64_t at; /* unix s */
	enum tls_reason reason;
};

/* "key-compromise"; by name: _TLS_REASON_N when there is none. */
const char *tls_reason_name(enum tls_reason reason);
enum tls_reason tls_reason_find(const char *name);
/* All names, with commas between. */
const char *tls_reason_names(void);

/* What the next list has that the last one had not. */
struct tls_crl_added {
	const ASN1_INTEGER *const *serials;
	size_t n;
	struct tls_revocation why;
};

/*
 * The next list: all of `last` (NULL: there is none yet), and what is added, signed. Its number is above the last one's
 * and never falls, not even where a list was lost: it follows the clock.
 */
int __must_check tls_crl_make(const struct tls_issuer *issuer, const X509_CRL *last,
        const struct tls_crl_added *added, const struct tls_life *life, X509_CRL **ret_crl);
int __must_check tls_crl_write(const char *path, X509_CRL *crl, struct failure *ret_failure);
/* Reads the list of this CA. -ENOENT; -EBADMSG: none, or this CA did not sign it, or not these bytes. */
int __must_check tls_crl_read(
        const char *path, X509 *ca, X509_CRL **ret_crl, struct failure *ret_failure);

/* The same of a text in memory; place: what failures call it. */
int __must_check tls_crl_parse(
        const char *place, BIO *pem, X509 *ca, X509_CRL **ret_crl, struct failure *ret_failure);

struct tls_life tls_crl_life(const X509_CRL *crl);
size_t tls_crl_count(const X509_CRL *crl);
/* Is it revoked, and if so, what was said? */
bool tls_crl_has(X509_CRL *crl, const ASN1_INTEGER *serial, struct tls_revocation *ret_revocation);
