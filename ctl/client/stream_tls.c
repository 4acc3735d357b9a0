/*
 * TLS over a descriptor that never blocks. What is a good certificate is said by host/tls; this file moves the bytes, and
 * finds words for what went wrong.
 *
 * In TLS 1.3 a client is done with the handshake before the server has looked at its certificate: that lud does not let this
 * one in comes as an alert, at the first read, or behind a write that failed. So both ask the same words.
 */
#include "ctl/client/stream_tls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "ctl/base/base.h"
#include "ctl/client/resolve.h"
#include "ctl/client/stream_kind.h"
#include "ctl/client/wait.h"
#include "host/tls/context.h"

/* How long names, connections and the handshake may take, also of several tries where one breaks off. */
#define TLS_OPEN_MSEC 10000
#define TLS_OPEN_TRIES 3u
/* But no longer than the person waits, and this at least: a lud that answers can still say where its job is. */
#define TLS_OPEN_LEAST_MSEC 1000
#define TLS_OPEN_PAUSE_MSEC 100
/* Inside, no exit code: the connection broke off in the handshake, which is not told yet. */
#define TLS_BROKEN (-1)

struct stream_tls {
	struct stream stream;
	SSL_CTX *context;
	SSL *ssl;
	int open_msec; /* that opening may take */
};

/* OpenSSL writes as if no connection ever broke: for as long as it does, the signal of one that did is not wanted. */
typedef void (*tls_handler_fn)(int);

static void tls_pipe_restore(const tls_handler_fn *handler)
{
	(void)signal(SIGPIPE, *handler);
}

#define TLS_WITHOUT_SIGPIPE                                                                        \
	_cleanup_(tls_pipe_restore) const tls_handler_fn pipe_handler = signal(SIGPIPE, SIG_IGN)

/* What lud may have against this end, by the alerts of RFC 8446. */
static const struct {
	int alert;
	const char *why;
	const char *remedy;
} tls_alerts[] = {
        {SSL_AD_CERTIFICATE_REVOKED, "lud's CA has revoked the certificate of this end",
                "have another one issued, with a key of its own"},
        {SSL_AD_CERTIFICATE_EXPIRED, "lud takes the certificate of this end for expired",
                "compare the clocks of both hosts; else have it renewed"},
        {SSL_AD_UNKNOWN_CA, "lud does not know the CA that the certificate of this end is of",
                "have one issued by the CA that lud is configured with"},
        {SSL_AD_ACCESS_DENIED, "lud does not let this identity in",
                "have an admin of lud give it a role"},
        {SSL_AD_CERTIFICATE_REQUIRED, "lud has seen no certificate of this end",
                "name one of this CA in the hosts file"},
        {SSL_AD_BAD_CERTIFICATE, "lud does not take the certificate of this end",
                "lud's log says why"},
        {SSL_AD_UNSUPPORTED_CERTIFICATE, "lud does not take the certificate of this end",
                "name one for a user (clientAuth); lud's log says why"},
        {SSL_AD_CERTIFICATE_UNKNOWN, "lud does not take the certificate of this end",
                "lud's log says why"},
        {SSL_AD_NO_APPLICATION_PROTOCOL, "it does not speak " TLS_PROTOCOL,
                "see whether lud listens at this address, and is of a version that fits"},
        {SSL_AD_PROTOCOL_VERSION, "it has no TLS 1.3", "see whether lud listens at this address"},
        {SSL_AD_HANDSHAKE_FAILURE, "it has no cipher or group in common with luctl",
                "see whether lud listens at this address"},
};

/* CTL_TRUST, CTL_UNREACHABLE: which of both it is, with the words in ->why and ->remedy. Empties OpenSSL's queue. */
static void tls_say(struct stream_tls *tls, const char *broken)
{
	unsigned long error = ERR_peek_error();
	int alert = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET
	                                              : -1;
	bool is_ssl = ERR_GET_LIB(error) == ERR_LIB_SSL &&
	              ERR_GET_REASON(error) != SSL_R_UNEXPECTED_EOF_WHILE_READING;
	struct stream *stream = &tls->stream;

	snprintf(stream->why, sizeof(stream->why), "%s", broken);
	stream->remedy = "";
	stream->is_final = false;
	for (size_t i = 0; i < sizeof(tls_alerts) / sizeof(tls_alerts[0]); i++) {
		if (alert == tls_alerts[i].alert) {
			snprintf(stream->why, sizeof(stream->why), "%s", tls_alerts[i].why);
			stream->remedy = tls_alerts[i].remedy;
			stream->is_final = true;
		}
	}
	if (is_ssl && !stream->is_final) {
		snprintf(stream->why, sizeof(stream->why), "TLS: %s", tls_verify_error(tls->ssl));
		stream->is_final = true;
	}
	ERR_clear_error();
}

