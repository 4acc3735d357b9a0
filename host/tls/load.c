/*
 * Files into a context: what is believed, and what is shown. All of it is checked here as a peer would check it:
 * whoever starts with a certificate that nobody will take should hear so then, with the file's name, and not from
 * whoever tries to connect.
 *
 * The key is judged by the descriptor that it is read from, never by its name (as in keyring/file.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "host/tls/priv.h"

#define TLS_FILE_MAX (64u << 10) /* certificates, a key */
#define TLS_LIST_MAX (16u << 20) /* some hundred thousand revoked ones */

#define TLS_REMEDY_CA "name a file with the PEM certificate of the CA (luctl cert init makes one)"
#define TLS_REMEDY_CRL "have the CA make a new list (luctl cert crl), and put it there"
#define TLS_REMEDY_OWN                                                                             \
	"have the CA issue a certificate for this host or user (luctl cert request, luctl cert "   \
	"issue)"
#define TLS_REMEDY_RENEW "have the CA renew it (luctl cert renew), and put it there"
#define TLS_REMEDY_CLOCK "compare this host's clock with that of the CA: one of them is wrong"
#define TLS_REMEDY_KEY                                                                             \
	"make one with luctl cert request; it must be a file of its owner's alone: chmod 0600"

static void tls_bio_freep(BIO **bio)
{
	BIO_free_all(*bio);
}

static void tls_certificate_freep(X509 **certificate)
{
	X509_free(*certificate);
}

static void tls_certificates_freep(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}

static void tls_crl_freep(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}

static void tls_key_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void tls_verification_freep(X509_STORE_CTX **verification)
{
	X509_STORE_CTX_free(*verification);
}

static int tls_refuse(struct failure *ret_failure, int error, const char *path, const char *remedy,
        const char *cause)
{
	failure_set(ret_failure, "tls", path, remedy, "%s", cause);
	return err_raise(error);
}

/* A file as OpenSSL reads it: a copy in memory, of what a regular file had. */
static int tls_open(const char *path, size_t limit, const char *remedy, BIO **ret_bio,
        struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *data = NULL;
	size_t size;
	int r = file_read(path, limit, &data, &size);
	BIO *bio;

	if (r < 0) {
		failure_set(
		        ret_failure, "tls", path, remedy, "it cannot be read: %s", strerror(-r));
		return err_up(r);
	}
	bio = BIO_new(BIO_s_mem());
	if (!bio || BIO_write(bio, data, (int)size) != (int)size) {
		abort();
	}
	*ret_bio = bio;
	return 0;
}

/* Whether what ended a row of PEM objects was the end of the file, and not a damaged one. */
static bool tls_pem_ended(void)
{
	bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

	ERR_clear_error();
	return ended;
}

/* One certificate or more, at most `max`. */
static int tls_read_certificates(const char *path, int max, const char *remedy,
        STACK_OF(X509) * *ret_certificates, struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *bio = NULL;
	_cleanup_(tls_certificates_freep) STACK_OF(X509) *certificates = sk_X509_new_null();
	X509 *certificate;
	int r = tls_open(path, TLS_FILE_MAX, remedy, &bio, ret_failure);

	if (r < 0) {
		return err_up(r);
	}
	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (!sk_X509_push(certificates, certificate)) {
			abort();
		}
	}
	if (!tls_pem_ended() || !sk_X509_num(certificates)) {
		return tls_refuse(
		        ret_failure, -EBADMSG, path, remedy, "it is no file of PEM certificates");
	}
	if (sk_X509_num(certificates) > max) {
		return tls_refuse(
		        ret_failure, -EBADMSG, path, remedy, "it has too many certificates");
	}
	*ret_certificates = steal(&certificates);
	return 0;
}

/* The time between the two ends of something that has them; 0: now is. */
static int tls_out_of_time(const ASN1_TIME *from, const ASN1_TIME *to)
{
	int64_t now = time(NULL);

	return tls_time(from) > now ? -1 : tls_time(to) <= now ? 1 : 0;
}

