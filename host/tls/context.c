/*
 * The rules of a connection, and both ends' contexts made by them. What can be refused is refused inside the
 * handshake, so that no end believes itself connected while the other one does not: a client's Hello without our
 * protocol, or with early data, before anything is computed for it; a certificate in verify.c.
 *
 * A session that is resumed would not show its certificate again, and so outlive a revocation. That takes the
 * server three settings: no cache, no tickets of TLS 1.2's kind, and none of 1.3's.
 */
#include "host/tls/context.h"

#include <errno.h>

#include <openssl/err.h>

#include "host/base/err.h"
#include "host/tls/priv.h"

/* As ALPN writes it: a length, and so many bytes. */
static const unsigned char tls_protocols[] = "\x11" TLS_PROTOCOL;
_Static_assert(sizeof(tls_protocols) == 2 + 0x11, "the length fits the name");

void tls_context_freep(SSL_CTX **context)
{
	SSL_CTX_free(*context);
}

/* Who names no protocol would be let in by OpenSSL, which asks tls_choose() only about names. */
static int tls_on_hello(SSL *ssl, int *ret_alert, void *arg)
{
	const unsigned char *bytes;
	size_t len;

	if (!SSL_client_hello_get0_ext(
	            ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes, &len)) {
		tls_note(ssl, TLS_OTHER_PROTOCOL);
		*ret_alert = SSL_AD_NO_APPLICATION_PROTOCOL;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_early_data, &bytes, &len)) {
		tls_note(ssl, "it sends early data");
		*ret_alert = SSL_AD_ILLEGAL_PARAMETER;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

static int tls_choose(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
        const unsigned char *names, unsigned int len, void *arg)
{
	unsigned char *name;

	if (SSL_select_next_proto(&name, ret_len, tls_protocols, sizeof(tls_protocols) - 1, names,
	            len) != OPENSSL_NPN_NEGOTIATED) {
		tls_note(ssl, TLS_OTHER_PROTOCOL);
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

static bool tls_set_session(SSL_CTX *context)
{
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(
	        context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	return SSL_CTX_set_num_tickets(context, 0) == 1 &&
	       SSL_CTX_set_max_early_data(context, 0) == 1 &&
	       SSL_CTX_set_recv_max_early_data(context, 0) == 1;
}

/*
 * Level 2 bounds what a CA of somebody else's may sign with: RSA of 2048 bits, SHA-256. Of the ends' own keys
 * the only signature is that of P-256. A buffer is there while a record is.
 */
static bool tls_set_rules(SSL_CTX *context)
{
	SSL_CTX_set_security_level(context, TLS_SECURITY_LEVEL);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(context, TLS_CHAIN_BYTES_MAX);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, tls_verify_callback, NULL);
	tls_verify_rules(SSL_CTX_get0_param(context));
	SSL_CTX_set_client_hello_cb(context, tls_on_hello, NULL);
	SSL_CTX_set_alpn_select_cb(context, tls_choose, NULL);
	return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
	                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
	       SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256") == 1 &&
	       SSL_CTX_set_alpn_protos(context, tls_protocols, sizeof(tls_protocols) - 1) == 0 &&
	       tls_set_session(context);
}

static int tls_context(const struct tls_files *files, enum tls_kind own, SSL_CTX **ret_context,
        struct failure *ret_failure)
{
	_cleanup_(tls_context_freep) SSL_CTX *context = NULL;
	int r;

	tls_notes_init();
	context = SSL_CTX_new(own == TLS_HOST ? TLS_server_method() : TLS_client_method());
	if (!context || !tls_set_rules(context)) {
		failure_set(ret_failure, "tls", "OpenSSL", "see whether its library is whole",
		        "it does not take the rules of a connection");
		return err_raise(-EIO);
	}
	r = tls_load_trust(SSL_CTX_get_cert_store(context), files, ret_failure);
	if (!r) {
		r = tls_load_own(context, files, own, ret_failure);
	}
	ERR_clear_error();
	if (r < 0) {
		return err_up(r);
	}
	*ret_context = steal(&context);
	return 0;
}

int tls_server_context(
        const struct tls_files *files, SSL_CTX **ret_context, struct failure *ret_failure)
{
	return err_up(tls_context(files, TLS_HOST, ret_context, ret_failure));
}

int tls_client_context(
        const struct tls_files *files, SSL_CTX **ret_context, struct failure *ret_failure)
{
	return err_up(tls_context(files, TLS_USER, ret_context, ret_failure));
}

static void tls_end_before(int64_t *end, const ASN1_TIME *time)
{
	int64_t at = tls_time(time);

	*end = at < *end ? at : *end;
}

struct tls_ends tls_context_ends(SSL_CTX *context)
{
	const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
	struct tls_ends ends = {INT64_MAX, INT64_MAX, INT64_MAX};

	tls_end_before(&ends.certificate, X509_get0_notAfter(SSL_CTX_get0_certificate(context)));
	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		const X509_OBJECT *object = sk_X509_OBJECT_value(all, i);
		const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);
		const X509 *ca = X509_OBJECT_get0_X509(object);

		if (crl) {
			tls_end_before(&ends.list, X509_CRL_get0_nextUpdate(crl));
		} else if (ca) {
			tls_end_before(&ends.ca, X509_get0_notAfter(ca));
		}
	}
	return ends;
}

struct tls_end tls_context_end(SSL_CTX *context)
{
	struct tls_ends ends = tls_context_ends(context);
	struct tls_end end = {ends.list, "the list of revoked certificates"};

	if (ends.ca < end.at) {
		end = (struct tls_end){ends.ca, "the CA's certificate"};
	}
	if (ends.certificate < end.at) {
		end = (struct tls_end){ends.certificate, "the certificate"};
	}
	return end;
}

static void tls_begin_after(struct tls_end *begin, const ASN1_TIME *time, const char *what)
{
	int64_t at = tls_time(time);

	if (at > begin->at) {
		*begin = (struct tls_end){at, what};
	}
}

struct tls_end tls_context_begin(SSL_CTX *context)
{
	const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
	struct tls_end begin = {INT64_MIN, ""};

	tls_begin_after(
	        &begin, X509_get0_notBefore(SSL_CTX_get0_certificate(context)), "the certificate");
	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		const X509_OBJECT *object = sk_X509_OBJECT_value(all, i);
		const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);
		const X509 *ca = X509_OBJECT_get0_X509(object);

		if (crl) {
			tls_begin_after(&begin, X509_CRL_get0_lastUpdate(crl),
			        "the list of revoked certificates");
		} else if (ca) {
			tls_begin_after(&begin, X509_get0_notBefore(ca), "the CA's certificate");
		}
	}
	return begin;
}
