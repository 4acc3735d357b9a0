/*
 * Names in certificates. A certificate says many things about its holder, and whoever signs
 * certificates for others signs many of them unread; so exactly one of them counts, and it has a
 * form that no other software has a reason to write. Two names are refused, since two readers
 * could each believe another one; so is an extension that is there twice. A zero byte inside a name
 * ends it for one reader and not for the next: it is none of ours.
 */
#include "host/tls/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

static const char identity_scheme[] = "samsara:";

/* What each kind is called, and what its certificate is for. */
static const struct kind_row {
	const char *name;
	int use;
} kind_table[_TLS_KIND_N] = {
        [TLS_USER] = {"user", NID_client_auth},
        [TLS_HOST] = {"host", NID_server_auth},
};

static const char *const error_texts[_TLS_E_N] = {
        [TLS_E_FORM] =
                "its name is none of Samsara's: samsara:user/NAME or samsara:host/NAME, with "
                "small letters, digits, '.', '_' and '-'",
        [TLS_E_UNNAMED] = "it names nobody: it has no subject alternative name",
        [TLS_E_NAMES] = "it has more than one name",
        [TLS_E_NO_URI] = "its name is no URI",
        [TLS_E_USE] = "it is not for exactly one of clientAuth and serverAuth",
        [TLS_E_KIND] =
                "what it is for does not fit its name: a user's is for clientAuth, a host's for "
                "serverAuth",
};

const char *tls_error_text(enum tls_error error)
{
	return error_texts[error];
}

const char *tls_kind_name(enum tls_kind kind)
{
	return kind_table[kind].name;
}

static int identity_starts(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int identity_goes_on(char c)
{
	return identity_starts(c) || c == '.' || c == '_' || c == '-';
}

static int identity_name_read(const char *text, struct tls_identity *identity)
{
	size_t len = strlen(text);

	if (len == 0 || len > TLS_NAME_MAX || !identity_starts(text[0])) {
		return TLS_E_FORM;
	}
	for (size_t i = 1; i < len; i++) {
		if (!identity_goes_on(text[i])) {
			return TLS_E_FORM;
		}
	}
	memcpy(identity->name, text, len + 1);
	return 0;
}

/* "user/NAME" */
static int identity_short_parse(const char *text, struct tls_identity *ret_identity)
{
	struct tls_identity identity = {.kind = TLS_USER};

	for (unsigned int kind = 0; kind < _TLS_KIND_N; kind++) {
		size_t len = strlen(kind_table[kind].name);

		if (!strncmp(text, kind_table[kind].name, len) && text[len] == '/' &&
		        identity_name_read(text + len + 1, &identity) == 0) {
			identity.kind = (enum tls_kind)kind;
			*ret_identity = identity;
			return 0;
		}
	}
	return TLS_E_FORM;
}

int tls_identity_parse(const char *text, struct tls_identity *ret_identity)
{
	size_t len = strlen(identity_scheme);

	return strncmp(text, identity_scheme, len) ? TLS_E_FORM
	                                           : identity_short_parse(text + len, ret_identity);
}

int tls_identity_read(const char *text, struct tls_identity *ret_identity)
{
	return identity_short_parse(text, ret_identity) == 0
	               ? 0
	               : tls_identity_parse(text, ret_identity);
}

void tls_identity_print(const struct tls_identity *identity, char ret_text[TLS_IDENTITY_SIZE])
{
	(void)snprintf(ret_text, TLS_IDENTITY_SIZE, "%s%s/%s", identity_scheme,
	        kind_table[identity->kind].name, identity->name);
}

static void identity_names_freep(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

/* OpenSSL ends every string with a zero byte of its own; one inside makes it shorter than it says. */
static int identity_of_uri(const ASN1_IA5STRING *uri, struct tls_identity *ret_identity)
{
	const char *text = (const char *)ASN1_STRING_get0_data(uri);
	int len = ASN1_STRING_length(uri);

	if (len >= (int)TLS_IDENTITY_SIZE || strnlen(text, (size_t)len) != (size_t)len) {
		return TLS_E_FORM;
	}
	return tls_identity_parse(text, ret_identity);
}

int tls_identity_of_extensions(
        const STACK_OF(X509_EXTENSION) * extensions, struct tls_identity *ret_identity)
{
	int found = -1;
	_cleanup_(identity_names_freep) GENERAL_NAMES *names =
	        X509V3_get_d2i(extensions, NID_subject_alt_name, &found, NULL);
	const GENERAL_NAME *name;

	if (!names) {
		/* -2: the extension is there twice; -1: not at all; else it is damaged. */
		return found == -2 ? TLS_E_NAMES : TLS_E_UNNAMED;
	}
	if (sk_GENERAL_NAME_num(names) != 1) {
		return sk_GENERAL_NAME_num(names) ? TLS_E_NAMES : TLS_E_UNNAMED;
	}
	name = sk_GENERAL_NAME_value(names, 0);
	return name->type == GEN_URI
	               ? identity_of_uri(name->d.uniformResourceIdentifier, ret_identity)
	               : TLS_E_NO_URI;
}

int tls_identity_of(const X509 *certificate, struct tls_identity *ret_identity)
{
	return tls_identity_of_extensions(X509_get0_extensions(certificate), ret_identity);
}

static void identity_uses_freep(EXTENDED_KEY_USAGE **uses)
{
	EXTENDED_KEY_USAGE_free(*uses);
}

int tls_use_of(const X509 *certificate, enum tls_kind *ret_kind)
{
	_cleanup_(identity_uses_freep) EXTENDED_KEY_USAGE *uses =
	        X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	int use;

	if (!uses || sk_ASN1_OBJECT_num(uses) != 1) {
		return TLS_E_USE;
	}
	use = OBJ_obj2nid(sk_ASN1_OBJECT_value(uses, 0));
	for (unsigned int kind = 0; kind < _TLS_KIND_N; kind++) {
		if (kind_table[kind].use == use) {
			*ret_kind = (enum tls_kind)kind;
			return 0;
		}
	}
	return TLS_E_USE;
}

int tls_peer_of(const X509 *certificate, struct tls_identity *ret_identity)
{
	struct tls_identity identity;
	enum tls_kind use;
	int r = tls_identity_of(certificate, &identity);

	if (r == 0) {
		r = tls_use_of(certificate, &use);
	}
	if (r == 0 && use != identity.kind) {
		r = TLS_E_KIND;
	}
	if (r == 0) {
		*ret_identity = identity;
	}
	return r;
}