static int tls_load_cas(
        X509_STORE *store, const char *path, STACK_OF(X509) * *ret_cas, struct failure *ret_failure)
{
	_cleanup_(tls_certificates_freep) STACK_OF(X509) *cas = NULL;
	int r = tls_read_certificates(path, TLS_CAS_MAX, TLS_REMEDY_CA, &cas, ret_failure);

	if (r < 0) {
		return err_up(r);
	}
	for (int i = 0; i < sk_X509_num(cas); i++) {
		X509 *ca = sk_X509_value(cas, i);
		int out_of_time = tls_out_of_time(X509_get0_notBefore(ca), X509_get0_notAfter(ca));

		if (X509_check_ca(ca) != 1) {
			return tls_refuse(ret_failure, -EKEYREJECTED, path, TLS_REMEDY_CA,
			        "a certificate in it is not that of a CA");
		}
		if (out_of_time) {
			return tls_refuse(ret_failure, -EKEYEXPIRED, path,
			        out_of_time < 0 ? TLS_REMEDY_CLOCK : TLS_REMEDY_CA,
			        out_of_time < 0 ? "the CA's certificate is not valid yet"
			                        : "the CA's certificate has expired");
		}
		if (X509_STORE_add_cert(store, ca) != 1) {
			abort();
		}
	}
	*ret_cas = steal(&cas);
	return 0;
}

/* Which of the CAs signed a list, as a set: one that was renewed is there twice, with one key. */
static unsigned int tls_crl_issuers(X509_CRL *crl, const STACK_OF(X509) * cas)
{
	unsigned int issuers = 0;

	for (int i = 0; i < sk_X509_num(cas); i++) {
		const X509 *ca = sk_X509_value(cas, i);

		if (X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
		        X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1) {
			issuers |= 1u << i;
		}
	}
	return issuers;
}

/* A list that names no end would be good for ever: tls_time() of none is long ago. */
static int tls_check_crl(const X509_CRL *crl, const char *path, struct failure *ret_failure)
{
	int out_of_time =
	        tls_out_of_time(X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl));

	if (!out_of_time) {
		return 0;
	}
	return tls_refuse(ret_failure, -EKEYEXPIRED, path,
	        out_of_time < 0 ? TLS_REMEDY_CLOCK : TLS_REMEDY_CRL,
	        out_of_time < 0 ? "the list of revoked certificates is not valid yet"
	                        : "the list of revoked certificates is too old");
}

/* *ret_listed: the CAs that it has a list of. */
static int tls_read_crls(X509_STORE *store, BIO *bio, const char *path, const STACK_OF(X509) * cas,
        unsigned int *ret_listed, struct failure *ret_failure)
{
	for (;;) {
		_cleanup_(tls_crl_freep) X509_CRL *crl =
		        PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
		unsigned int issuers = crl ? tls_crl_issuers(crl, cas) : 0;
		int r;

		if (!crl) {
			return tls_pem_ended()
			               ? 0
			               : tls_refuse(ret_failure, -EBADMSG, path, TLS_REMEDY_CRL,
			                         "it is no file of PEM lists of revoked "
			                         "certificates");
		}
		if (!issuers) {
			return tls_refuse(ret_failure, -EKEYREJECTED, path, TLS_REMEDY_CRL,
			        "a list of revoked certificates in it is not signed by a CA that "
			        "is named");
		}
		r = tls_check_crl(crl, path, ret_failure);
		if (r < 0) {
			return err_up(r);
		}
		if (X509_STORE_add_crl(store, crl) != 1) {
			abort();
		}
		*ret_listed |= issuers;
	}
}

/* A CA without a list would be found out by whoever shows a certificate of it. */
static int tls_load_crls(X509_STORE *store, const char *path, const STACK_OF(X509) * cas,
        struct failure *ret_failure)
{
	_cleanup_(tls_bio_freep) BIO *bio = NULL;
	unsigned int listed = 0;
	int r = tls_open(path, TLS_LIST_MAX, TLS_REMEDY_CRL, &bio, ret_failure);

