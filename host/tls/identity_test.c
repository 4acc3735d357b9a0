/* Names: what is read as one, and which certificates name somebody. */
#undef NDEBUG
#include "host/tls/identity.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#define LONGEST "a123456789a123456789a123456789a123456789a123456789a123456789abc"

static void test_parse(void)
{
	static const struct {
		const char *text;
		int result;
		enum tls_kind kind;
		const char *name;
	} cases[] = {
	        {"samsara:user/alice", 0, TLS_USER, "alice"},
	        {"samsara:host/lud-1.example", 0, TLS_HOST, "lud-1.example"},
	        {"samsara:user/0_-.", 0, TLS_USER, "0_-."},
	        {"samsara:user/" LONGEST, 0, TLS_USER, LONGEST},
	        {"samsara:user/" LONGEST "d", TLS_E_FORM, 0, NULL},
	        {"", TLS_E_FORM, 0, NULL},
	        {"samsara:", TLS_E_FORM, 0, NULL},
	        {"samsara:user", TLS_E_FORM, 0, NULL},
	        {"samsara:user/", TLS_E_FORM, 0, NULL},
	        {"samsara:users/alice", TLS_E_FORM, 0, NULL},
	        {"samsara:machine/alice", TLS_E_FORM, 0, NULL},
	        {"samsara:user/Alice", TLS_E_FORM, 0, NULL},
	        {"samsara:user/.alice", TLS_E_FORM, 0, NULL},
	        {"samsara:user/-alice", TLS_E_FORM, 0, NULL},
	        {"samsara:user/al/ice", TLS_E_FORM, 0, NULL},
	        {"samsara:user/alice ", TLS_E_FORM, 0, NULL},
	        {"samsara:user/al\nice", TLS_E_FORM, 0, NULL},
	        {"samsara:user/\xc3\xa4", TLS_E_FORM, 0, NULL},
	        {" samsara:user/alice", TLS_E_FORM, 0, NULL},
	        {"SAMSARA:user/alice", TLS_E_FORM, 0, NULL},
	        {"spiffe_:user/alice", TLS_E_FORM, 0, NULL},
	        {"sbmsara:user/alice", TLS_E_FORM, 0, NULL},
	        {"user/alice", TLS_E_FORM, 0, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_identity identity = {.kind = _TLS_KIND_N};
		char text[TLS_IDENTITY_SIZE];

		assert(tls_identity_parse(cases[i].text, &identity) == cases[i].result);
		if (cases[i].result) {
			assert(identity.kind == _TLS_KIND_N && !identity.name[0]);
			continue;
		}
		assert(identity.kind == cases[i].kind && !strcmp(identity.name, cases[i].name));
		tls_identity_print(&identity, text);
		assert(!strcmp(text, cases[i].text));
	}
}

static void test_read(void)
{
	struct tls_identity identity;

	assert(tls_identity_read("host/lud", &identity) == 0 && identity.kind == TLS_HOST);
	assert(tls_identity_read("samsara:user/bob", &identity) == 0 && identity.kind == TLS_USER);
	assert(tls_identity_read("bob", &identity) == TLS_E_FORM && identity.kind == TLS_USER);
	assert(!strcmp(identity.name, "bob"));
}

/* A certificate that has these extensions and nothing else that counts; nobody signed it. */
static X509 *named(const char *const values[][2])
{
	X509 *certificate = X509_new();

	assert(certificate);
	for (size_t i = 0; values[i][0]; i++) {
		X509_EXTENSION *extension = X509V3_EXT_conf(NULL, NULL, values[i][0], values[i][1]);

		assert(extension && X509_add_ext(certificate, extension, -1));
		X509_EXTENSION_free(extension);
	}
	return certificate;
}

#define USER_NAME {"subjectAltName", "URI:samsara:user/alice"}
#define HOST_NAME {"subjectAltName", "URI:samsara:host/lud"}
#define CLIENT_USE {"extendedKeyUsage", "clientAuth"}
#define SERVER_USE {"extendedKeyUsage", "serverAuth"}
#define EXTENSIONS_MAX 4u

static void test_certificates(void)
{
	static const struct {
		const char *values[EXTENSIONS_MAX][2];
		int result;
	} cases[] = {
	        {{USER_NAME, CLIENT_USE}, 0},
	        {{HOST_NAME, SERVER_USE}, 0},
	        {{{"subjectAltName", "critical,URI:samsara:user/alice"}, CLIENT_USE}, 0},
	        {{CLIENT_USE}, TLS_E_UNNAMED},
	        {{USER_NAME, USER_NAME, CLIENT_USE}, TLS_E_NAMES},
	        {{USER_NAME, HOST_NAME, CLIENT_USE}, TLS_E_NAMES},
	        {{{"subjectAltName", "URI:samsara:user/alice,URI:samsara:user/bob"}, CLIENT_USE},
	                TLS_E_NAMES},
	        {{{"subjectAltName", "URI:samsara:user/alice,DNS:example.org"}, CLIENT_USE},
	                TLS_E_NAMES},
	        {{{"subjectAltName", "DNS:samsara:user/alice"}, CLIENT_USE}, TLS_E_NO_URI},
	        {{{"subjectAltName", "email:alice@example.org"}, CLIENT_USE}, TLS_E_NO_URI},
	        {{{"subjectAltName", "URI:spiffe:user/alice"}, CLIENT_USE}, TLS_E_FORM},
	        {{{"subjectAltName", "DER:3000"}, CLIENT_USE}, TLS_E_UNNAMED},
	        {{{"subjectAltName", "DER:3006860430"}, CLIENT_USE}, TLS_E_UNNAMED},
	        {{USER_NAME}, TLS_E_USE},
	        {{USER_NAME, {"extendedKeyUsage", "clientAuth,serverAuth"}}, TLS_E_USE},
	        {{USER_NAME, {"extendedKeyUsage", "clientAuth,codeSigning"}}, TLS_E_USE},
	        {{USER_NAME, {"extendedKeyUsage", "anyExtendedKeyUsage"}}, TLS_E_USE},
	        {{USER_NAME, CLIENT_USE, CLIENT_USE}, TLS_E_USE},
	        {{USER_NAME, SERVER_USE}, TLS_E_KIND},
	        {{HOST_NAME, CLIENT_USE}, TLS_E_KIND},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_identity identity = {.kind = _TLS_KIND_N};
		X509 *certificate = named(cases[i].values);

		assert(tls_peer_of(certificate, &identity) == cases[i].result);
		assert((cases[i].result == 0) == (identity.kind != _TLS_KIND_N));
		X509_free(certificate);
	}
}

/* A common name is nobody's name, whatever it says. */
static void test_common_name(void)
{
	X509 *certificate = named((const char *const[][2]){CLIENT_USE, {NULL, NULL}});
	struct tls_identity identity;

	assert(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
	               (const unsigned char *)"samsara:user/alice", -1, -1, 0) == 1);
	assert(tls_identity_of(certificate, &identity) == TLS_E_UNNAMED);
	X509_free(certificate);
}

/* One reader would take "samsara:user/root" for it, and the next all of it. */
static void test_zero_byte(void)
{
	static const char name[] = "samsara:user/root\0.example";
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	X509 *certificate = X509_new();
	struct tls_identity identity;

	assert(names && one && text && certificate);
	assert(ASN1_STRING_set(text, name, sizeof(name) - 1) == 1);
	GENERAL_NAME_set0_value(one, GEN_URI, text);
	assert(sk_GENERAL_NAME_push(names, one) == 1);
	assert(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
	assert(tls_identity_of(certificate, &identity) == TLS_E_FORM);
	GENERAL_NAMES_free(names);
	X509_free(certificate);
}

static void test_words(void)
{
	for (unsigned int error = TLS_E_FORM; error < _TLS_E_N; error++) {
		assert(*tls_error_text((enum tls_error)error));
	}
	assert(!strcmp(tls_kind_name(TLS_USER), "user") &&
	        !strcmp(tls_kind_name(TLS_HOST), "host"));
}

int main(void)
{
	test_parse();
	test_read();
	test_certificates();
	test_common_name();
	test_zero_byte();
	test_words();
	return 0;
}
