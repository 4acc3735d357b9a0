/* The CA: what it signs, what others think of that, and what is left of it when something goes wrong. */
#undef NDEBUG
#include "host/tls/ca.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "host/base/file.h"
#include "host/tls/context.h"
#include "host/tls/dir.h"
#include "host/tls/key.h"
#include "host/tls/pem.h"
#include "host/tls/test/place.h"

#define NOW INT64_C(1900000000)
#define DAY TLS_DAY_SEC
#define CLIENT X509_PURPOSE_SSL_CLIENT
#define SERVER X509_PURPOSE_SSL_SERVER

static const struct tls_identity alice = {TLS_USER, "alice"};
static const struct tls_identity lud = {TLS_HOST, "lud"};
static const struct tls_terms ca_terms = {NOW, TLS_CA_DAYS};
static const struct tls_terms terms = {NOW, TLS_CERTIFICATE_DAYS};
static const struct tls_terms crl_terms = {NOW, TLS_CRL_DAYS};
static const char *dir;

static struct tls_ca *open_ca(void)
{
	struct failure failure;
	struct tls_ca *ca;

	if (tls_ca_open(dir, &ca, &failure) < 0) {
		fprintf(stderr, "%s: %s\n", failure.place, failure.cause);
		abort();
	}
	return ca;
}

static struct tls_issued issue(
        struct tls_ca *ca, const struct tls_identity *who, const struct tls_terms *how)
{
	struct tls_issued issued;
	struct failure failure;
	EVP_PKEY *key;

	assert(tls_key_new(&key, &failure) == 0);
	assert(tls_ca_issue(ca, who, key, how, &issued, &failure) == 0);
	assert(X509_check_private_key(issued.certificate, key) == 1);
	EVP_PKEY_free(key);
	return issued;
}

static X509 *ca_certificate(void)
{
	_cleanup_(freep) char *path = text_format("%s/ca.crt", dir);
	struct failure failure;
	X509 *certificate;

	assert(tls_certificate_read(path, &certificate, &failure) == 0);
	return certificate;
}

static int judge(struct tls_ca *ca, X509 *certificate, int purpose, int64_t now)
{
	X509 *own = ca_certificate();
	int result = place_judge(own, (X509_CRL *)tls_ca_crl(ca), certificate, purpose, now);

	X509_free(own);
	return result;
}

static mode_t mode_of(const char *name)
{
	_cleanup_(freep) char *path = text_format("%s/%s", dir, name);
	struct stat st;

	assert(lstat(path, &st) == 0);
	return st.st_mode & 07777;
}

