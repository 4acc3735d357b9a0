/*
 * Certificates for connections, with a CA of one's own. Keys are made where they are used; what is carried from host to
 * host are requests and certificates, which are no secrets:
 *
 *     where it is used            where the CA is
 *
 *                                 init      ca.key  ca.crt  ca.crl
 *     request  NAME.key  NAME.req  ->
 *                                 issue     issued/SERIAL.crt
 *                              <-           NAME.crt  (with ca.crt and ca.crl)
 *                                 renew     the next NAME.crt, for the same key
 *
 * Who somebody is, is decided by whoever runs issue, and by the name on that command line: a request is a
 * file that came from somewhere. cert_list.c has what happens afterwards.
 *
 * All that is written is written by host/tls, which also says what went wrong and what would help; here
 * it is only told. What was issued is kept by the CA before it is told, so that a command that is
 * interrupted has at worst issued something that nobody has carried away: `luctl cert list` shows it.
 */
#include "ctl/cmd/cert.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/base/text.h"
#include "ctl/client/place.h"
#include "ctl/cmd/cmd.h"
#include "host/tls/dir.h"
#include "host/tls/key.h"
#include "host/tls/request.h"

/* For the cleanup attribute. */
static void cert_key_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

/*
 * By its kind: a file that is not there, a command line that asks for what cannot be, something that is not to be
 * trusted; else it was the disk, or another luctl that works here.
 */
int cert_fail(int error, const struct failure *failure)
{
	enum ctl_exit code = CTL_FAILED;

	switch (-error) {
	case ENOENT:
		code = CTL_NOT_FOUND;
		break;
	case EINVAL:
		code = CTL_USAGE;
		break;
	case EEXIST:
	case EPERM:
	case EACCES:
	case ELOOP:
	case EBADMSG:
		code = CTL_TRUST;
		break;
	}
	return ctl_fail(code, failure->place, failure->remedy, "%s", failure->cause);
}

char *cert_ca_dir(const struct options *options)
{
	return options->ca ? ctl_format("%s", options->ca) : place_ca();
}

void cert_ca_freep(struct tls_ca **ca)
{
	*ca = tls_ca_free(*ca);
}

int cert_ca_open(const struct options *options, struct tls_ca **ret_ca)
{
	_cleanup_(ctl_freep) char *dir = cert_ca_dir(options);
	struct failure failure;
	int r = tls_ca_open(dir, ret_ca, &failure);

	return r < 0 ? cert_fail(r, &failure) : CTL_OK;
}

int cert_terms(const struct options *options, unsigned int days, struct tls_terms *ret_terms)
{
	if (options->days > TLS_DAYS_MAX) {
		return ctl_fail(CTL_USAGE, "--days", "give a number of days up to 7300",
		        "%" PRIu64 " days are too many", options->days);
	}
	ret_terms->now = time(NULL);
	ret_terms->days = options->days ? (unsigned int)options->days : days;
	return CTL_OK;
}

int cert_identity(const char *text, struct tls_identity *ret_identity)
{
	if (tls_identity_read(text, ret_identity) == 0) {
		return CTL_OK;
	}
	return ctl_fail(CTL_USAGE, text,
	        "give user/NAME for who asks, host/NAME for a host where lud listens: small "
	        "letters, "
	        "digits, '.', '_' and '-', 63 at most",
	        "it is not the name of a user or a host");
}

bool cert_is_of(const struct tls_issued *issued, const struct tls_identity *who)
{
	return issued->certificate && issued->who.kind == who->kind &&
	       !strcmp(issued->who.name, who->name);
}

const struct tls_issued *cert_newest(
        const struct tls_issued_list *list, const struct tls_identity *who)
{
	const struct tls_issued *found = NULL;

	for (size_t i = 0; i < list->n; i++) {
		if (cert_is_of(&list->rows[i], who) && !list->rows[i].is_revoked) {
			found = &list->rows[i];
		}
	}
	return found;
}

/*
 * A CA: its key, its certificate, and the first list, which revokes nobody. What others need of it is the certificate
 * and the list.
 */
int cmd_cert_init(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = cert_ca_dir(options);
	struct tls_terms terms;
	struct failure failure;
	int code = cert_terms(options, TLS_CA_DAYS, &terms);
	char until[TEXT_SIZE];
	int64_t end;
	int r;

	if (code != CTL_OK) {
		return code;
	}
	r = tls_ca_create(dir, &terms, &failure);
	if (r < 0) {
		return cert_fail(r, &failure);
	}
	end = terms.now + (int64_t)terms.days * TLS_DAY_SEC;
	if (options->json) {
		answer_add(json_pack("{s:s, s:I}", "ca", dir, "not_after", (json_int_t)end));
	} else {
		printf("%s: made a CA, valid until %s\n", dir, text_seconds(end, until));
		printf("Its key, ca.key, stays here. Each host that is to believe it gets ca.crt, "
		       "and "
		       "ca.crl anew\nwithin %u days: `luctl cert crl` signs the next one.\n",
		        TLS_CRL_DAYS);
	}
	return CTL_OK;
}