/* What a call of OpenSSL's that did not succeed means: 0: not now; -1: over, and it was said why. */
static ssize_t tls_result(struct stream_tls *tls, int result, const char *broken)
{
	int saved = errno;

	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		tls->stream.wants = POLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		tls->stream.wants = POLLOUT;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		broken = "lud closed the connection";
		break;
	case SSL_ERROR_SYSCALL:
		broken = saved == ECONNRESET || saved == EPIPE || !saved ? broken : strerror(saved);
		break;
	default:
		break;
	}
	tls_say(tls, broken);
	return -1;
}

static ssize_t tls_read(struct stream *stream, void *bytes, size_t room)
{
	TLS_WITHOUT_SIGPIPE;
	struct stream_tls *tls = (struct stream_tls *)stream;
	size_t n;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(tls->ssl, bytes, room, &n);
	return r > 0 ? (ssize_t)n : tls_result(tls, r, "the connection broke off");
}

/* An alert that lud sent before it closed the connection is still to be read. */
static ssize_t tls_write(struct stream *stream, const void *bytes, size_t len)
{
	TLS_WITHOUT_SIGPIPE;
	struct stream_tls *tls = (struct stream_tls *)stream;
	char rest[512];
	ssize_t result;
	size_t n;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(tls->ssl, bytes, len, &n);
	if (r > 0) {
		return (ssize_t)n;
	}
	result = tls_result(tls, r, "the connection broke off");
	if (result < 0 && !stream->is_final) {
		while (tls_read(stream, rest, sizeof(rest)) > 0) {
		}
	}
	return result;
}

static bool tls_has_more(const struct stream *stream)
{
	return SSL_has_pending(((const struct stream_tls *)stream)->ssl);
}

/* Says goodbye where that costs no wait. */
static void tls_close(struct stream *stream)
{
	TLS_WITHOUT_SIGPIPE;
	struct stream_tls *tls = (struct stream_tls *)stream;

	if (tls->ssl && SSL_is_init_finished(tls->ssl)) {
		(void)SSL_shutdown(tls->ssl);
	}
	SSL_free(tls->ssl);
	tls_context_freep(&tls->context);
	ERR_clear_error();
}

static const struct stream_kind stream_tls = {
        .read = tls_read, .write = tls_write, .has_more = tls_has_more, .close = tls_close};

/* What this end shows and trusts; CTL_TRUST, told: a file is not what it is to be. */
static int tls_read_files(const struct hosts_entry *host, SSL_CTX **ret_context)
{
	const struct tls_files files = {.ca = host->values[HOSTS_CA],
	        .crl = host->values[HOSTS_CRL],
	        .certificate = host->values[HOSTS_CERTIFICATE],
	        .key = host->values[HOSTS_KEY]};
	struct failure failure = {0};

	return tls_client_context(&files, ret_context, &failure) == 0
	               ? CTL_OK
	               : ctl_fail(CTL_TRUST, failure.place, failure.remedy, "%s", failure.cause);
}

int stream_check_tls(const struct hosts_entry *host)
{
	_cleanup_(tls_context_freep) SSL_CTX *context = NULL;

	return tls_read_files(host, &context);
}

/* The name in the certificate that this end shows, as lud calls it. */
static void tls_name_self(struct stream_tls *tls)
{
	struct tls_identity self;

	if (tls_identity_of(SSL_CTX_get0_certificate(tls->context), &self) == 0) {
		snprintf(tls->stream.self, sizeof(tls->stream.self), "%s/%s",
		        tls_kind_name(self.kind), self.name);
	}
}

static void tls_make(struct stream_tls *tls, const struct hosts_entry *host)
{
	struct tls_identity expected;

	SSL_free(tls->ssl);
	tls->ssl = SSL_new(tls->context);
	if (!tls->ssl || tls_identity_parse(host->values[HOSTS_IDENTITY], &expected) != 0 ||
	        tls_expect(tls->ssl, expected.name) < 0) {
		abort();
	}
	SSL_set_connect_state(tls->ssl);
}