static void test_create(void)
{
	_cleanup_(freep) char *path = text_format("%s/ca.crt", dir);
	struct failure failure;
	struct tls_ca *ca;
	X509 *own;

	assert(tls_ca_open(dir, &ca, &failure) == -ENOENT);
	place_failed(&failure, dir, "there is no CA");
	assert(tls_ca_create(dir, &ca_terms, &failure) == 0);
	assert(mode_of("ca.key") == 0600 && mode_of("ca.crt") == 0644 && mode_of("ca.crl") == 0644);
	assert(tls_ca_create(dir, &ca_terms, &failure) == -EEXIST);
	place_failed(&failure, path, "there is a CA already");
	ca = open_ca();
	own = ca_certificate();
	assert(tls_ca_life(ca).to == NOW + TLS_CA_DAYS * DAY);
	assert(tls_crl_life(tls_ca_crl(ca)).to == NOW + TLS_CRL_DAYS * DAY);
	assert(X509_check_ca(own) == 1 && X509_get_pathlen(own) == 0);
	assert(X509_get_key_usage(own) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
	X509_free(own);
	tls_ca_free(ca);
}

/* The certificate as it is to be, and when a connection's other end believes it. */
static void test_issue(void)
{
	struct tls_ca *ca = open_ca();
	struct tls_issued user = issue(ca, &alice, &terms), host = issue(ca, &lud, &terms);
	struct tls_identity who;

	assert(tls_peer_of(user.certificate, &who) == 0 && !strcmp(who.name, "alice"));
	assert(tls_peer_of(host.certificate, &who) == 0 && who.kind == TLS_HOST);
	assert(user.life.to == NOW + TLS_CERTIFICATE_DAYS * DAY && strlen(user.serial) == 32);
	assert(strcmp(user.serial, host.serial) != 0);
	assert(X509_get_key_usage(user.certificate) == KU_DIGITAL_SIGNATURE);
	assert(X509_check_ca(user.certificate) == 0);
	assert((X509_get_extension_flags(user.certificate) & EXFLAG_CA) == 0);
	assert(X509_get_ext_count(user.certificate) == 6);
	assert(judge(ca, user.certificate, CLIENT, NOW) == X509_V_OK);
	assert(judge(ca, user.certificate, SERVER, NOW) == X509_V_ERR_INVALID_PURPOSE);
	assert(judge(ca, host.certificate, SERVER, NOW) == X509_V_OK);
	assert(judge(ca, host.certificate, CLIENT, NOW) == X509_V_ERR_INVALID_PURPOSE);
	assert(judge(ca, user.certificate, CLIENT, NOW + 29 * DAY) == X509_V_OK);
	assert(judge(ca, user.certificate, CLIENT, NOW + 31 * DAY) == X509_V_ERR_CRL_HAS_EXPIRED);
	assert(judge(ca, user.certificate, CLIENT, NOW - DAY) == X509_V_ERR_CRL_NOT_YET_VALID);
	tls_issued_fini(&user);
	tls_issued_fini(&host);
	tls_ca_free(ca);
}

/* Nothing that it signs outlives the CA. */
static void test_lives(void)
{
	const struct tls_terms late = {NOW + (TLS_CA_DAYS - 89) * DAY, TLS_CERTIFICATE_DAYS};
	struct tls_ca *ca = open_ca();
	struct tls_issued issued;
	struct failure failure;
	EVP_PKEY *key;

	assert(tls_key_new(&key, &failure) == 0);
	assert(tls_ca_issue(ca, &alice, key, &late, &issued, &failure) == -EINVAL);
	place_failed(&failure, dir, "the CA itself ends before that");
	EVP_PKEY_free(key);
	tls_ca_free(ca);
}

static const struct tls_issued *row_of(const struct tls_issued_list *list, const char *serial)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!strcmp(list->rows[i].serial, serial)) {
			return &list->rows[i];
		}
	}
	return NULL;
}

/* It stays revoked: through a list that is renewed, through others that are revoked. */
static void test_revoke(void)
{
	struct tls_ca *ca = open_ca();
	struct tls_issued one = issue(ca, &alice, &terms), other = issue(ca, &alice, &terms);
	const ASN1_INTEGER *serials[] = {X509_get0_serialNumber(one.certificate)};
	const struct tls_terms later = {NOW + 20 * DAY, TLS_CRL_DAYS};
	struct tls_issued_list list;
	struct tls_revocation why;
	struct failure failure;

	assert(tls_ca_revoke(ca, serials, 1, TLS_KEY_COMPROMISE, &crl_terms, &failure) == 0);
	assert(judge(ca, one.certificate, CLIENT, NOW) == X509_V_ERR_CERT_REVOKED);
	assert(judge(ca, other.certificate, CLIENT, NOW) == X509_V_OK);
	tls_ca_free(ca);
	ca = open_ca();
	assert(tls_ca_revoke(ca, serials, 1, TLS_SUPERSEDED, &later, &failure) == 0);
	assert(tls_ca_renew_crl(ca, &later, &failure) == 0);
	assert(judge(ca, one.certificate, CLIENT, later.now) == X509_V_ERR_CERT_REVOKED);
	assert(judge(ca, other.certificate, CLIENT, NOW + 40 * DAY) == X509_V_OK);
	assert(tls_crl_count(tls_ca_crl(ca)) == 1);
	assert(tls_crl_has((X509_CRL *)tls_ca_crl(ca), serials[0], &why));
	assert(why.reason == TLS_KEY_COMPROMISE && why.at == NOW);
	assert(tls_ca_list(ca, &list, &failure) == 0 && list.n == 4);
	assert(row_of(&list, one.serial)->is_revoked && !row_of(&list, other.serial)->is_revoked);
	tls_issued_list_fini(&list);
	tls_issued_fini(&one);
	tls_issued_fini(&other);
	tls_ca_free(ca);
}

