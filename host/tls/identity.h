#pragma once
/*
 * Who is at an end of a connection: the one URI that its certificate names, samsara:user/NAME for
 * who asks and samsara:host/NAME for who answers. Nothing else in a certificate is a name: not its
 * common name, not an address in the DNS. NAME is [a-z0-9], then [a-z0-9._-], at most 63 bytes.
 *
 * Errors: 0, or a positive TLS_E_* of this header; tls_error_text() has the words.
 */
#include <openssl/x509.h>

#include "host/base/cleanup.h"

enum tls_kind {
	TLS_USER, /* a client: its certificate is for clientAuth, and for nothing else */
	TLS_HOST, /* a server: for serverAuth, and for nothing else */
	_TLS_KIND_N
};

#define TLS_NAME_MAX 63u
/* The longest "samsara:user/NAME", with its NUL byte. */
#define TLS_IDENTITY_SIZE (sizeof("samsara:user/") + TLS_NAME_MAX)

struct tls_identity {
	enum tls_kind kind;
	char name[TLS_NAME_MAX + 1];
};

enum tls_error {
	TLS_E_FORM = 1, /* not the name of a user or a host */
	TLS_E_UNNAMED,  /* no subject alternative name at all, or one that cannot be read */
	TLS_E_NAMES,    /* more than one */
	TLS_E_NO_URI,   /* one of another type: an address, a name in the DNS, ... */
	TLS_E_USE,      /* not for one of clientAuth and serverAuth alone */
	TLS_E_KIND,     /* a user's for serverAuth, or a host's for clientAuth */
	_TLS_E_N
};

/* Read "samsara:user/NAME" or "samsara:host/NAME", to the last byte. TLS_E_FORM. */
int __must_check tls_identity_parse(const char *text, struct tls_identity *ret_identity);
/* The same as people write it: "user/NAME" will do, too. TLS_E_FORM. */
int __must_check tls_identity_read(const char *text, struct tls_identity *ret_identity);
/* "samsara:user/NAME" */
void tls_identity_print(const struct tls_identity *identity, char ret_text[TLS_IDENTITY_SIZE]);
/* "user" or "host" */
const char *tls_kind_name(enum tls_kind kind);

/*
 * Who a certificate names, whoever signed it: exactly one subject alternative name, which is one
 * URI of ours. TLS_E_FORM, TLS_E_UNNAMED, TLS_E_NAMES, TLS_E_NO_URI.
 */
int __must_check tls_identity_of(const X509 *certificate, struct tls_identity *ret_identity);
/* The same of a request's extensions; NULL: it has none. */
int __must_check tls_identity_of_extensions(
        const STACK_OF(X509_EXTENSION) * extensions, struct tls_identity *ret_identity);
/* What a certificate is for: TLS_USER for clientAuth alone, TLS_HOST for serverAuth alone. TLS_E_USE. */
int __must_check tls_use_of(const X509 *certificate, enum tls_kind *ret_kind);
/* Both, which must fit each other: TLS_E_KIND. What a peer is known by is this, once its chain is good. */
int __must_check tls_peer_of(const X509 *certificate, struct tls_identity *ret_identity);

/* Part of a sentence: "it names nobody". */
const char *tls_error_text(enum tls_error error);
