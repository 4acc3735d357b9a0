#pragma once
/*
 * TLS as Samsara speaks it (docs/adr/0038-remote.md): one set of rules for both ends, and no setting that
 * loosens one. A context has what an end shows (certificate, key) and what it trusts (CAs, and their
 * lists of revoked certificates); the system's CAs are never asked. Whoever makes a connection out of one
 * drives it itself: nothing here knows a socket or an event loop.
 *
 * A handshake that ends well has done all there is to check, but for tls_connected(): it says who the peer is.
 */
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/failure.h"
#include "host/tls/identity.h"

#define TLS_PROTOCOL "samsara-control/1" /* as both ends must name it (ALPN) */
#define TLS_CHAIN_MAX 2u                 /* certificates: a peer's own, and the CA's */
#define TLS_CHAIN_BYTES_MAX 8192u        /* of all that a peer shows */

/* Paths of PEM files. */
struct tls_files {
	const char *
	        ca; /* whose certificates are believed; at most TLS_CAS_MAX, so that one can follow another */
	const char *crl;         /* of each of these the list of what it revoked */
	const char *certificate; /* one's own, with that of its CA behind it or without */
	const char *key;         /* of that; mode 0600 or less, its owner's who runs, no link */
};

#define TLS_CAS_MAX 4u

/*
 * Reads the files and checks them as a peer would, so that what could not be used is known before
 * somebody connects. Errors fill ret_failure, with the file as its place: -errno of reading; -EPERM, others could read
 * the key; -EBADMSG, a file is not what it is to be; -EKEYREJECTED, a certificate is not good, or not for this end;
 * -EKEYEXPIRED, a certificate or a list is too old, or not valid yet; -EKEYREVOKED, one's own certificate is on the list.
 */
int __must_check tls_server_context(
        const struct tls_files *files, SSL_CTX **ret_context, struct failure *ret_failure);
int __must_check tls_client_context(
        const struct tls_files *files, SSL_CTX **ret_context, struct failure *ret_failure);
/* SSL_CTX_free() for a _cleanup_. */
void tls_context_freep(SSL_CTX **context);

/* What of a context ends first, and refuses everybody or is refused by everybody then. */
struct tls_end {
	int64_t at;       /* seconds since 1970 */
	const char *what; /* part of a sentence: "the list of revoked certificates" */
};
struct tls_end tls_context_end(SSL_CTX *context);
/* What of a context begins last: before that everybody is refused as well, for instance by a clock that was set back. */
struct tls_end tls_context_begin(SSL_CTX *context);
/* When each ends, seconds since 1970; of several CAs or lists the first. */
struct tls_ends {
	int64_t certificate;
	int64_t ca;
	int64_t list; /* from then on nobody is let in, and who was is not known to be still */
};
struct tls_ends tls_context_ends(SSL_CTX *context);

/* Clients: who the server must be, "host/NAME" without its kind; without this every server is refused. Copied. */
int __must_check tls_expect(SSL *ssl, const char *host);
/*
 * After a handshake: who the peer is. -EPROTO: the connection is not as it must be, for instance resumed.
 */
int __must_check tls_connected(const SSL *ssl, struct tls_identity *ret_peer);
/*
 * Whether a peer that another context let in would be let in by this one now. NULL: yes; else why not, for people.
 */
const char *tls_context_objection(SSL_CTX *context, const SSL *ssl);
/* Until when a peer's certificate and the CA that it was believed by are both good: seconds since 1970. */
int64_t tls_peer_end(const SSL *ssl);
/*
 * Why a handshake did not succeed, for people: what this end found, else what the other end said, else
 * what OpenSSL says. Looks at the thread's queue of errors, which is the caller's to clear before and after.
 */
const char *tls_verify_error(const SSL *ssl);