/* A list that is signed within the same second, or by a clock that was set back, is a newer one all the same. */
static void test_numbers(void)
{
	const struct tls_terms before = {NOW - 300 * DAY, TLS_CRL_DAYS};
	struct tls_ca *ca = open_ca();
	int64_t last = 0;

	for (int i = 0; i < 3; i++) {
		struct failure failure;
		ASN1_INTEGER *number;
		int64_t value;

		assert(tls_ca_renew_crl(ca, i == 2 ? &before : &crl_terms, &failure) == 0);
		number = X509_CRL_get_ext_d2i(tls_ca_crl(ca), NID_crl_number, NULL, NULL);
		assert(ASN1_INTEGER_get_int64(&value, number) == 1 && value > last);
		last = value;
		ASN1_INTEGER_free(number);
	}
	tls_ca_free(ca);
}

/* Two at once: each waits for the other, and nobody's work is lost. */
#define AT_ONCE 4

static void work_at_once(void)
{
	for (int i = 0; i < 3; i++) {
		struct tls_ca *ca = open_ca();
		struct tls_issued issued = issue(ca, &lud, &terms);
		const ASN1_INTEGER *serial = X509_get0_serialNumber(issued.certificate);
		struct failure failure;

		assert(tls_ca_revoke(ca, &serial, 1, TLS_CESSATION, &crl_terms, &failure) == 0);
		tls_issued_fini(&issued);
		tls_ca_free(ca);
	}
}

static void test_at_once(void)
{
	struct tls_ca *ca = open_ca();
	size_t before = tls_crl_count(tls_ca_crl(ca));
	pid_t pids[AT_ONCE];

	tls_ca_free(ca);
	for (int i = 0; i < AT_ONCE; i++) {
		pids[i] = fork();
		assert(pids[i] >= 0);
		if (pids[i] == 0) {
			work_at_once();
			_exit(0);
		}
	}
	for (int i = 0; i < AT_ONCE; i++) {
		int status;

		assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	}
	ca = open_ca();
	assert(tls_crl_count(tls_ca_crl(ca)) == before + 3 * AT_ONCE);
	tls_ca_free(ca);
}

static void test_busy(void)
{
	struct tls_ca *ca = open_ca();
	struct failure failure;
	int fd = -1;

	assert(tls_dir_lock(dir, 50, &fd, &failure) == -EBUSY && fd == -1);
	place_failed(&failure, dir, "another luctl works in it");
	tls_ca_free(ca);
	assert(tls_dir_lock(dir, 0, &fd, &failure) == 0);
	close(fd);
}

/* A file as it was, or gone, while something is tried. */
static int open_without(const char *name, const char *text, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = text_format("%s/%s", dir, name);
	_cleanup_(freep) char *aside = text_format("%s.aside", path);
	struct tls_ca *ca = NULL;
	int r;

	assert(rename(path, aside) == 0);
	if (text) {
		place_write(path, text, 0600);
	}
	r = tls_ca_open(dir, &ca, ret_failure);
	if (r == 0) {
		r = tls_ca_renew_crl(ca, &crl_terms, ret_failure);
	}
	tls_ca_free(ca);
	assert(rename(aside, path) == 0);
	return r;
}

