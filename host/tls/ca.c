/*
 * The CA's directory. What makes a change count is one rename:
 *
 *     create    ca.key -> ca.crl -> ca.crt      without ca.crt there is no CA yet, and create begins again
 *     issue     issued/SERIAL.crt               a number that is drawn meets no other one
 *     revoke    ca.crl                          the next list has all of the last one
 *
 * The list is read, and its signature checked, before anything is done: a CA that has lost its list does not know whom
 * it has revoked, and making an empty one would let them all in again. The key is read by what signs, and by nothing
 * else. Whoever can write to the directory can have anything signed; that nobody else can is checked first.
 */
#include "host/tls/ca.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>

#include "host/base/file.h"
#include "host/tls/dir.h"
#include "host/tls/key.h"
#include "host/tls/pem.h"

struct tls_ca {
	char *dir;
	int lock;
	X509 *certificate;
	X509_CRL *crl;
};

TLS_FREEP(struct tls_ca, ca_freep, (void)tls_ca_free)

struct tls_ca *tls_ca_free(struct tls_ca *ca)
{
	if (ca) {
		X509_free(ca->certificate);
		X509_CRL_free(ca->crl);
		fd_closep(&ca->lock);
		free(ca->dir);
		free(ca);
	}
	return NULL;
}

/* The caller frees. */
static char *ca_path(const struct tls_ca *ca, const char *name)
{
	return text_format("%s/%s", ca->dir, name);
}

