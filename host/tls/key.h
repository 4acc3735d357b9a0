#pragma once
/*
 * Private keys of connections: P-256, in a file of mode 0600 that belongs to whoever uses it, and never anywhere else.
 * There is no function that prints or copies one.
 *
 * Errors: 0, or a negative errno with the failure filled.
 */
#include <openssl/evp.h>

#include "host/base/cleanup.h"

struct failure;

/* Drawn; on no disk yet. */
int __must_check tls_key_new(EVP_PKEY **ret_key, struct failure *ret_failure);
/* Into a new file. -EEXIST: there is one, which stays. */
int __must_check tls_key_save(const char *path, EVP_PKEY *key, struct failure *ret_failure);
/*
 * A key from its file, judged by the descriptor it was opened with: a regular file and no link, the caller's, and
 * nobody else has a right to it (-EPERM). -EBADMSG: it is no key, has a passphrase, or is not of P-256. -ENOENT: none.
 */
int __must_check tls_key_read(const char *path, EVP_PKEY **ret_key, struct failure *ret_failure);
/* Is it on the curve P-256, by its name? One that brings a curve of its own is not. */
int tls_key_fits(const EVP_PKEY *key);