static void test_damage(void)
{
	_cleanup_(freep) char *crt = text_format("%s/ca.crt", dir);
	_cleanup_(freep) char *crl = text_format("%s/ca.crl", dir);
	_cleanup_(freep) char *key = text_format("%s/ca.key", dir);
	_cleanup_(freep) char *other = place_path("other.key");
	_cleanup_(freep) char *leaf = NULL;
	_cleanup_(freep) char *text = NULL;
	struct tls_ca *ca = open_ca();
	struct tls_issued issued = issue(ca, &alice, &terms);
	struct failure failure;
	EVP_PKEY *drawn;

	tls_ca_free(ca);
	assert(open_without("ca.crt", NULL, &failure) == -ENOENT);
	place_failed(&failure, dir, "there is no CA");
	assert(open_without("ca.crt", "x", &failure) == -EBADMSG);
	place_failed(&failure, crt, "no certificate");
	leaf = place_read(issued.path);
	assert(open_without("ca.crt", leaf, &failure) == -EBADMSG);
	place_failed(&failure, crt, "not the certificate of a CA");
	assert(open_without("ca.crl", NULL, &failure) == -ENOENT);
	place_failed(&failure, crl, "it is missing, and with it who was revoked");
	assert(open_without("ca.crl", "x", &failure) == -EBADMSG);
	place_failed(&failure, crl, "no list of revoked certificates that this CA has signed");
	assert(open_without("ca.key", NULL, &failure) == -ENOENT);
	place_failed(&failure, key, "not there");
	assert(tls_key_new(&drawn, &failure) == 0 && tls_key_save(other, drawn, &failure) == 0);
	text = place_read(other);
	assert(open_without("ca.key", text, &failure) == -EBADMSG);
	place_failed(&failure, key, "not the key of the CA's certificate");
	assert(chmod(key, 0640) == 0);
	ca = open_ca();
	assert(tls_ca_renew_crl(ca, &crl_terms, &failure) == -EPERM);
	place_failed(&failure, key, "others could have read it");
	tls_ca_free(ca);
	assert(chmod(key, 0600) == 0 && chmod(dir, 0770) == 0);
	assert(tls_ca_open(dir, &ca, &failure) == -EPERM);
	place_failed(&failure, dir, "others may write to it");
	assert(chmod(dir, 0700) == 0);
	EVP_PKEY_free(drawn);
	tls_issued_fini(&issued);
}

/* Another CA's list, and one of which a byte was changed, revoke nobody and forgive nobody. */
static void test_other_list(void)
{
	_cleanup_(freep) char *other = place_path("other");
	_cleanup_(freep) char *path = place_path("other/ca.crl");
	_cleanup_(freep) char *text = NULL;
	struct failure failure;

	assert(tls_ca_create(other, &ca_terms, &failure) == 0);
	text = place_read(path);
	assert(open_without("ca.crl", text, &failure) == -EBADMSG);
}

/* What lies in issued/ and is none of this CA's is said, and hides nothing else. */
static void test_foreign_rows(void)
{
	_cleanup_(freep) char *junk = text_format("%s/issued/junk", dir);
	_cleanup_(freep) char *renamed = text_format("%s/issued/00.crt", dir);
	_cleanup_(freep) char *unfinished = text_format("%s/issued/01.crt.new", dir);
	struct tls_ca *ca = open_ca();
	struct tls_issued issued = issue(ca, &alice, &terms);
	struct tls_issued_list list;
	struct failure failure;
	size_t damaged = 0, n;

	assert(tls_ca_list(ca, &list, &failure) == 0);
	n = list.n;
	tls_issued_list_fini(&list);
	place_write(junk, "x", 0644);
	place_write(unfinished, "x", 0644);
	assert(tls_certificate_write(renamed, issued.certificate, &failure) == 0);
	assert(tls_ca_list(ca, &list, &failure) == 0 && list.n == n + 2);
	for (size_t i = 0; i < list.n; i++) {
		damaged += !list.rows[i].certificate;
	}
	assert(damaged == 2 && !list.rows[list.n - 1].certificate);
	assert(row_of(&list, issued.serial)->certificate);
	tls_issued_list_fini(&list);
	tls_issued_fini(&issued);
	tls_ca_free(ca);
}

