#pragma once
/* What the files of the CA share: failures in words, files of PEM with their errors, and OpenSSL's objects by scope. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "host/base/err.h"
#include "host/base/failure.h"

/* Enough for a chain of two and what somebody wrote above them; keys and requests are smaller. */
#define TLS_PEM_MAX (16u * 1024)
/* A list of revoked certificates: some 40 bytes each, and so tens of thousands. */
#define TLS_CRL_MAX (4u * 1024 * 1024)

/*
 * Says what went wrong with a file, and what to do; returns the negative errno. doing: "cannot be read". The kinds of
 * errors that a person can do something about have sentences of their own.
 */
int tls_fail_file(struct failure *ret_failure, const char *path, const char *doing, int error);
/* The same for what OpenSSL could not do, with its last reason, and its queue of errors emptied: -EIO. */
int tls_fail_crypto(struct failure *ret_failure, const char *place, const char *doing);

/* A PEM file of at most `limit` bytes as a BIO. Errors of file_read(), as a failure. */
int __must_check tls_pem_read(
        const char *path, size_t limit, BIO **ret_pem, struct failure *ret_failure);
/* What was written to a BIO becomes a file of this mode. */
int __must_check tls_pem_write(
        const char *path, BIO *pem, mode_t mode, struct failure *ret_failure);

#define TLS_FREEP(type, name, release)                                                             \
	static inline void name(type **object)                                                     \
	{                                                                                          \
		release(*object);                                                                  \
	}

TLS_FREEP(BIO, tls_bio_freep, BIO_free_all)
TLS_FREEP(EVP_PKEY, tls_key_freep, EVP_PKEY_free)
TLS_FREEP(X509, tls_certificate_freep, X509_free)
TLS_FREEP(X509_REQ, tls_request_freep, X509_REQ_free)
TLS_FREEP(X509_CRL, tls_crl_freep, X509_CRL_free)
