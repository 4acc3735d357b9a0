#pragma once
/* What the tests of this room share: a directory that goes with the test, files, and OpenSSL as the judge. */
#include <openssl/x509.h>

#include "host/base/failure.h"

/* A fresh directory, and the path of a name in it; the caller frees. */
const char *place_new(void);
char *place_path(const char *name);
/* Removes it. */
void place_end(void);

/* Writes a file of this mode. */
void place_write(const char *path, const char *text, unsigned int mode);
/* The whole file; the caller frees. */
char *place_read(const char *path);
/* Does the failure name this place, and have a cause and, in it, these words? */
void place_failed(const struct failure *failure, const char *place, const char *words);

/*
 * What a connection's other end would say at a moment: X509_V_OK or an X509_V_ERR_*. purpose: X509_PURPOSE_SSL_CLIENT or
 * X509_PURPOSE_SSL_SERVER.
 */
int place_judge(X509 *ca, X509_CRL *crl, X509 *certificate, int purpose, int64_t now);