/* A create that was killed before the certificate was there is done again, with the key that it had made. */
static void test_create_again(void)
{
	_cleanup_(freep) char *other = place_path("again");
	_cleanup_(freep) char *crt = place_path("again/ca.crt");
	_cleanup_(freep) char *path = place_path("again/ca.key");
	_cleanup_(freep) char *before = NULL;
	_cleanup_(freep) char *after = NULL;
	struct failure failure;

	assert(tls_ca_create(other, &ca_terms, &failure) == 0);
	before = place_read(path);
	assert(unlink(crt) == 0 && tls_ca_create(other, &ca_terms, &failure) == 0);
	after = place_read(path);
	assert(!strcmp(before, after));
}

/* What it issues today is what an end of a connection starts with. */
static void test_context(void)
{
	_cleanup_(freep) char *ca_path = text_format("%s/ca.crt", dir);
	_cleanup_(freep) char *crl_path = text_format("%s/ca.crl", dir);
	_cleanup_(freep) char *key_path = place_path("end.key");
	const struct tls_terms today = {time(NULL), TLS_CERTIFICATE_DAYS};
	struct tls_ca *ca;
	struct tls_issued user, host;
	struct tls_files files = {ca_path, crl_path, NULL, key_path};
	struct failure failure;
	SSL_CTX *context;
	EVP_PKEY *key;

	assert(dir_remove(dir) == 0 && tls_ca_create(dir, &today, &failure) == 0);
	ca = open_ca();
	assert(tls_key_new(&key, &failure) == 0 && tls_key_save(key_path, key, &failure) == 0);
	assert(tls_ca_issue(ca, &alice, key, &today, &user, &failure) == 0);
	assert(tls_ca_issue(ca, &lud, key, &today, &host, &failure) == 0);
	files.certificate = user.path;
	assert(tls_client_context(&files, &context, &failure) == 0);
	SSL_CTX_free(context);
	assert(tls_server_context(&files, &context, &failure) == -EKEYREJECTED);
	files.certificate = host.path;
	assert(tls_server_context(&files, &context, &failure) == 0);
	SSL_CTX_free(context);
	tls_issued_fini(&user);
	tls_issued_fini(&host);
	EVP_PKEY_free(key);
	tls_ca_free(ca);
}

static void test_standing(void)
{
	static const struct {
		int64_t to, now;
		enum tls_standing standing;
	} cases[] = {
	        {90 * DAY, 0, TLS_GOOD},
	        {90 * DAY, 60 * DAY, TLS_GOOD},
	        {90 * DAY, 60 * DAY + 1, TLS_SOON},
	        {90 * DAY, 90 * DAY, TLS_SOON},
	        {90 * DAY, 90 * DAY + 1, TLS_EXPIRED},
	        {90 * DAY, -1, TLS_NOT_YET},
	        {3650 * DAY, 3650 * DAY - 183 * DAY, TLS_GOOD},
	        {3650 * DAY, 3650 * DAY - 182 * DAY, TLS_SOON},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tls_life life = {0, cases[i].to};

		assert(tls_life_standing(&life, cases[i].now) == cases[i].standing);
	}
	assert(!strcmp(tls_standing_name(TLS_SOON), "soon"));
	assert(tls_reason_find(tls_reason_name(TLS_CESSATION)) == TLS_CESSATION);
	assert(tls_reason_find("") == _TLS_REASON_N);
}

/* A disk that is full is told of at the last fsync as well, when the file is in its place. */
static void test_full(void)
{
	static const int errors[] = {-ENOSPC, -EDQUOT};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct failure failure = {0};

		assert(tls_fail_file(&failure, "ca.crt", "cannot be written", errors[i]) ==
		        errors[i]);
		err_forget();
		assert(strstr(failure.cause, "full") && strstr(failure.remedy, "make room"));
		assert(!strstr(failure.remedy, "nothing was changed"));
	}
}

int main(void)
{
	char *path;

	(void)place_new();
	path = place_path("ca");
	dir = path;
	test_create();
	test_issue();
	test_lives();
	test_revoke();
	test_numbers();
	test_at_once();
	test_busy();
	test_damage();
	test_other_list();
	test_foreign_rows();
	test_create_again();
	test_context();
	test_standing();
	test_full();
	place_end();
	free(path);
	return 0;
}