/* The key that is there, or a new one. What is there for another name must not be taken for this one's. */
static int cert_request_key(
        const char *path, EVP_PKEY **ret_key, bool *ret_made, struct failure *failure)
{
	int r;

	*ret_made = access(path, F_OK) != 0;
	if (!*ret_made) {
		return tls_key_read(path, ret_key, failure);
	}
	r = tls_key_new(ret_key, failure);
	return r == 0 ? tls_key_save(path, *ret_key, failure) : r;
}

/* user/lud and host/lud would have the same files. */
static int cert_request_check(
        const char *path, const struct tls_identity *who, struct failure *ret_failure)
{
	struct tls_identity other;

	if (access(path, F_OK) != 0 || tls_request_name(path, &other, ret_failure) < 0 ||
	        other.kind == who->kind) {
		return 0;
	}
	failure_set(ret_failure, "exists", path, "name another directory with --dir",
	        "it is the request of a %s of this name", tls_kind_name(other.kind));
	return -EEXIST;
}

/*
 * Key and request, with the directory locked, so that of two at once for one name the second takes the key of the
 * first. A request that is there is written over: it was one for this key or for none.
 */
static int cert_request_make(const char *dir, const struct tls_identity *who, const char *path,
        const char *key_path, bool *ret_made)
{
	_cleanup_(cert_key_freep) EVP_PKEY *key = NULL;
	struct failure failure;
	int fd = -1;
	int r = tls_dir_lock(dir, TLS_DIR_WAIT_MSEC, &fd, &failure);

	if (r == 0) {
		r = cert_request_check(path, who, &failure);
	}
	if (r == 0) {
		r = cert_request_key(key_path, &key, ret_made, &failure);
	}
	if (r == 0) {
		r = tls_request_write(path, who, key, &failure);
	}
	if (fd >= 0) {
		close(fd);
	}
	return r < 0 ? cert_fail(r, &failure) : CTL_OK;
}

/* The caller frees. */
static char *cert_request_path(
        const struct options *options, const struct tls_identity *who, const char *ending)
{
	return ctl_format("%s%s%s.%s", options->dir ? options->dir : "", options->dir ? "/" : "",
	        who->name, ending);
}

/* On the host that will use it: the key stays, the request is carried to the CA. */
int cmd_cert_request(const struct options *options)
{
	_cleanup_(ctl_freep) char *path = NULL;
	_cleanup_(ctl_freep) char *key_path = NULL;
	char name[TLS_IDENTITY_SIZE];
	struct tls_identity who;
	int code = cert_identity(options->args[0], &who);
	bool made = false;

	if (code != CTL_OK) {
		return code;
	}
	path = cert_request_path(options, &who, "req");
	key_path = cert_request_path(options, &who, "key");
	code = cert_request_make(options->dir ? options->dir : ".", &who, path, key_path, &made);
	if (code != CTL_OK) {
		return code;
	}
	tls_identity_print(&who, name);
	if (options->json) {
		answer_add(json_pack("{s:s, s:s, s:s, s:b}", "identity", name, "key", key_path,
		        "request", path, "made_key", made));
		return CTL_OK;
	}
	printf("%s: %s\n", key_path, made ? "made a key" : "it is the key that was there");
	printf("%s: asks for %s\n", path, name);
	printf("The key stays here. Take the request to where the CA is: `luctl cert issue %s/%s "
	       "%s.req`\n",
	        tls_kind_name(who.kind), who.name, who.name);
	return CTL_OK;
}

/*
 * Where the certificate is put for whoever carries it away, beside the CA's own copy. One that is there is written
 * over, whole: it is most often the one that this one follows. If it cannot be written the command fails, and says
 * that the certificate is issued all the same.
 */
static int cert_put(const struct options *options, const struct tls_issued *issued, char **ret_path)
{
	struct failure failure;
	int r;

	*ret_path = options->out ? ctl_format("%s", options->out)
	                         : ctl_format("%s.crt", issued->who.name);
	r = tls_certificate_write(*ret_path, issued->certificate, &failure);
	if (r < 0) {
		(void)cert_fail(r, &failure);
		return ctl_fail(CTL_FAILED, issued->path, "copy it from there",
		        "the certificate is issued, and is here alone");
	}
	return CTL_OK;
}

