#pragma once
/*
 * The CA of one's own: a directory with a key, from which names are given out and taken back.
 *
 *   ca.crt               its certificate, for everybody who is to believe it
 *   ca.key               0600; leaves this directory never
 *   ca.crl               who was revoked: the only record of it, signed, also for everybody
 *   issued/SERIAL.crt    all that it has issued
 *
 * One command at a time works in it: whoever opens it has it locked until it is closed. Each change is one file that is
 * renamed into its place, so that a command that is killed has done all of it or nothing.
 *
 * Errors: 0, or a negative errno with the failure filled. -ENOENT: there is no CA, no such name or number; -EEXIST: there
 * is one; -EINVAL: what was asked for cannot be; -EPERM, -EACCES: rights of files; -EBADMSG: a file is damaged, or not
 * this CA's; -EBUSY: another command works in it; else what the disk says.
 */
#include "host/tls/crl.h"
#include "host/tls/identity.h"

#define TLS_DAY_SEC (INT64_C(24) * 3600)
#define TLS_CA_DAYS 3650u
#define TLS_CERTIFICATE_DAYS 90u
#define TLS_CRL_DAYS 30u
/* Nothing lasts longer than a CA may. */
#define TLS_DAYS_MAX 7300u
/* By so much what is signed begins before now: the clocks of others may be slow. */
#define TLS_SKEW_SEC INT64_C(3600)

struct tls_ca;

/* When, and for how long. */
struct tls_terms {
	int64_t now;
	unsigned int days;
};

/* What was issued to whom; or a file in issued/ that is none of it. */
struct tls_issued {
	struct tls_identity who;
	char serial[TLS_SERIAL_SIZE];
	struct tls_life life;
	bool is_revoked;
	struct tls_revocation revocation; /* where it is */
	X509 *certificate;                /* NULL: the file is damaged, or another CA's */
	char *path;
};

struct tls_issued_list {
	struct tls_issued *rows; /* by name, oldest first; damaged ones at the end */
	size_t n;
};

void tls_issued_list_fini(struct tls_issued_list *list);

/*
 * Make a CA in a directory, which is made if it is missing. A key that an interrupted call has left is used; where there
 * is a certificate, there is a CA: -EEXIST, and nothing is changed.
 */
int __must_check tls_ca_create(
        const char *dir, const struct tls_terms *terms, struct failure *ret_failure);
/* Open one, and lock it. */
int __must_check tls_ca_open(const char *dir, struct tls_ca **ret_ca, struct failure *ret_failure);
/* Close and unlock; takes NULL; returns NULL. */
struct tls_ca *tls_ca_free(struct tls_ca *ca);

struct tls_life tls_ca_life(const struct tls_ca *ca);
/* Of its list as it is now: what was revoked last is on it. */
const X509_CRL *tls_ca_crl(const struct tls_ca *ca);

/*
 * Issue a certificate to a name for a public key, and keep a copy. The caller frees *ret_issued's members. -EINVAL: the
 * CA itself ends before that.
 */
int __must_check tls_ca_issue(struct tls_ca *ca, const struct tls_identity *who, EVP_PKEY *key,
        const struct tls_terms *terms, struct tls_issued *ret_issued, struct failure *ret_failure);
/* Frees what one owns. */
void tls_issued_fini(struct tls_issued *issued);

/*
 * Revoke certificates of this CA, all at once. One that is revoked already stays as it is. The next list lasts as the
 * terms say.
 */
int __must_check tls_ca_revoke(struct tls_ca *ca, const ASN1_INTEGER *const *serials, size_t n,
        enum tls_reason reason, const struct tls_terms *terms, struct failure *ret_failure);
/* Sign the list again, so that it lasts longer. */
int __must_check tls_ca_renew_crl(
        struct tls_ca *ca, const struct tls_terms *terms, struct failure *ret_failure);

/* All that was issued. */
int __must_check tls_ca_list(
        struct tls_ca *ca, struct tls_issued_list *ret_list, struct failure *ret_failure);
