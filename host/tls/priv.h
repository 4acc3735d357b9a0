#pragma once
/* Inside tls: what is read from files, and how it is judged. */
#include "host/tls/context.h"

#define TLS_OTHER_PROTOCOL "it does not speak " TLS_PROTOCOL

/* load.c: what is believed: CAs and their lists, each checked, into the store of a context. */
int __must_check tls_load_trust(
        X509_STORE *store, const struct tls_files *files, struct failure *ret_failure);
/* What is shown: certificate and key, which fit each other, for an end of this kind. */
int __must_check tls_load_own(SSL_CTX *context, const struct tls_files *files, enum tls_kind kind,
        struct failure *ret_failure);

/*
 * verify.c: what there is to say against a certificate, whose chain the store of `verification` is
 * to end: part of a sentence; NULL: nothing. kind: what it must be for.
 */
const char *tls_objection(X509_STORE_CTX *verification, enum tls_kind kind);
/* A code of X509_V_ERR_*, for people. */
const char *tls_verify_text(int error);
/* How a chain is to be looked at: of two certificates, against a list, at this time, with keys of that level. */
void tls_verify_rules(X509_VERIFY_PARAM *rules);
/* What OpenSSL's levels of security take at least: RSA of 2048 bits, SHA-256. */
#define TLS_SECURITY_LEVEL 2
/* Seconds since 1970; INT64_MIN: it cannot be read. */
int64_t tls_time(const ASN1_TIME *time);
/* For SSL_CTX_set_cert_verify_callback(): arg is unused. */
int tls_verify_callback(X509_STORE_CTX *verification, void *arg);
/* Notes on a connection: whom it is to lead to, and why its peer was refused. Before the first context. */
void tls_notes_init(void);
/* why: part of a sentence, static. */
void tls_note(SSL *ssl, const char *why);