/* What was issued, and the numbers of those that were revoked for it (taken): none of them is told if it cannot be put. */
static int cert_show(
        const struct options *options, const struct tls_issued *issued, json_t *revoked)
{
	_cleanup_(ctl_freep) char *path = NULL;
	char name[TLS_IDENTITY_SIZE], until[TEXT_SIZE];
	int code = cert_put(options, issued, &path);

	tls_identity_print(&issued->who, name);
	if (code == CTL_OK && options->json) {
		answer_add(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:O}", "identity", name,
		        "serial", issued->serial, "certificate", path, "issued", issued->path,
		        "not_before", (json_int_t)issued->life.from, "not_after",
		        (json_int_t)issued->life.to, "revoked", revoked));
	} else if (code == CTL_OK) {
		printf("%s: issued %s, valid until %s\n", name, issued->serial,
		        text_seconds(issued->life.to, until));
		printf("%s: take it to where the key is, with ca.crt and ca.crl of the CA\n", path);
	}
	json_decref(revoked);
	return code;
}

/* The name is that of the command line; of the request nothing counts but its key, and that it asks for no other. */
int cmd_cert_issue(const struct options *options)
{
	_cleanup_(cert_ca_freep) struct tls_ca *ca = NULL;
	_cleanup_(cert_key_freep) EVP_PKEY *key = NULL;
	_cleanup_(tls_issued_fini) struct tls_issued issued = {.path = NULL};
	struct tls_identity who;
	struct tls_terms terms;
	struct failure failure;
	int code = cert_identity(options->args[0], &who);
	int r;

	if (code == CTL_OK) {
		code = cert_terms(options, TLS_CERTIFICATE_DAYS, &terms);
	}
	if (code == CTL_OK) {
		code = cert_ca_open(options, &ca);
	}
	if (code != CTL_OK) {
		return code;
	}
	r = tls_request_read(options->args[1], &who, &key, &failure);
	if (r == 0) {
		r = tls_ca_issue(ca, &who, key, &terms, &issued, &failure);
	}
	return r < 0 ? cert_fail(r, &failure) : cert_show(options, &issued, json_array());
}

/* All of a name but one. *ret_revoked: their numbers. */
static int cert_renew_revoke(struct tls_ca *ca, const struct tls_issued_list *list,
        const struct tls_issued *kept, json_t *ret_revoked, struct failure *ret_failure)
{
	_cleanup_(ctl_freep) const ASN1_INTEGER **serials =
	        ctl_zero((list->n + 1) * sizeof(*serials));
	const struct tls_terms terms = {time(NULL), TLS_CRL_DAYS};
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (cert_is_of(&list->rows[i], &kept->who) && !list->rows[i].is_revoked) {
			serials[n++] = X509_get0_serialNumber(list->rows[i].certificate);
			json_array_append_new(ret_revoked, json_string(list->rows[i].serial));
		}
	}
	return tls_ca_revoke(ca, serials, n, TLS_SUPERSEDED, &terms, ret_failure);
}

/* Issued before the earlier ones are revoked: who is interrupted in between has both, and not none. */
static int cert_renew_in(struct tls_ca *ca, const struct options *options,
        const struct tls_identity *who, const struct tls_terms *terms)
{
	_cleanup_(tls_issued_list_fini) struct tls_issued_list list = {NULL, 0};
	_cleanup_(tls_issued_fini) struct tls_issued issued = {.path = NULL};
	const struct tls_issued *last;
	struct failure failure;
	json_t *revoked = json_array();
	int r = tls_ca_list(ca, &list, &failure);

	last = r == 0 ? cert_newest(&list, who) : NULL;
	if (r == 0 && !last) {
		json_decref(revoked);
		return ctl_fail(CTL_NOT_FOUND, options->args[0],
		        "`luctl cert list` shows what there is; a new request is signed with "
		        "`luctl cert issue`",
		        "it has no certificate that is not revoked");
	}
	if (r == 0) {
		r = tls_ca_issue(
		        ca, who, X509_get0_pubkey(last->certificate), terms, &issued, &failure);
	}
	if (r == 0 && options->revoke) {
		r = cert_renew_revoke(ca, &list, &issued, revoked, &failure);
	}
	if (r < 0) {
		json_decref(revoked);
		return cert_fail(r, &failure);
	}
	return cert_show(options, &issued, revoked);
}

/* For the same name and the same key, so that nothing but the certificate has to be carried. */
int cmd_cert_renew(const struct options *options)
{
	_cleanup_(cert_ca_freep) struct tls_ca *ca = NULL;
	struct tls_identity who;
	struct tls_terms terms;
	int code = cert_identity(options->args[0], &who);

	if (code == CTL_OK) {
		code = cert_terms(options, TLS_CERTIFICATE_DAYS, &terms);
	}
	if (code == CTL_OK) {
		code = cert_ca_open(options, &ca);
	}
	return code == CTL_OK ? cert_renew_in(ca, options, &who, &terms) : code;
}
