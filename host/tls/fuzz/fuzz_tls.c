/*
 * Files of others: requests, certificates, lists of revoked ones and names, as they may come from anywhere. They are
 * bytes of the input, or a good one of which the input changes some: else none would get past its first length. What is
 * accepted must be what it says: a request has a key of P-256 and asks for no other name; a certificate names somebody
 * whose name is read again as the same; what lies in the CA's directory is this CA's to the last byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/tls/ca.h"
#include "host/tls/fuzz/samples.h"
#include "host/tls/key.h"
#include "host/tls/pem.h"
#include "host/tls/request.h"

enum fuzz_kind { FUZZ_REQUEST, FUZZ_CERTIFICATE, FUZZ_CRL, FUZZ_ISSUED, FUZZ_NAME, _FUZZ_KIND_N };

/* Bytes of DER, or of whatever the input says. */
#define FUZZ_MAX 1024u
struct fuzz_bytes {
	uint8_t bytes[FUZZ_MAX];
	size_t n;
};

static const struct fuzz_sample {
	const char *pem;
	const char *label; /* of PEM */
} fuzz_samples[_FUZZ_KIND_N] = {
        [FUZZ_REQUEST] = {sample_request, PEM_STRING_X509_REQ},
        [FUZZ_CERTIFICATE] = {sample_certificate, PEM_STRING_X509},
        [FUZZ_CRL] = {sample_crl, PEM_STRING_X509_CRL},
        [FUZZ_ISSUED] = {sample_certificate, PEM_STRING_X509},
};

static X509 *fuzz_ca;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_assert(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* Whose the samples are. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new_mem_buf(sample_ca, -1);

	fuzz_ca = PEM_read_bio_X509(pem, NULL, NULL, NULL);
	fuzz_assert(fuzz_ca != NULL);
	return 0;
}

static void fuzz_sample(enum fuzz_kind kind, struct fuzz_bytes *ret)
{
	_cleanup_(tls_bio_freep) BIO *pem = BIO_new_mem_buf(fuzz_samples[kind].pem, -1);
	char *name, *header;
	uint8_t *bytes;
	long n;

	fuzz_assert(PEM_read_bio(pem, &name, &header, &bytes, &n) == 1 && n <= (long)FUZZ_MAX);
	memcpy(ret->bytes, bytes, (size_t)n);
	ret->n = (size_t)n;
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(bytes);
}

/* The input's own bytes; or the sample, of which each three bytes of the input change one, by a place and a value. */
static void fuzz_make(
        enum fuzz_kind kind, bool is_own, const uint8_t *data, size_t size, struct fuzz_bytes *ret)
{
	if (is_own) {
		ret->n = size < FUZZ_MAX ? size : FUZZ_MAX;
		memcpy(ret->bytes, data, ret->n);
		return;
	}
	fuzz_sample(kind, ret);
	for (; size >= 3; data += 3, size -= 3) {
		ret->bytes[(data[0] << 8 | data[1]) % ret->n] = data[2];
	}
}

/* The file as it would come. The caller frees. */
static BIO *fuzz_pem(enum fuzz_kind kind, const struct fuzz_bytes *from)
{
	BIO *pem = BIO_new(BIO_s_mem());

	fuzz_assert(pem && PEM_write_bio(pem, fuzz_samples[kind].label, "", from->bytes,
	                           (long)from->n) > 0);
	return pem;
}

static void fuzz_request(const struct fuzz_bytes *from)
{
	static const struct tls_identity who = {TLS_USER, "alice"};
	_cleanup_(tls_bio_freep) BIO *pem = fuzz_pem(FUZZ_REQUEST, from);
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;
	struct failure failure;

	if (tls_request_parse("it", pem, &who, &key, &failure) == 0) {
		fuzz_assert(key && tls_key_fits(key));
	} else {
		fuzz_assert(!key && *failure.cause && *failure.remedy);
	}
}

static void fuzz_name_again(const struct tls_identity *who)
{
	struct tls_identity again;
	char text[TLS_IDENTITY_SIZE];

	tls_identity_print(who, text);
	fuzz_assert(tls_identity_parse(text, &again) == 0);
	fuzz_assert(again.kind == who->kind && !strcmp(again.name, who->name));
}

static void fuzz_certificate(const struct fuzz_bytes *from)
{
	const uint8_t *at = from->bytes;
	_cleanup_(tls_certificate_freep) X509 *certificate = d2i_X509(NULL, &at, (long)from->n);
	char serial[TLS_SERIAL_SIZE];
	struct tls_identity who;
	struct tls_life life;

	if (!certificate) {
		return;
	}
	if (tls_peer_of(certificate, &who) == 0) {
		fuzz_name_again(&who);
	}
	tls_serial_print(X509_get0_serialNumber(certificate), serial);
	life = tls_certificate_life(certificate);
	fuzz_assert(*tls_standing_name(tls_life_standing(&life, 0)));
}

/* Only what this CA has signed is a list of it, and then the one that was revoked is on it. */
static void fuzz_crl(const struct fuzz_bytes *from)
{
	_cleanup_(tls_bio_freep) BIO *pem = fuzz_pem(FUZZ_CRL, from);
	_cleanup_(tls_crl_freep) X509_CRL *crl = NULL;
	struct failure failure;

	if (tls_crl_parse("it", pem, fuzz_ca, &crl, &failure) == 0) {
		struct tls_life life = tls_crl_life(crl);

		fuzz_assert(tls_crl_count(crl) == 1 && life.to > life.from);
	}
}

/* A file of issued/: what is taken for the CA's has not one bit of it changed. */
static void fuzz_issued(const struct fuzz_bytes *from)
{
	const uint8_t *at = from->bytes;
	_cleanup_(tls_certificate_freep) X509 *certificate = d2i_X509(NULL, &at, (long)from->n);
	struct tls_identity who;

	if (certificate && tls_certificate_is_from(certificate, fuzz_ca, SAMPLE_SERIAL ".crt")) {
		fuzz_assert(tls_peer_of(certificate, &who) == 0 && !strcmp(who.name, "alice"));
	}
}

static void fuzz_name(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = text_format("%.*s", (int)size, (const char *)data);
	struct tls_identity who;

	if (tls_identity_read(text, &who) == 0) {
		fuzz_name_again(&who);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes bytes;
	enum fuzz_kind kind;

	if (size == 0) {
		return 0;
	}
	kind = (enum fuzz_kind)(data[0] % _FUZZ_KIND_N);
	if (kind == FUZZ_NAME) {
		fuzz_name(data + 1, size - 1);
		return 0;
	}
	fuzz_make(kind, data[0] & 0x80, data + 1, size - 1, &bytes);
	/* PEM of nothing is not written. */
	if (bytes.n == 0) {
		return 0;
	}
	switch (kind) {
	case FUZZ_REQUEST:
		fuzz_request(&bytes);
		break;
	case FUZZ_CERTIFICATE:
		fuzz_certificate(&bytes);
		break;
	case FUZZ_CRL:
		fuzz_crl(&bytes);
		break;
	case FUZZ_ISSUED:
		fuzz_issued(&bytes);
		break;
	case FUZZ_NAME:
	case _FUZZ_KIND_N:
		break;
	}
	return 0;
}