/* The directory, ours and locked. */
static int ca_enter(const char *dir, struct tls_ca **ret_ca, struct failure *ret_failure)
{
	_cleanup_(ca_freep) struct tls_ca *ca = mem_zero(sizeof(*ca));
	int r;

	ca->dir = text_copy(dir);
	ca->lock = -1;
	r = tls_dir_lock(dir, TLS_DIR_WAIT_MSEC, &ca->lock, ret_failure);
	if (r == 0) {
		r = tls_dir_check(dir, ca->lock, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	*ret_ca = steal(&ca);
	return 0;
}

/* The key, which must be that of the certificate. */
static int ca_key_read(const struct tls_ca *ca, EVP_PKEY **ret_key, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = ca_path(ca, "ca.key");
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;
	int r = tls_key_read(path, &key, ret_failure);

	if (r < 0) {
		return err_up(r);
	}
	if (X509_check_private_key(ca->certificate, key) != 1) {
		ERR_clear_error();
		failure_set(ret_failure, "key", path,
		        "put back the ca.key and the ca.crt that belong together",
		        "it is not the key of the CA's certificate");
		return err_raise(-EBADMSG);
	}
	*ret_key = steal(&key);
	return 0;
}

static struct tls_life ca_life(const struct tls_terms *terms)
{
	return (struct tls_life){
	        .from = terms->now - TLS_SKEW_SEC,
	        .to = terms->now + (int64_t)terms->days * TLS_DAY_SEC,
	};
}

/* The key that is there, of a call that was interrupted, or a new one. */
static int ca_key_make(const struct tls_ca *ca, EVP_PKEY **ret_key, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = ca_path(ca, "ca.key");
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;
	int r;

	if (access(path, F_OK) == 0) {
		return tls_key_read(path, ret_key, ret_failure);
	}
	r = tls_key_new(&key, ret_failure);
	if (r == 0) {
		r = tls_key_save(path, key, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	*ret_key = steal(&key);
	return 0;
}

/* Signs and writes the next list, which is the CA's from then on. */
static int ca_crl_put(struct tls_ca *ca, EVP_PKEY *key, const struct tls_crl_added *added,
        const struct tls_life *life, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = ca_path(ca, "ca.crl");
	_cleanup_(tls_crl_freep) X509_CRL *crl = NULL;
	const struct tls_issuer issuer = {ca->certificate, key};
	int r = tls_crl_make(&issuer, ca->crl, added, life, &crl);

	if (r < 0) {
		return tls_fail_crypto(ret_failure, path, "cannot be signed");
	}
	r = tls_crl_write(path, crl, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	X509_CRL_free(ca->crl);
	ca->crl = steal(&crl);
	return 0;
}

static int ca_create(struct tls_ca *ca, const struct tls_terms *terms, struct failure *ret_failure)
{
	static const struct tls_crl_added none;
	const struct tls_terms first = {terms->now, TLS_CRL_DAYS};
	const struct tls_life life = ca_life(terms), crl_life = ca_life(&first);
	_cleanup_(freep) char *path = ca_path(ca, "ca.crt");
	_cleanup_(freep) char *issued = ca_path(ca, "issued");
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;
	int r;

	if (access(path, F_OK) == 0) {
		failure_set(ret_failure, "exists", path,
		        "`luctl cert list` shows it; name another directory with --ca",
		        "there is a CA already; nothing was changed");
		return err_raise(-EEXIST);
	}
	r = dir_make(issued);
	if (r < 0) {
		return tls_fail_file(ret_failure, issued, "cannot be made", r);
	}
	r = ca_key_make(ca, &key, ret_failure);
	if (r == 0) {
		r = tls_certificate_make_ca(key, &life, &ca->certificate, ret_failure);
	}
	if (r == 0) {
		r = ca_crl_put(ca, key, &none, &crl_life, ret_failure);
	}
	return r < 0 ? err_up(r) : tls_certificate_write(path, ca->certificate, ret_failure);
}

int tls_ca_create(const char *dir, const struct tls_terms *terms, struct failure *ret_failure)
{
	_cleanup_(ca_freep) struct tls_ca *ca = NULL;
	int r = dir_make(dir);

	if (r < 0) {
		return tls_fail_file(ret_failure, dir, "cannot be made", r);
	}
	r = ca_enter(dir, &ca, ret_failure);
	return r < 0 ? err_up(r) : ca_create(ca, terms, ret_failure);
}

/* What is there is a CA's, and not a certificate of somebody that was put in its place. */
static int ca_read(struct tls_ca *ca, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = ca_path(ca, "ca.crt");
	_cleanup_(freep) char *crl = ca_path(ca, "ca.crl");
	int r = tls_certificate_read(path, &ca->certificate, ret_failure);

	if (r == -ENOENT) {
		failure_set(ret_failure, "no-ca", ca->dir,
		        "make one with `luctl cert init`, or name its directory with --ca",
		        "there is no CA");
	}
	if (r < 0) {
		return err_up(r);
	}
	if (X509_check_ca(ca->certificate) != 1) {
		failure_set(ret_failure, "certificate", path, "put a copy of it back",
		        "it is not the certificate of a CA");
		return err_raise(-EBADMSG);
	}
	r = tls_crl_read(crl, ca->certificate, &ca->crl, ret_failure);
	if (r == -ENOENT) {
		failure_set(ret_failure, "crl", crl,
		        "put a copy of it back, from a host that has one",
		        "it is missing, and with it who was revoked");
	}
	return err_up(r);
}

int tls_ca_open(const char *dir, struct tls_ca **ret_ca, struct failure *ret_failure)
{
	_cleanup_(ca_freep) struct tls_ca *ca = NULL;
	int r = ca_enter(dir, &ca, ret_failure);

	if (r == -ENOENT) {
		failure_set(ret_failure, "no-ca", dir,
		        "make one with `luctl cert init`, or name its directory with --ca",
		        "there is no CA");
	}
	if (r == 0) {
		r = ca_read(ca, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	*ret_ca = steal(&ca);
	return 0;
}

struct tls_life tls_ca_life(const struct tls_ca *ca)
{
	return tls_certificate_life(ca->certificate);
}

const X509_CRL *tls_ca_crl(const struct tls_ca *ca)
{
	return ca->crl;
}

/* A certificate that outlives its CA would end with it, and say otherwise. */
static int ca_life_check(
        const struct tls_ca *ca, const struct tls_life *life, struct failure *ret_failure)
{
	struct tls_life own = tls_ca_life(ca);

	if (life->to > own.to) {
		failure_set(ret_failure, "life", ca->dir,
		        "give fewer --days; or make another CA, and have both believed for a while",
		        "the CA itself ends before that");
		return err_raise(-EINVAL);
	}
	return 0;
}

/* Kept here first: what is not is not issued. */
static int ca_keep(const struct tls_ca *ca, struct tls_issued *issued, struct failure *ret_failure)
{
	tls_serial_print(X509_get0_serialNumber(issued->certificate), issued->serial);
	issued->path = text_format("%s/issued/%s.crt", ca->dir, issued->serial);
	issued->life = tls_certificate_life(issued->certificate);
	return tls_certificate_write(issued->path, issued->certificate, ret_failure);
}

int tls_ca_issue(struct tls_ca *ca, const struct tls_identity *who, EVP_PKEY *key,
        const struct tls_terms *terms, struct tls_issued *ret_issued, struct failure *ret_failure)
{
	_cleanup_(tls_key_freep) EVP_PKEY *own = NULL;
	_cleanup_(tls_issued_fini) struct tls_issued issued = {.who = *who};
	const struct tls_life life = ca_life(terms);
	int r = ca_life_check(ca, &life, ret_failure);

	if (r == 0) {
		r = ca_key_read(ca, &own, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	r = tls_certificate_make(
	        &(struct tls_issuer){ca->certificate, own}, who, key, &life, &issued.certificate);
	if (r < 0) {
		return tls_fail_crypto(ret_failure, ca->dir, "cannot sign");
	}
	r = ca_keep(ca, &issued, ret_failure);
	if (r < 0) {
		return err_up(r);
	}
	*ret_issued = issued;
	issued = (struct tls_issued){.certificate = NULL};
	return 0;
}

int tls_ca_revoke(struct tls_ca *ca, const ASN1_INTEGER *const *serials, size_t n,
        enum tls_reason reason, const struct tls_terms *terms, struct failure *ret_failure)
{
	_cleanup_(tls_key_freep) EVP_PKEY *key = NULL;
	_cleanup_(freep) const ASN1_INTEGER **fresh = mem_zero((n + 1) * sizeof(*fresh));
	struct tls_crl_added added = {fresh, 0, {terms->now, reason}};
	const struct tls_life life = ca_life(terms);
	struct tls_revocation before;
	int r = ca_key_read(ca, &key, ret_failure);

	for (size_t i = 0; i < n; i++) {
		if (!tls_crl_has(ca->crl, serials[i], &before)) {
			fresh[added.n++] = serials[i];
		}
	}
	return r < 0 ? err_up(r) : ca_crl_put(ca, key, &added, &life, ret_failure);
}

int tls_ca_renew_crl(struct tls_ca *ca, const struct tls_terms *terms, struct failure *ret_failure)
{
	return tls_ca_revoke(ca, NULL, 0, TLS_UNSPECIFIED, terms, ret_failure);
}

void tls_issued_fini(struct tls_issued *issued)
{
	X509_free(issued->certificate);
	free(issued->path);
}

void tls_issued_list_fini(struct tls_issued_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		tls_issued_fini(&list->rows[i]);
	}
	free(list->rows);
}

/* One file of issued/. What is none of this CA's is a row, too: somebody has to look at it. */
static void ca_issued_read(struct tls_ca *ca, const char *file, struct tls_issued *issued)
{
	_cleanup_(tls_certificate_freep) X509 *certificate = NULL;
	struct failure ignored;

	issued->path = text_format("%s/issued/%s", ca->dir, file);
	if (tls_certificate_read(issued->path, &certificate, &ignored) < 0 ||
	        !tls_certificate_is_from(certificate, ca->certificate, file) ||
	        tls_peer_of(certificate, &issued->who) != 0) {
		err_forget();
		return;
	}
	tls_serial_print(X509_get0_serialNumber(certificate), issued->serial);
	issued->life = tls_certificate_life(certificate);
	issued->is_revoked =
	        tls_crl_has(ca->crl, X509_get0_serialNumber(certificate), &issued->revocation);
	issued->certificate = steal(&certificate);
}

/* What begins with a dot is no entry, and what ends so was never finished. */
static int ca_issued_wanted(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && !(len > 4 && !strcmp(entry->d_name + len - 4, ".new"));
}

static int ca_issued_compare(const void *a, const void *b)
{
	const struct tls_issued *one = a, *other = b;
	int order = (other->certificate != NULL) - (one->certificate != NULL);

	if (order == 0 && one->certificate) {
		order = (int)one->who.kind - (int)other->who.kind;
		order = order ? order : strcmp(one->who.name, other->who.name);
		order = order ? order
		              : (one->life.from > other->life.from) -
		                        (one->life.from < other->life.from);
	}
	return order ? order : strcmp(one->path, other->path);
}

int tls_ca_list(struct tls_ca *ca, struct tls_issued_list *ret_list, struct failure *ret_failure)
{
	_cleanup_(freep) char *dir = ca_path(ca, "issued");
	struct tls_issued_list list = {NULL, 0};
	struct dirent **entries;
	int n = scandir(dir, &entries, ca_issued_wanted, NULL);

	if (n < 0) {
		return tls_fail_file(ret_failure, dir, "cannot be read", err_raise(-errno));
	}
	list.rows = mem_zero(((size_t)n + 1) * sizeof(*list.rows));
	for (int i = 0; i < n; i++) {
		ca_issued_read(ca, entries[i]->d_name, &list.rows[list.n++]);
		free(entries[i]);
	}
	free(entries);
	qsort(list.rows, list.n, sizeof(*list.rows), ca_issued_compare);
	*ret_list = list;
	return 0;
}