	if (!r) {
		r = tls_read_crls(store, bio, path, cas, &listed, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	return listed == (1u << sk_X509_num(cas)) - 1
	               ? 0
	               : tls_refuse(ret_failure, -EBADMSG, path, TLS_REMEDY_CRL,
	                         "it has no list of what a CA that is named has revoked");
}

int tls_load_trust(X509_STORE *store, const struct tls_files *files, struct failure *ret_failure)
{
	_cleanup_(tls_certificates_freep) STACK_OF(X509) *cas = NULL;
	int r = tls_load_cas(store, files->ca, &cas, ret_failure);

	if (!r) {
		r = tls_load_crls(store, files->crl, cas, ret_failure);
	}
	return err_up(r);
}

/* A key that is locked by a passphrase is refused, and nobody at a terminal is asked for it. */
static int tls_no_passphrase(char *text, int size, int is_writing, void *arg)
{
	return -1;
}

/* Into memory that is wiped: not through file_read(), whose is freed as it is. */
static EVP_PKEY *tls_key_read(int fd)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text));
	_cleanup_(tls_bio_freep) BIO *bio = n > 0 ? BIO_new_mem_buf(text, (int)n) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL) : NULL;

	OPENSSL_cleanse(text, sizeof(text));
	return key;
}

static int tls_load_key(SSL_CTX *context, const char *path, struct failure *ret_failure)
{
	_cleanup_(fd_closep) int fd =
	        open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = err_raise(-errno);
		failure_set(ret_failure, "tls", path, TLS_REMEDY_KEY, "it cannot be read: %s",
		        r == -ELOOP ? "it is a link" : strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
		return tls_refuse(ret_failure, -EPERM, path, TLS_REMEDY_KEY,
		        "others could read or replace the key: it must be a file of whoever runs, "
		        "with mode 0600");
	}
	key = tls_key_read(fd);
	if (!key) {
		return tls_refuse(ret_failure, -EBADMSG, path, TLS_REMEDY_KEY,
		        "it is no private key in PEM without a passphrase");
	}
	if (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1) {
		return tls_refuse(ret_failure, -EKEYREJECTED, path, TLS_REMEDY_KEY,
		        "it is not the key of the certificate");
	}
	return 0;
}

/* As a peer would look at it, which trusts the same CAs. */
static int tls_check_own(SSL_CTX *context, X509 *own, const char *path, enum tls_kind kind,
        struct failure *ret_failure)
{
	_cleanup_(tls_verification_freep) X509_STORE_CTX *verification = X509_STORE_CTX_new();
	const char *why;
	int error;

	if (!verification || X509_STORE_CTX_init(verification, SSL_CTX_get_cert_store(context), own,
	                             NULL) != 1) {
		abort();
	}
	X509_STORE_CTX_set_default(verification, kind == TLS_HOST ? "ssl_server" : "ssl_client");
	tls_verify_rules(X509_STORE_CTX_get0_param(verification));
	why = tls_objection(verification, kind);
	error = X509_STORE_CTX_get_error(verification);
	if (!why) {
		return 0;
	}
	failure_set(ret_failure, "tls", path,
	        error == X509_V_ERR_CERT_HAS_EXPIRED     ? TLS_REMEDY_RENEW
	        : error == X509_V_ERR_CERT_NOT_YET_VALID ? TLS_REMEDY_CLOCK
	                                                 : TLS_REMEDY_OWN,
	        "it would be refused: %s", why);
	return err_raise(
	        error == X509_V_ERR_CERT_REVOKED ? -EKEYREVOKED
	        : error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID
	                ? -EKEYEXPIRED
	                : -EKEYREJECTED);
}

int tls_load_own(SSL_CTX *context, const struct tls_files *files, enum tls_kind kind,
        struct failure *ret_failure)
{
	_cleanup_(tls_certificates_freep) STACK_OF(X509) *shown = NULL;
	_cleanup_(tls_certificate_freep) X509 *own = NULL;
	int r = tls_read_certificates(
	        files->certificate, TLS_CHAIN_MAX, TLS_REMEDY_OWN, &shown, ret_failure);

	if (r < 0) {
		return err_up(r);
	}
	own = sk_X509_shift(shown);
	r = tls_check_own(context, own, files->certificate, kind, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	if (SSL_CTX_use_certificate(context, own) != 1 ||
	        (sk_X509_num(shown) &&
	                SSL_CTX_add1_chain_cert(context, sk_X509_value(shown, 0)) != 1)) {
		return tls_refuse(ret_failure, -EKEYREJECTED, files->certificate, TLS_REMEDY_OWN,
		        "OpenSSL does not take it");
	}
	return err_up(tls_load_key(context, files->key, ret_failure));
}
