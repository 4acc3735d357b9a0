#pragma once
/*
 * Requests (PKCS#10): what is carried from where a key is to where the CA is. A request has the public key, a signature
 * that shows that its maker has the private one, and the name that is asked for. The CA takes the key alone from it.
 *
 * Errors: 0, or a negative errno with the failure filled.
 */
#include <openssl/x509.h>

#include "host/base/cleanup.h"

struct failure;
struct tls_identity;

/* Signs one for a name and writes it, over one that is there. */
int __must_check tls_request_write(const char *path, const struct tls_identity *who, EVP_PKEY *key,
        struct failure *ret_failure);
/*
 * The public key of a request that is good: its own signature fits, the key is of P-256 (both -EBADMSG), and it
 * asks for `who` or leaves the name to whoever signs (-EINVAL). The caller frees the key. Whatever else the request
 * wants is not looked at.
 */
int __must_check tls_request_read(const char *path, const struct tls_identity *who,
        EVP_PKEY **ret_key, struct failure *ret_failure);
/* The same of a text in memory; place: what failures call it. */
int __must_check tls_request_parse(const char *place, BIO *pem, const struct tls_identity *who,
        EVP_PKEY **ret_key, struct failure *ret_failure);
/* The name that a request asks for. -ENOENT: there is no file; -EBADMSG: no request, or it asks for no name of ours. */
int __must_check tls_request_name(
        const char *path, struct tls_identity *ret_identity, struct failure *ret_failure);
