/*
 * Whom to believe. OpenSSL follows the chain to a CA that was named, and looks at dates, uses and the list of what
 * was revoked; the rest is said here: how long a chain may be, of which kind the key is, that a
 * certificate is for one end alone and has one name, and that of a server is the expected one.
 *
 * A chain is a certificate and its CA: with an issuer between the two there would be a list of revoked
 * issuers to keep as well. Who has such a CA names the issuer as the CA: it need not be a root.
 *
 * Why a peer was refused is noted at its connection, since an error of OpenSSL is a number of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "host/tls/priv.h"

static int tls_note_why = -1;    /* of a connection: why its peer was refused, static */
static int tls_note_expect = -1; /* ... whom it is to lead to, owned */

static void tls_note_free(
        void *parent, void *note, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	free(note);
}

static void tls_notes_make(void)
{
	tls_note_why = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	tls_note_expect = SSL_get_ex_new_index(0, NULL, NULL, NULL, tls_note_free);
	if (tls_note_why < 0 || tls_note_expect < 0) {
		abort();
	}
}

void tls_notes_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, tls_notes_make);
}

void tls_note(SSL *ssl, const char *why)
{
	SSL_set_ex_data(ssl, tls_note_why, (void *)why);
}

int64_t tls_time(const ASN1_TIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MIN;
}

/*
 * No certificate between a peer's and a CA that was named, which may be no root; and no key that a handshake would find too
 * weak, so that files which let nobody in are refused when they are read.
 */
void tls_verify_rules(X509_VERIFY_PARAM *rules)
{
	X509_VERIFY_PARAM_set_depth(rules, TLS_CHAIN_MAX - 2);
	X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_auth_level(rules, TLS_SECURITY_LEVEL);
}

const char *tls_verify_text(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "its certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "its certificate is not valid yet";
	case X509_V_ERR_CERT_REVOKED:
		return "its certificate is revoked";
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return "there is no list of what its CA revoked";
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return "the list of revoked certificates is too old";
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return "the list of revoked certificates is not valid yet";
	case X509_V_ERR_INVALID_PURPOSE:
		return "its certificate is not for this end of a connection";
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
		return "its certificate is not from a CA that is believed, but from one that it "
		       "shows";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "its certificate is not from a CA that is believed";
	default:
		return X509_verify_cert_error_string(error);
	}
}

static bool tls_key_is_p256(const X509 *certificate)
{
	char group[32];
	size_t len;

	return EVP_PKEY_get_group_name(X509_get0_pubkey(certificate), group, sizeof(group), &len) ==
	               1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

const char *tls_objection(X509_STORE_CTX *verification, enum tls_kind kind)
{
	const X509 *certificate = X509_STORE_CTX_get0_cert(verification);
	struct tls_identity peer;
	int r;

	if (sk_X509_num(X509_STORE_CTX_get0_untrusted(verification)) > (int)TLS_CHAIN_MAX) {
		return "it shows more than two certificates";
	}
	if (X509_verify_cert(verification) != 1) {
		return tls_verify_text(X509_STORE_CTX_get_error(verification));
	}
	if (X509_get_extension_flags((X509 *)certificate) & EXFLAG_CA) {
		return "its certificate is that of a CA";
	}
	if (!tls_key_is_p256(certificate)) {
		return "the key of its certificate is not of P-256";
	}
	r = tls_peer_of(certificate, &peer);
	if (r) {
		return tls_error_text((enum tls_error)r);
	}
	return peer.kind == kind ? NULL : tls_verify_text(X509_V_ERR_INVALID_PURPOSE);
}

/* A server that spoke no protocol, or is not the one that was meant; its certificate is good. */
static const char *tls_server_objection(SSL *ssl, const X509 *certificate)
{
	const char *expected = SSL_get_ex_data(ssl, tls_note_expect);
	const unsigned char *protocol;
	struct tls_identity peer;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &protocol, &len);
	if (!len) {
		return TLS_OTHER_PROTOCOL;
	}
	return expected && tls_peer_of(certificate, &peer) == 0 && !strcmp(peer.name, expected)
	               ? NULL
	               : "it is another host than the one that was asked for";
}

