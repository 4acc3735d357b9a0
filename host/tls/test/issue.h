#pragma once
/*
 * CAs, certificates and lists for tests, good ones and such as no CA should make. All files lie in one
 * directory, from test_start() to test_end().
 */
#include <openssl/x509.h>
#include <stdbool.h>

#define TEST_DAY 86400

struct test_ca {
	EVP_PKEY *key;
	X509 *certificate;
};

/* What a certificate says; what is left out is that of a good one of user/alice. */
struct test_says {
	const char *name; /* subject alternative names, as x509v3_config(5) writes them; "": none */
	const char *use;  /* extended key usage; "": none */
	const char *key;  /* "P-256", "P-384", "RSA" */
	long from, to;    /* seconds from now; both 0: from an hour ago, for a day */
	bool is_ca;
	unsigned int padding;          /* bytes of a comment that nobody reads */
	const struct test_ca *shown;   /* whose certificate is in its file, behind its own */
	const struct test_ca *shown_2; /* ... and behind that */
};

void test_start(void);
void test_end(void);
/* The path of a file in the directory: static, of the last 256 calls. */
const char *test_path(const char *name, const char *kind);
void test_write(const char *path, const char *text, unsigned int mode);
/* Writes NAME.ca. above: who signs its certificate; NULL: itself. */
struct test_ca test_ca(const char *name, const struct test_ca *above, long from, long to);
/* The same of itself, good for a day, with RSA of 1024 bits. */
struct test_ca test_weak_ca(const char *name);
void test_ca_free(struct test_ca *ca);
/* Writes NAME.crt and NAME.key; its serial number. */
long test_issue(const struct test_ca *ca, const char *name, const struct test_says *says);
/* Writes NAME.crl in the name of `ca`, signed by `signer`, with serial numbers up to a 0, or NULL. to 0: without an end. */
void test_list(const char *name, const struct test_ca *ca, const struct test_ca *signer,
        const long *serials, long from, long to);