/* What was wrong with the server, or with this end as the server sees it. */
static int tls_refused(struct stream_tls *tls, const struct hosts_entry *host)
{
	struct stream *stream = &tls->stream;
	_cleanup_(ctl_freep) char *remedy = NULL;

	if (*stream->remedy) {
		remedy = ctl_format("%s", stream->remedy);
	} else if (SSL_get_verify_result(tls->ssl) != X509_V_OK) {
		remedy = ctl_format(
		        "it has to be %s, by the CA in %s (%s:%zu); if it is, see to its "
		        "certificate",
		        host->values[HOSTS_IDENTITY], host->values[HOSTS_CA], host->file,
		        host->line);
	} else {
		remedy = ctl_format("lud's log says why, if it listens at %s; for instance "
		                    "that this name has no role there",
		        host->values[HOSTS_ADDRESS]);
	}
	return ctl_fail(stream->is_final ? CTL_TRUST : CTL_UNREACHABLE, stream->name, remedy, "%s",
	        stream->why);
}

static int tls_handshake(struct stream_tls *tls, const struct hosts_entry *host, int64_t until)
{
	TLS_WITHOUT_SIGPIPE;
	struct tls_identity peer;
	ssize_t result;
	int r;

	do {
		ERR_clear_error();
		errno = 0;
		r = SSL_do_handshake(tls->ssl);
		if (r == 1) {
			break;
		}
		result = tls_result(tls, r, "the connection broke off in the handshake");
		if (result < 0) {
			return tls->stream.is_final ? tls_refused(tls, host) : TLS_BROKEN;
		}
		r = resolve_wait(tls->stream.fd, tls->stream.wants, until);
		if (r < 0) {
			return ctl_fail(CTL_INTERRUPTED, tls->stream.name, "",
			        "interrupted before lud was asked");
		}
	} while (r > 0);
	if (r == 0) {
		return ctl_fail(CTL_UNREACHABLE, tls->stream.name,
		        "see whether lud listens at this address, and not something else",
		        "the handshake was not over after %g s", tls->open_msec / 1000.0);
	}
	if (tls_connected(tls->ssl, &peer) < 0) {
		return ctl_fail(CTL_TRUST, tls->stream.name, "see who answers at this address",
		        "the handshake ended in a way in which lud's does not");
	}
	return CTL_OK;
}

/* One try. */
static int tls_begin(struct stream_tls *tls, const struct hosts_entry *host, int64_t until)
{
	_cleanup_(ctl_freep) char *name = NULL;
	_cleanup_(ctl_freep) char *port = NULL;
	int code;

	if (!hosts_address(host->values[HOSTS_ADDRESS], &name, &port)) {
		abort(); /* the hosts file has no such value */
	}
	tls_make(tls, host);
	if (tls->stream.fd >= 0) {
		close(tls->stream.fd);
		tls->stream.fd = -1;
	}
	code = resolve_connect(tls->stream.name, name, port, until, &tls->stream.fd);
	if (code != CTL_OK) {
		return code;
	}
	if (SSL_set_fd(tls->ssl, tls->stream.fd) != 1) {
		abort();
	}
	return tls_handshake(tls, host, until);
}

/* A connection that broke off may have been bad luck, or one too many for a lud that is busy. */
static int tls_open(struct stream_tls *tls, const struct hosts_entry *host)
{
	int left = wait_left_msec(TLS_OPEN_MSEC);
	int64_t until;
	int code;

	tls->open_msec = left > TLS_OPEN_LEAST_MSEC ? left : TLS_OPEN_LEAST_MSEC;
	until = wait_now_msec() + tls->open_msec;
	code = tls_begin(tls, host, until);
	for (unsigned int n = 1; code == TLS_BROKEN && n < TLS_OPEN_TRIES; n++) {
		(void)poll(NULL, 0, TLS_OPEN_PAUSE_MSEC);
		code = tls_begin(tls, host, until);
	}
	return code == TLS_BROKEN ? tls_refused(tls, host) : code;
}

int stream_open_tls(const struct hosts_entry *host, struct stream **ret_stream)
{
	_cleanup_(stream_closep) struct stream *stream = ctl_zero(sizeof(struct stream_tls));
	struct stream_tls *tls = (struct stream_tls *)stream;
	int code;

	stream->kind = &stream_tls;
	stream->fd = -1;
	stream->remedy = "";
	stream->name = ctl_format("%s (%s)", host->name, host->values[HOSTS_ADDRESS]);
	code = tls_read_files(host, &tls->context);
	if (code == CTL_OK) {
		tls_name_self(tls);
		code = tls_open(tls, host);
	}
	if (code == CTL_OK) {
		stream->wants = POLLIN;
		*ret_stream = stream;
		stream = NULL;
	}
	return code;
}