int tls_verify_callback(X509_STORE_CTX *verification, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
	bool is_server = SSL_is_server(ssl);
	const char *why = tls_objection(verification, is_server ? TLS_USER : TLS_HOST);

	if (!why && !is_server) {
		why = tls_server_objection(ssl, X509_STORE_CTX_get0_cert(verification));
	}
	if (!why) {
		return 1;
	}
	if (X509_STORE_CTX_get_error(verification) == X509_V_OK) {
		X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
	}
	tls_note(ssl, why);
	return 0;
}

int tls_expect(SSL *ssl, const char *host)
{
	char *was = SSL_get_ex_data(ssl, tls_note_expect);
	char *expected = text_copy(host);

	if (SSL_set_ex_data(ssl, tls_note_expect, expected) != 1) {
		free(expected);
		return err_raise(-ENOMEM);
	}
	free(was);
	return 0;
}

int tls_connected(const SSL *ssl, struct tls_identity *ret_peer)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);

	if (!SSL_is_init_finished(ssl) || SSL_version(ssl) != TLS1_3_VERSION ||
	        SSL_session_reused(ssl) || !certificate ||
	        SSL_get_verify_result(ssl) != X509_V_OK) {
		return err_raise(-EPROTO);
	}
	return tls_peer_of(certificate, ret_peer) ? err_raise(-EPROTO) : 0;
}

int64_t tls_peer_end(const SSL *ssl)
{
	const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	int64_t end = tls_time(X509_get0_notAfter(SSL_get0_peer_certificate(ssl)));

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t its = tls_time(X509_get0_notAfter(sk_X509_value(chain, i)));

		end = its < end ? its : end;
	}
	return end;
}

static void tls_verification_freep(X509_STORE_CTX **verification)
{
	X509_STORE_CTX_free(*verification);
}

/* The whole chain once more, by what another context believes. */
static const char *tls_verified_again(SSL_CTX *context, const SSL *ssl)
{
	_cleanup_(tls_verification_freep) X509_STORE_CTX *again = X509_STORE_CTX_new();
	bool is_server = SSL_is_server(ssl);

	if (!again || X509_STORE_CTX_init(again, SSL_CTX_get_cert_store(context),
	                      SSL_get0_peer_certificate(ssl), NULL) != 1) {
		abort();
	}
	X509_STORE_CTX_set_default(again, is_server ? "ssl_client" : "ssl_server");
	tls_verify_rules(X509_STORE_CTX_get0_param(again));
	return tls_objection(again, is_server ? TLS_USER : TLS_HOST);
}

/*
 * With a CA that was believed then and is now, what it signed need not be computed again: what may differ is what it
 * has revoked since. With thousands of peers that is the difference between a pause and none.
 */
const char *tls_context_objection(SSL_CTX *context, const SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
	const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	bool is_known = false;

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		const X509_OBJECT *object = sk_X509_OBJECT_value(all, i);
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);
		const X509 *ca = X509_OBJECT_get0_X509(object);
		X509_REVOKED *entry;

		if (crl && X509_CRL_get0_by_cert(crl, &entry, certificate) == 1) {
			return tls_verify_text(X509_V_ERR_CERT_REVOKED);
		}
		is_known |=
		        ca && sk_X509_num(chain) == 2 && X509_cmp(ca, sk_X509_value(chain, 1)) == 0;
	}
	if (!is_known) {
		return tls_verified_again(context, ssl);
	}
	return tls_peer_end(ssl) > (int64_t)time(NULL)
	               ? NULL
	               : tls_verify_text(X509_V_ERR_CERT_HAS_EXPIRED);
}

/* What the other end says is a number above those of OpenSSL's own reasons. */
const char *tls_verify_error(const SSL *ssl)
{
	const char *why = SSL_get_ex_data(ssl, tls_note_why);
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);

	if (why) {
		return why;
	}
	if (!error || ERR_GET_LIB(error) != ERR_LIB_SSL) {
		return error ? ERR_reason_error_string(error) : "the connection broke off";
	}
	if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		return "it shows no certificate";
	}
	if (reason == SSL_R_EXCESSIVE_MESSAGE_SIZE) {
		return "it shows more than 8 KiB of certificates";
	}
	return reason > SSL_AD_REASON_OFFSET
	               ? SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET)
	               : ERR_reason_error_string(error);
}
