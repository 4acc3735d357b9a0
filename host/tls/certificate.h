#pragma once
/*
 * Certificates: made for a CA and for whoever it signs, written, read, and how long they last. What a chain is worth is
 * OpenSSL's to judge, when a connection begins; here nothing is trusted.
 *
 * Errors: 0, or a negative errno with the failure filled.
 */
#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "host/base/cleanup.h"

struct failure;
struct tls_identity;

/* Twenty bytes in hexadecimal. */
#define TLS_SERIAL_SIZE 41u

/* Who signs: a CA's certificate and its key. */
struct tls_issuer {
	const X509 *certificate;
	EVP_PKEY *key;
};

/* From when to when something is good, in unix seconds. */
struct tls_life {
	int64_t from;
	int64_t to;
};

enum tls_standing {
	TLS_GOOD,
	TLS_SOON,    /* it ends soon: in the last third of its life, and in less than half a year */
	TLS_EXPIRED, /* it has ended */
	TLS_NOT_YET, /* it begins later: somebody's clock is wrong */
	_TLS_STANDING_N
};

/* A certificate that signs others, of its own key: a path of one, certificates and lists of revoked ones. */
int __must_check tls_certificate_make_ca(EVP_PKEY *key, const struct tls_life *life,
        X509 **ret_certificate, struct failure *ret_failure);
/* One for a name: for what its kind is for, for nothing else, and with a serial number of 127 random bits. */
int __must_check tls_certificate_make(const struct tls_issuer *issuer,
        const struct tls_identity *who, EVP_PKEY *key, const struct tls_life *life,
        X509 **ret_certificate);

/* The first of a file of PEM. -ENOENT; -EBADMSG: there is none in it. */
int __must_check tls_certificate_read(
        const char *path, X509 **ret_certificate, struct failure *ret_failure);
/* Whole, for everybody to read, over one that is there. */
int __must_check tls_certificate_write(
        const char *path, X509 *certificate, struct failure *ret_failure);

/* Is it this CA's to the last byte, and its number that of a file named SERIAL.crt? */
bool tls_certificate_is_from(X509 *certificate, X509 *ca, const char *file);
struct tls_life tls_certificate_life(const X509 *certificate);
/* From the times of a certificate or a list; what cannot be read is 0. */
struct tls_life tls_life_of(const ASN1_TIME *from, const ASN1_TIME *to);
/* How it stands at a moment with what lasts so long. */
enum tls_standing tls_life_standing(const struct tls_life *life, int64_t now);
/* "soon"; `valid`, `expired` and `not-yet` are the others. */
const char *tls_standing_name(enum tls_standing standing);

/* In small hexadecimal digits; "" for one that is longer than a serial number may be, or negative. */
void tls_serial_print(const ASN1_INTEGER *serial, char ret_text[TLS_SERIAL_SIZE]);
